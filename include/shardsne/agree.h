/* Agreeing on failure, so that no rank waits in a collective call for one that has given up. */
#ifndef SHARDSNE_AGREE_H
#define SHARDSNE_AGREE_H

#include "shardsne/status.h"
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

/* Collective. Every rank passes the code of its own work and its error. Where all are SSNE_OK
 * returns that. Otherwise every rank gets the error of the lowest failing rank, which names that
 * rank and its host unless all ranks have failed, and returns its code. */
ssne_code ssne_agree(MPI_Comm comm, ssne_code code, ssne_error *err);

/* Returns from the calling function, on every rank, unless `call` was SSNE_OK on all of them. */
#define SSNE_TRY_ALL(comm, call, err)                                                              \
  do {                                                                                             \
    const ssne_code ssne_agreed_code = ssne_agree(comm, call, err);                                \
    if (ssne_agreed_code != SSNE_OK) return ssne_agreed_code;                                      \
  } while (0)

/* The heartbeat: while ranks work each at its own pace, it carries their counts to all of them, and
 * the news that one failed, without anyone waiting. All ranks see the same sums in the same rounds,
 * so all leave together. */
typedef struct ssne_heartbeat ssne_heartbeat;

#define SSNE_HEARTBEAT_COUNTS 4

/* Collective: creates a heartbeat on a duplicate of `comm`. */
ssne_code ssne_heartbeat_create(MPI_Comm comm, ssne_heartbeat **out, ssne_error *err);

/* Takes the heartbeat further without waiting. `counts` are this rank's own so far, to be summed;
 * `finished` says that this rank has no more work, `failed` that it cannot go on. Where a round has
 * been completed since the last call, *fresh is set, sums[] holds the sums over all ranks, and
 * *over is set once every rank has finished or any has failed: every rank sees that in the same
 * round, and must then stop calling. The rounds end only if all ranks keep calling. */
ssne_code ssne_heartbeat_beat(ssne_heartbeat *beat, const int64_t counts[SSNE_HEARTBEAT_COUNTS],
                              bool finished, bool failed, int64_t sums[SSNE_HEARTBEAT_COUNTS],
                              bool *fresh, bool *over, ssne_error *err);

/* Collective: frees *beat, if any, and sets it to NULL. */
void ssne_heartbeat_destroy(ssne_heartbeat **beat);

#endif
