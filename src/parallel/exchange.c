#include "shardsne/exchange.h"

#include "shardsne/clock.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

/* Bytes of one message. Far below 2^31, and small enough for pinned or registered buffers. */
#define PIECE ((int64_t)1 << 28)
#define TAG 17

ssne_code ssne_mpi_check(int mpi_result, const char *what, ssne_error *err) {
  if (mpi_result == MPI_SUCCESS) return SSNE_OK;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(mpi_result, text, &length);
  return ssne_fail(err, SSNE_FAILED, "%s failed: %s", what, text);
}

static int piece_of(int64_t left) {
  return (int)(left < PIECE ? left : PIECE);
}

ssne_code ssne_broadcast(void *bytes, int64_t size, int root, MPI_Comm comm, ssne_error *err) {
  for (int64_t done = 0; done < size; done += PIECE)
    SSNE_TRY(
        ssne_mpi_check(MPI_Bcast((char *)bytes + done, piece_of(size - done), MPI_BYTE, root, comm),
                       "MPI_Bcast", err));
  return SSNE_OK;
}

static ssne_code send_all(const char *bytes, int64_t size, int to, MPI_Comm comm, ssne_error *err) {
  for (int64_t done = 0; done < size; done += PIECE)
    SSNE_TRY(ssne_mpi_check(MPI_Send(bytes + done, piece_of(size - done), MPI_BYTE, to, TAG, comm),
                            "MPI_Send", err));
  return SSNE_OK;
}

static ssne_code receive_all(char *bytes, int64_t size, int from, MPI_Comm comm, ssne_error *err) {
  for (int64_t done = 0; done < size; done += PIECE)
    SSNE_TRY(ssne_mpi_check(
        MPI_Recv(bytes + done, piece_of(size - done), MPI_BYTE, from, TAG, comm, MPI_STATUS_IGNORE),
        "MPI_Recv", err));
  return SSNE_OK;
}

ssne_code ssne_scatter(const void *all, const int64_t *counts, void *own, int64_t own_count,
                       int64_t size, int root, MPI_Comm comm, ssne_error *err) {
  int rank = 0, ranks = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  if (rank != root) return receive_all(own, own_count * size, root, comm, err);
  const char *next = all;
  for (int r = 0; r < ranks; r++) {
    if (r == root)
      memcpy(own, next, (size_t)(own_count * size));
    else
      SSNE_TRY(send_all(next, counts[r] * size, r, comm, err));
    next += counts[r] * size;
  }
  return SSNE_OK;
}

ssne_code ssne_gather(const void *own, int64_t own_count, void *all, const int64_t *counts,
                      int64_t size, int root, MPI_Comm comm, ssne_error *err) {
  int rank = 0, ranks = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  if (rank != root) return send_all(own, own_count * size, root, comm, err);
  char *next = all;
  for (int r = 0; r < ranks; r++) {
    if (r == root)
      memcpy(next, own, (size_t)(own_count * size));
    else
      SSNE_TRY(receive_all(next, counts[r] * size, r, comm, err));
    next += counts[r] * size;
  }
  return SSNE_OK;
}

/* Sends and receives with one partner each, both in pieces. Either size may be the larger, so the
 * pieces are counted on each side alone. */
static ssne_code swap(const char *send, int64_t send_size, int to, char *recv, int64_t recv_size,
                      int from, MPI_Comm comm, ssne_error *err) {
  int64_t sent = 0, received = 0;
  while (sent < send_size || received < recv_size) {
    MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    const int out = piece_of(send_size - sent), in = piece_of(recv_size - received);
    if (in > 0)
      SSNE_TRY(
          ssne_mpi_check(MPI_Irecv(recv + received, in, MPI_BYTE, from, TAG, comm, &requests[0]),
                         "MPI_Irecv", err));
    if (out > 0)
      SSNE_TRY(ssne_mpi_check(MPI_Isend(send + sent, out, MPI_BYTE, to, TAG, comm, &requests[1]),
                              "MPI_Isend", err));
    SSNE_TRY(ssne_mpi_check(MPI_Waitall(2, requests, MPI_STATUSES_IGNORE), "MPI_Waitall", err));
    sent += out;
    received += in;
  }
  return SSNE_OK;
}

