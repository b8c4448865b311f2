/* Traffic: each kind of call with counts that are known, on all ranks and on one alone. */
#include "check.h"

#include "shardsne/traffic.h"

#include <string.h>

enum { MOST = 8, ROOM = 4096 };

typedef struct scene {
  int rank, ranks;
  MPI_Comm comm;
  ssne_traffic before;
} scene;

static double from[ROOM], into[ROOM];

static void begin(scene *s) {
  ssne_traffic_now(&s->before);
}

/* That since begin() `call` and no other has counted, and what. */
static void expect(const scene *s, ssne_call call, int64_t calls, int64_t messages, int64_t sent,
                   int64_t received) {
  static const ssne_call_traffic none;
  ssne_traffic now;
  ssne_traffic_now(&now);
  const ssne_traffic found = ssne_traffic_between(&s->before, &now);
  for (int c = 0; c < SSNE_CALLS; c++)
    if (c != (int)call || s->ranks == 1) CHECK(memcmp(&found.of[c], &none, sizeof none) == 0);
  if (s->ranks == 1) return;
  const ssne_call_traffic *t = &found.of[call];
  CHECK_NEAR((double)t->calls, (double)calls, 0);
  CHECK_NEAR((double)t->messages, (double)messages, 0);
  CHECK_NEAR((double)t->bytes_sent, (double)sent, 0);
  CHECK_NEAR((double)t->bytes_received, (double)received, 0);
}

/* Every other rank sends to the next: those without a next, and to itself, count nothing. */
static void test_messages(scene *s) {
  const bool sends = s->rank % 2 == 0 && s->rank + 1 < s->ranks, receives = s->rank % 2 == 1;
  MPI_Request request = MPI_REQUEST_NULL, own = MPI_REQUEST_NULL;
  begin(s);
  if (sends) MPI_Send(from, 5, MPI_INT64_T, s->rank + 1, 1, s->comm);
  if (receives) MPI_Recv(into, 5, MPI_INT64_T, s->rank - 1, 1, s->comm, MPI_STATUS_IGNORE);
  expect(s, receives ? SSNE_CALL_RECV : SSNE_CALL_SEND, sends || receives, sends, 40 * sends,
         40 * receives);

  begin(s);
  if (sends) MPI_Isend(from, 7, MPI_INT, s->rank + 1, 1, s->comm, &request);
  if (receives) MPI_Irecv(into, 7, MPI_INT, s->rank - 1, 1, s->comm, &request);
  MPI_Irecv(into + 100, 1, MPI_INT, s->rank, 2, s->comm, &own);
  MPI_Send(from, 1, MPI_INT, s->rank, 2, s->comm);
  MPI_Wait(&own, MPI_STATUS_IGNORE);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  expect(s, receives ? SSNE_CALL_IRECV : SSNE_CALL_ISEND, sends || receives, sends, 28 * sends,
         28 * receives);
}

static void test_roots(scene *s) {
  const int root = s->ranks - 1;
  const bool is = s->rank == root;
  begin(s);
  MPI_Bcast(from, 9, MPI_FLOAT, root, s->comm);
  MPI_Bcast(from, 0, MPI_FLOAT, root, s->comm);
  expect(s, SSNE_CALL_BCAST, 2, is, is ? 36 : 0, is ? 0 : 36);
  begin(s);
  MPI_Reduce(from, into, 3, MPI_DOUBLE, MPI_SUM, root, s->comm);
  expect(s, SSNE_CALL_REDUCE, 1, !is, is ? 0 : 24, is ? 24 : 0);
  begin(s);
  MPI_Exscan(from, into, 3, MPI_DOUBLE, MPI_SUM, s->comm);
  expect(s, SSNE_CALL_EXSCAN, 1, !is, is ? 0 : 24, s->rank > 0 ? 24 : 0);
}

static void test_all(scene *s) {
  int counts[MOST] = {0}, starts[MOST] = {0}, others = 0, total = 0;
  MPI_Request request;
  for (int r = 0; r < s->ranks; r++) { /* the first has nothing */
    counts[r] = 2 * r;
    starts[r] = total;
    total += counts[r];
  }
  others = total - counts[s->rank];
  begin(s);
  MPI_Allreduce(MPI_IN_PLACE, into, 11, MPI_INT64_T, MPI_SUM, s->comm);
  MPI_Allreduce(from, into, 1, MPI_INT, MPI_MAX, s->comm);
  expect(s, SSNE_CALL_ALLREDUCE, 2, 2, 92, 92);
  begin(s);
  MPI_Iallreduce(from, into, 4, MPI_INT64_T, MPI_SUM, s->comm, &request);
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  expect(s, SSNE_CALL_IALLREDUCE, 1, 1, 32, 32);
  begin(s);
  MPI_Allgather(from, 3, MPI_FLOAT, into, 3, MPI_FLOAT, s->comm);
  MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, into, 3, MPI_FLOAT, s->comm);
  expect(s, SSNE_CALL_ALLGATHER, 2, 2, 24, 24 * (s->ranks - 1));
  begin(s);
  MPI_Allgatherv(from, counts[s->rank], MPI_DOUBLE, into, counts, starts, MPI_DOUBLE, s->comm);
  expect(s, SSNE_CALL_ALLGATHERV, 1, s->rank > 0, 8 * counts[s->rank], 8 * others);
}

static void test_exchange(scene *s) {
  const int64_t others = s->ranks - 1;
  begin(s);
  MPI_Alltoall(from, 2, MPI_INT64_T, into, 2, MPI_INT64_T, s->comm);
  MPI_Alltoall(from, 0, MPI_INT64_T, into, 0, MPI_INT64_T, s->comm);
  expect(s, SSNE_CALL_ALLTOALL, 2, others, 16 * others, 16 * others);
}

/* The bytes sent by all kinds are what the kinds have sent. */
static void test_sum(void) {
  ssne_traffic now;
  int64_t sum = 0;
  ssne_traffic_now(&now);
  for (int c = 0; c < SSNE_CALLS; c++) {
    sum += now.of[c].bytes_sent;
    CHECK(strncmp(ssne_call_name((ssne_call)c), "MPI_", 4) == 0);
  }
  CHECK(sum == ssne_traffic_sent());
}

int main(int argc, char **argv) {
  scene world = {.comm = MPI_COMM_WORLD}, self = {.comm = MPI_COMM_SELF, .ranks = 1};
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(world.comm, &world.rank);
  MPI_Comm_size(world.comm, &world.ranks);
  scene *const scenes[] = {&world, &self};
  for (int i = 0; i < 2; i++) {
    test_messages(scenes[i]);
    test_roots(scenes[i]);
    test_all(scenes[i]);
    test_exchange(scenes[i]);
  }
  test_sum();
  MPI_Finalize();
  return check_result();
}
