/* Exchanges between ranks: those whose sizes do not fit MPI's int counts, and messages between the
 * few ranks that have something for each other. */
#ifndef SHARDSNE_EXCHANGE_H
#define SHARDSNE_EXCHANGE_H

#include "shardsne/status.h"
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

/* A call returns SSNE_FAILED with MPI's own words where an MPI function fails. */
ssne_code ssne_mpi_check(int mpi_result, const char *what, ssne_error *err);

/* Collective. Sends `size` bytes at `bytes` from `root` to all, in pieces below 2^31. */
ssne_code ssne_broadcast(void *bytes, int64_t size, int root, MPI_Comm comm, ssne_error *err);

/* Collective. Rank `root` holds the elements of all ranks one after the other in `all`, of
 * counts[r] >= 0 elements of `size` bytes for rank r (`counts` is read on the root alone); each
 * rank receives its own `own_count` into `own`. */
ssne_code ssne_scatter(const void *all, const int64_t *counts, void *own, int64_t own_count,
                       int64_t size, int root, MPI_Comm comm, ssne_error *err);

/* Collective; the inverse of ssne_scatter: `all` is filled on the root alone. */
ssne_code ssne_gather(const void *own, int64_t own_count, void *all, const int64_t *counts,
                      int64_t size, int root, MPI_Comm comm, ssne_error *err);

/* Collective. Sends send_counts[r] elements of `size` bytes to each rank r, taken one after the
 * other from `send` in rank order, and receives recv_counts[r] from each into `recv` likewise. The
 * two count arrays must match across ranks; see ssne_exchange_counts. */
ssne_code ssne_exchange(const void *send, const int64_t *send_counts, void *recv,
                        const int64_t *recv_counts, int64_t size, MPI_Comm comm, ssne_error *err);

/* Collective. recv_counts[r] becomes what rank r passed in its send_counts for this rank. */
ssne_code ssne_exchange_counts(const int64_t *send_counts, int64_t *recv_counts, MPI_Comm comm,
                               ssne_error *err);

/* --- messages under way -------------------------------------------------------------------- */

/* What else a rank has to do while it waits for messages. MPI moves many messages only from within
 * its own calls, so the work is done in small parts, with a look at the messages after each. */
typedef struct ssne_meanwhile {
  bool (*work)(void *context); /* does a part, some tens of microseconds; false: none was left */
  void *context;
  double seconds; /* that work has taken in all waits */
} ssne_meanwhile;

/* At most one message to and one from every rank at a time. */
typedef struct ssne_messages {
  MPI_Comm comm; /* not owned */
  int tag;
  ssne_meanwhile *meanwhile; /* not owned; NULL: nothing */
  int count;                 /* under way */
  MPI_Request *request;      /* [2, ranks], owned */
} ssne_messages;

/* Not collective. `tag` tells these messages from others under way at the same time; `meanwhile`,
 * which may be NULL, must outlive them. Free with ssne_messages_free, after a failure too, and when
 * none is under way. */
ssne_code ssne_messages_create(MPI_Comm comm, int tag, ssne_meanwhile *meanwhile,
                               ssne_messages *out, ssne_error *err);
void ssne_messages_free(ssne_messages *messages);

/* Not collective. Begins to receive, or to send, `count` elements, which belong to the message
 * until ssne_messages_wait; nothing where count is 0. SSNE_FAILED where it is 2^31 or more. */
ssne_code ssne_messages_receive(ssne_messages *messages, void *to, int64_t count, MPI_Datatype type,
                                int from, ssne_error *err);
ssne_code ssne_messages_send(ssne_messages *messages, const void *from, int64_t count,
                             MPI_Datatype type, int to, ssne_error *err);

/* Not collective. Returns when all are there, having worked until then on what there is to do
 * meanwhile. */
ssne_code ssne_messages_wait(ssne_messages *messages, ssne_error *err);

#endif