static int64_t sum_before(const int64_t *counts, int rank) {
  int64_t sum = 0;
  for (int r = 0; r < rank; r++) sum += counts[r];
  return sum;
}

ssne_code ssne_exchange(const void *send, const int64_t *send_counts, void *recv,
                        const int64_t *recv_counts, int64_t size, MPI_Comm comm, ssne_error *err) {
  int rank = 0, ranks = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  for (int step = 0; step < ranks; step++) {
    const int to = (rank + step) % ranks, from = (rank - step + ranks) % ranks;
    const char *out = (const char *)send + sum_before(send_counts, to) * size;
    char *in = (char *)recv + sum_before(recv_counts, from) * size;
    if (step == 0)
      memcpy(in, out, (size_t)(send_counts[to] * size));
    else
      SSNE_TRY(
          swap(out, send_counts[to] * size, to, in, recv_counts[from] * size, from, comm, err));
  }
  return SSNE_OK;
}

ssne_code ssne_exchange_counts(const int64_t *send_counts, int64_t *recv_counts, MPI_Comm comm,
                               ssne_error *err) {
  return ssne_mpi_check(
      MPI_Alltoall(send_counts, 1, MPI_INT64_T, recv_counts, 1, MPI_INT64_T, comm), "MPI_Alltoall",
      err);
}

/* --- messages under way -------------------------------------------------------------------- */

ssne_code ssne_messages_create(MPI_Comm comm, int tag, ssne_meanwhile *meanwhile,
                               ssne_messages *out, ssne_error *err) {
  int ranks = 1;
  *out = (ssne_messages){.comm = comm, .tag = tag, .meanwhile = meanwhile};
  MPI_Comm_size(comm, &ranks);
  return ssne_alloc(&out->request, 2 * (int64_t)ranks, sizeof(MPI_Request), "messages", err);
}

void ssne_messages_free(ssne_messages *messages) {
  ssne_free(&messages->request);
}

static ssne_code check_count(int64_t count, ssne_error *err) {
  if (count <= INT_MAX) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED,
                   "%" PRId64 " elements are too many for one message: start more ranks", count);
}

ssne_code ssne_messages_receive(ssne_messages *messages, void *to, int64_t count, MPI_Datatype type,
                                int from, ssne_error *err) {
  if (count == 0) return SSNE_OK;
  SSNE_TRY(check_count(count, err));
  return ssne_mpi_check(MPI_Irecv(to, (int)count, type, from, messages->tag, messages->comm,
                                  &messages->request[messages->count++]),
                        "MPI_Irecv", err);
}

ssne_code ssne_messages_send(ssne_messages *messages, const void *from, int64_t count,
                             MPI_Datatype type, int to, ssne_error *err) {
  if (count == 0) return SSNE_OK;
  SSNE_TRY(check_count(count, err));
  return ssne_mpi_check(MPI_Isend(from, (int)count, type, to, messages->tag, messages->comm,
                                  &messages->request[messages->count++]),
                        "MPI_Isend", err);
}

/* Until all messages are there or nothing is left to do. */
static ssne_code work_meanwhile(const ssne_messages *messages, int count, ssne_error *err) {
  ssne_meanwhile *m = messages->meanwhile;
  for (;;) {
    int there = 0;
    SSNE_TRY(ssne_mpi_check(MPI_Testall(count, messages->request, &there, MPI_STATUSES_IGNORE),
                            "MPI_Testall", err));
    if (there) return SSNE_OK;
    const double since = ssne_clock();
    const bool worked = m->work(m->context);
    m->seconds += ssne_clock() - since;
    if (!worked) return SSNE_OK;
  }
}

ssne_code ssne_messages_wait(ssne_messages *messages, ssne_error *err) {
  const int count = messages->count;
  messages->count = 0;
  if (messages->meanwhile && count > 0) SSNE_TRY(work_meanwhile(messages, count, err));
  return ssne_mpi_check(MPI_Waitall(count, messages->request, MPI_STATUSES_IGNORE), "MPI_Waitall",
                        err);
}
