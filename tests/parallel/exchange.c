/* Exchanges: every element arrives once, in order, where it should; some shares are empty. */
#include "check.h"

#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <stdbool.h>

/* How many elements rank `from` has for rank `to`. */
static int64_t amount(int from, int to) {
  return (from * 7 + to * 3) % 5 * 100 * ((from + to) % 3);
}

static int64_t element(int from, int to, int64_t i) {
  return from * 1000000 + to * 10000 + i;
}

static void test_exchange(int rank, int ranks) {
  int64_t out_counts[8] = {0}, in_counts[8] = {0}, total_out = 0, total_in = 0;
  int64_t *out = NULL, *in = NULL;
  ssne_error err;
  for (int r = 0; r < ranks; r++) total_out += out_counts[r] = amount(rank, r);
  CHECK_OK(ssne_exchange_counts(out_counts, in_counts, MPI_COMM_WORLD, &err), &err);
  for (int r = 0; r < ranks; r++) {
    CHECK(in_counts[r] == amount(r, rank));
    total_in += in_counts[r];
  }
  CHECK_OK(ssne_alloc(&out, total_out, sizeof *out, "elements", &err), &err);
  CHECK_OK(ssne_alloc(&in, total_in, sizeof *in, "elements", &err), &err);
  int64_t place = 0;
  for (int r = 0; r < ranks; r++)
    for (int64_t i = 0; i < out_counts[r]; i++) out[place++] = element(rank, r, i);
  CHECK_OK(ssne_exchange(out, out_counts, in, in_counts, sizeof *in, MPI_COMM_WORLD, &err), &err);
  place = 0;
  for (int r = 0; r < ranks; r++)
    for (int64_t i = 0; i < in_counts[r]; i++) CHECK(in[place++] == element(r, rank, i));
  ssne_free(&out);
  ssne_free(&in);
}

static void test_scatter_and_gather(int rank, int ranks) {
  int64_t counts[8] = {0}, total = 0, *all = NULL, *back = NULL, own[400];
  ssne_error err;
  for (int r = 0; r < ranks; r++) total += counts[r] = amount(r, 1) / 4;
  CHECK_OK(ssne_alloc(&all, total, sizeof *all, "elements", &err), &err);
  CHECK_OK(ssne_alloc(&back, total, sizeof *back, "elements", &err), &err);
  for (int64_t i = 0; i < total && rank == 0; i++) all[i] = 5 * i;
  CHECK_OK(ssne_scatter(all, counts, own, counts[rank], 8, 0, MPI_COMM_WORLD, &err), &err);
  int64_t first = 0;
  for (int r = 0; r < rank; r++) first += counts[r];
  for (int64_t i = 0; i < counts[rank]; i++) CHECK(own[i] == 5 * (first + i));
  CHECK_OK(ssne_gather(own, counts[rank], back, counts, 8, 0, MPI_COMM_WORLD, &err), &err);
  for (int64_t i = 0; i < total && rank == 0; i++) CHECK(back[i] == 5 * i);
  ssne_free(&all);
  ssne_free(&back);
}

/* Parts of work, of which the first lets the other ranks send. */
typedef struct chore {
  int done, most, ranks;
} chore;

static bool do_part(void *context) {
  chore *c = context;
  if (c->done == c->most) return false;
  for (int r = 1; r < c->ranks && c->done == 0; r++)
    CHECK(MPI_Send(&c->done, 1, MPI_INT, r, 5, MPI_COMM_WORLD) == MPI_SUCCESS);
  c->done++;
  return true;
}

/* Rank 0 waits for messages that are sent only once it has worked meanwhile. */
static void test_meanwhile(int rank, int ranks, int most) {
  enum { LENGTH = 100000 };
  static int64_t mine[LENGTH], from[8][LENGTH];
  chore c = {.most = most, .ranks = ranks};
  ssne_meanwhile meanwhile = {.work = do_part, .context = &c};
  ssne_messages messages;
  ssne_error err;
  int go = 0;
  for (int64_t i = 0; i < LENGTH; i++) mine[i] = element(rank, 0, i);
  CHECK(ranks <= 8);
  CHECK_OK(ssne_messages_create(MPI_COMM_WORLD, 3, rank == 0 ? &meanwhile : NULL, &messages, &err),
           &err);
  for (int r = 1; r < ranks && rank == 0; r++)
    CHECK_OK(ssne_messages_receive(&messages, from[r], LENGTH, MPI_INT64_T, r, &err), &err);
  if (rank > 0) {
    CHECK(MPI_Recv(&go, 1, MPI_INT, 0, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE) == MPI_SUCCESS);
    CHECK_OK(ssne_messages_send(&messages, mine, LENGTH, MPI_INT64_T, 0, &err), &err);
  }
  CHECK_OK(ssne_messages_wait(&messages, &err), &err);
  CHECK(rank > 0 || ranks == 1 ? c.done == 0 : c.done >= 1 && c.done <= most);
  for (int r = 1; r < ranks && rank == 0; r++)
    for (int64_t i = 0; i < LENGTH; i++) CHECK(from[r][i] == element(r, 0, i));
  ssne_messages_free(&messages);
}

int main(int argc, char **argv) {
  int rank = 0, ranks = 1;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  test_exchange(rank, ranks);
  test_scatter_and_gather(rank, ranks);
  test_meanwhile(rank, ranks, 1);       /* all of it is done before the messages are there */
  test_meanwhile(rank, ranks, 1 << 30); /* and they are there before all of it is */
  MPI_Finalize();
  return check_result();
}
