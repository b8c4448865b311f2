#include "shardsne/traffic.h"

#include <stdatomic.h>

/* The one state of the process that is no argument: MPI's calls have none to spare for it, and MPI
 * itself is one for the process. Atomic, since MPI may be called by any thread. */
static struct { _Atomic int64_t calls, messages, bytes_sent, bytes_received; } counted[SSNE_CALLS];

void ssne_traffic_now(ssne_traffic *out) {
  for (int c = 0; c < SSNE_CALLS; c++)
    out->of[c] = (ssne_call_traffic){.calls = atomic_load(&counted[c].calls),
                                     .messages = atomic_load(&counted[c].messages),
                                     .bytes_sent = atomic_load(&counted[c].bytes_sent),
                                     .bytes_received = atomic_load(&counted[c].bytes_received)};
}

int64_t ssne_traffic_sent(void) {
  int64_t sent = 0;
  for (int c = 0; c < SSNE_CALLS; c++) sent += atomic_load(&counted[c].bytes_sent);
  return sent;
}

#ifdef SSNE_COUNT_TRAFFIC

/* --- counting ------------------------------------------------------------------------------ */

/* Who takes part in a call, as the one who makes it sees it. */
typedef struct circle {
  int rank, ranks;
} circle;

static circle circle_of(MPI_Comm comm) {
  circle c = {0, 1};
  PMPI_Comm_size(comm, &c.ranks);
  if (c.ranks > 1) PMPI_Comm_rank(comm, &c.rank);
  return c;
}

static int64_t bytes_of(int64_t count, MPI_Datatype type) {
  int size = 0;
  PMPI_Type_size(type, &size);
  return count * size;
}

static void add(_Atomic int64_t *to, int64_t number) {
  atomic_fetch_add_explicit(to, number, memory_order_relaxed);
}

static void count(ssne_call call, int64_t messages, int64_t sent, int64_t received) {
  add(&counted[call].calls, 1);
  add(&counted[call].messages, messages);
  add(&counted[call].bytes_sent, sent);
  add(&counted[call].bytes_received, received);
}

/* A call whose message, if it sends a byte, is one. */
static void count_one(ssne_call call, int64_t sent, int64_t received) {
  count(call, sent > 0, sent, received);
}

/* A message to or from one other rank. */
static void count_pair(ssne_call call, MPI_Comm comm, int partner, int64_t sent, int64_t received) {
  const circle c = circle_of(comm);
  if (c.ranks == 1 || partner == MPI_PROC_NULL || partner == c.rank) return;
  count_one(call, sent, received);
}

/* What counts[] says of all ranks but the calling one. */
static int64_t of_others(const circle *c, const int counts[]) {
  int64_t sum = 0;
  for (int r = 0; r < c->ranks; r++) sum += r == c->rank ? 0 : counts[r];
  return sum;
}

/* --- one to one ---------------------------------------------------------------------------- */

int MPI_Send(const void *data, int number, MPI_Datatype type, int to, int tag, MPI_Comm comm) {
  count_pair(SSNE_CALL_SEND, comm, to, bytes_of(number, type), 0);
  return PMPI_Send(data, number, type, to, tag, comm);
}

int MPI_Isend(const void *data, int number, MPI_Datatype type, int to, int tag, MPI_Comm comm,
              MPI_Request *request) {
  count_pair(SSNE_CALL_ISEND, comm, to, bytes_of(number, type), 0);
  return PMPI_Isend(data, number, type, to, tag, comm, request);
}

int MPI_Recv(void *data, int number, MPI_Datatype type, int from, int tag, MPI_Comm comm,
             MPI_Status *status) {
  count_pair(SSNE_CALL_RECV, comm, from, 0, bytes_of(number, type));
  return PMPI_Recv(data, number, type, from, tag, comm, status);
}

int MPI_Irecv(void *data, int number, MPI_Datatype type, int from, int tag, MPI_Comm comm,
              MPI_Request *request) {
  count_pair(SSNE_CALL_IRECV, comm, from, 0, bytes_of(number, type));
  return PMPI_Irecv(data, number, type, from, tag, comm, request);
}

