/* Being asked to stop: by a signal, or because the time is up. Schedulers send USR1 or TERM before
 * they kill; whoever sits at a terminal sends INT. */
#ifndef SHARDSNE_STOP_H
#define SHARDSNE_STOP_H

#include "shardsne/status.h"
#include <mpi.h>
#include <stdbool.h>

typedef struct ssne_stop ssne_stop;

/* Not collective; to be called before MPI_Init and whatever else starts threads: from here on USR1,
 * TERM and INT are blocked in all of them (one that unblocks them passes
 * them on), and a thread of the stop's own waits for them. A second
 * INT ends the process at once. Free with ssne_stop_destroy. */
ssne_code ssne_stop_create(ssne_stop **out, ssne_error *err);

/* Not collective: gives the signals their usual meaning again; frees *stop, if any, and sets it to
 * NULL. */
void ssne_stop_destroy(ssne_stop **stop);

/* Not collective: the time is up in so many seconds, or when an earlier call said, whichever comes
 * first. */
void ssne_stop_after(ssne_stop *stop, double seconds);

/* Not collective, and cheap: whether this rank was asked to stop. Any thread; `stop` may be NULL:
 * never. */
bool ssne_stop_wanted(const ssne_stop *stop);

/* Collective: SSNE_STOPPED on every rank if any was asked to stop, with why and `what`, which says
 * where the work stands. */
ssne_code ssne_stop_agree(const ssne_stop *stop, const char *what, MPI_Comm comm, ssne_error *err);

/* Not collective: the same on this rank alone, once all know: SSNE_STOPPED. */
ssne_code ssne_stop_fail(const ssne_stop *stop, const char *what, ssne_error *err);

#endif
