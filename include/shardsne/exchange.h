/* Exchanges between ranks whose sizes do not fit MPI's int counts. */
#ifndef SHARDSNE_EXCHANGE_H
#define SHARDSNE_EXCHANGE_H

#include "shardsne/status.h"
#include <mpi.h>
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

#endif