/* --- from one, to one, along the ranks ----------------------------------------------------- */

int MPI_Bcast(void *data, int number, MPI_Datatype type, int root, MPI_Comm comm) {
  const circle c = circle_of(comm);
  const int64_t bytes = bytes_of(number, type);
  if (c.ranks > 1)
    count_one(SSNE_CALL_BCAST, c.rank == root ? bytes : 0, c.rank == root ? 0 : bytes);
  return PMPI_Bcast(data, number, type, root, comm);
}

int MPI_Reduce(const void *send, void *recv, int number, MPI_Datatype type, MPI_Op op, int root,
               MPI_Comm comm) {
  const circle c = circle_of(comm);
  const int64_t bytes = bytes_of(number, type);
  if (c.ranks > 1)
    count_one(SSNE_CALL_REDUCE, c.rank == root ? 0 : bytes, c.rank == root ? bytes : 0);
  return PMPI_Reduce(send, recv, number, type, op, root, comm);
}

int MPI_Exscan(const void *send, void *recv, int number, MPI_Datatype type, MPI_Op op,
               MPI_Comm comm) {
  const circle c = circle_of(comm);
  const int64_t bytes = bytes_of(number, type);
  if (c.ranks > 1)
    count_one(SSNE_CALL_EXSCAN, c.rank < c.ranks - 1 ? bytes : 0, c.rank > 0 ? bytes : 0);
  return PMPI_Exscan(send, recv, number, type, op, comm);
}

/* --- all together -------------------------------------------------------------------------- */

static void count_allreduce(ssne_call call, int number, MPI_Datatype type, MPI_Comm comm) {
  const int64_t bytes = bytes_of(number, type);
  if (circle_of(comm).ranks > 1) count_one(call, bytes, bytes);
}

int MPI_Allreduce(const void *send, void *recv, int number, MPI_Datatype type, MPI_Op op,
                  MPI_Comm comm) {
  count_allreduce(SSNE_CALL_ALLREDUCE, number, type, comm);
  return PMPI_Allreduce(send, recv, number, type, op, comm);
}

int MPI_Iallreduce(const void *send, void *recv, int number, MPI_Datatype type, MPI_Op op,
                   MPI_Comm comm, MPI_Request *request) {
  count_allreduce(SSNE_CALL_IALLREDUCE, number, type, comm);
  return PMPI_Iallreduce(send, recv, number, type, op, comm, request);
}

/* What is sent in place has no size of its own; that of what is received is the same. */
int MPI_Allgather(const void *send, int send_count, MPI_Datatype send_type, void *recv,
                  int recv_count, MPI_Datatype recv_type, MPI_Comm comm) {
  const circle c = circle_of(comm);
  const int64_t bytes = bytes_of(recv_count, recv_type);
  if (c.ranks > 1) count_one(SSNE_CALL_ALLGATHER, bytes, (c.ranks - 1) * bytes);
  return PMPI_Allgather(send, send_count, send_type, recv, recv_count, recv_type, comm);
}

int MPI_Allgatherv(const void *send, int send_count, MPI_Datatype send_type, void *recv,
                   const int recv_counts[], const int starts[], MPI_Datatype recv_type,
                   MPI_Comm comm) {
  const circle c = circle_of(comm);
  if (c.ranks > 1)
    count_one(SSNE_CALL_ALLGATHERV, bytes_of(recv_counts[c.rank], recv_type),
              bytes_of(of_others(&c, recv_counts), recv_type));
  return PMPI_Allgatherv(send, send_count, send_type, recv, recv_counts, starts, recv_type, comm);
}

int MPI_Alltoall(const void *send, int send_count, MPI_Datatype send_type, void *recv,
                 int recv_count, MPI_Datatype recv_type, MPI_Comm comm) {
  const circle c = circle_of(comm);
  const int64_t bytes = (c.ranks - 1) * bytes_of(recv_count, recv_type);
  if (c.ranks > 1) count(SSNE_CALL_ALLTOALL, bytes > 0 ? c.ranks - 1 : 0, bytes, bytes);
  return PMPI_Alltoall(send, send_count, send_type, recv, recv_count, recv_type, comm);
}

#endif
