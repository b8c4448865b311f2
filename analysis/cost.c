/* The cost model (cost.h) as numbers, and as traces for SimGrid's replay.
 *
 *   shardsne-cost --rows N --ranks R [--columns D] [--perplexity P] [--nodes M]
 *                 [--exchange near|all] [--straight 1] [--threads T]
 *                 [--latency S] [--bandwidth B] [--overhead S]
 *                 [--attraction F] [--points F] [--transform F] [--trace FILE --iterations I]
 *
 * Prints one JSON object: the items of an iteration with seconds, bytes and messages that a rank
 * receives (mean over ranks, and most), by the formulas. M: nodes of the mesh, else a run's mean;
 * S: seconds; B: bytes a second; F: how many times as long that takes as on the reference machine.
 * With --trace also writes FILE.R for each rank R and FILE, which names them: time-independent
 * traces in which an operation takes a nanosecond. */
#include "shardsne/cost.h"
#include "shardsne/tsne.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES "6" /* SimGrid's number of MPI_BYTE, and below of others by their size */
#define TAG_OF_BEGUN 99
#define TAG_OF_ITEM 100 /* and of those after it, one each */

typedef struct request {
  ssne_cost_problem problem;
  ssne_cost_machine machine;
  ssne_cost_network network;
  const char *trace;
  int64_t iterations, nodes;
  double perplexity;
} request;

/* Whether there is an option of that name with a number. */
static bool set_number(const char *name, double number, request *q) {
  ssne_cost_problem *p = &q->problem;
  ssne_cost_machine *m = &q->machine;
  if (!strcmp(name, "--rows"))
    p->rows = (int64_t)number;
  else if (!strcmp(name, "--ranks"))
    p->ranks = (int)fmin(number, 1e6);
  else if (!strcmp(name, "--threads"))
    p->threads = (int)fmin(number, 1e4);
  else if (!strcmp(name, "--columns"))
    p->columns = (int64_t)number;
  else if (!strcmp(name, "--nodes"))
    q->nodes = (int64_t)number;
  else if (!strcmp(name, "--perplexity"))
    q->perplexity = number;
  else if (!strcmp(name, "--straight"))
    p->straight = true;
  else if (!strcmp(name, "--latency"))
    q->network.latency = number;
  else if (!strcmp(name, "--bandwidth"))
    q->network.bandwidth = number;
  else if (!strcmp(name, "--overhead"))
    q->network.overhead = number;
  else if (!strcmp(name, "--attraction")) {
    m->entry *= number;
    m->entry_beyond *= number;
  } else if (!strcmp(name, "--points")) {
    m->point *= number;
    m->served *= number;
    m->cell *= number;
  } else if (!strcmp(name, "--transform"))
    m->node *= number;
  else if (!strcmp(name, "--iterations"))
    q->iterations = (int64_t)number;
  else
    return false;
  return true;
}

/* What follows from the rows and from the perplexity. */
static void complete(request *q) {
  const ssne_force_options forces = ssne_force_defaults();
  ssne_cost_problem *p = &q->problem;
  p->neighbours = (int64_t)(3 * q->perplexity);
  p->entries = ssne_cost_entries(p->rows, p->neighbours);
  if (ssne_force_uses_mesh(&forces, p->rows))
    p->nodes =
        q->nodes > 0 ? q->nodes : ssne_cost_mean_nodes(ssne_force_mesh_nodes(&forces, p->rows));
}

static bool read_options(request *q, int count, char **word) {
  for (int i = 1; i < count; i += 2) {
    if (i + 1 == count) return false;
    const char *name = word[i], *value = word[i + 1];
    const double number = strtod(value, NULL);
    if (!strcmp(name, "--exchange"))
      q->problem.how = !strcmp(value, "all") ? SSNE_COST_ALL : SSNE_COST_NEAR;
    else if (!strcmp(name, "--trace"))
      q->trace = value;
    else if (!(number > 0) || number > 1e12 || !set_number(name, number, q))
      return false;
  }
  complete(q);
  return q->problem.rows >= q->problem.ranks && q->problem.ranks > 0;
}

/* --- numbers --------------------------------------------------------------------------------- */

static json_t *tell_item(const request *q, const ssne_cost_item *item, double since) {
  double received = 0, messages = 0;
  int64_t most = 0, most_messages = 0;
  for (int r = 0; r < q->problem.ranks; r++) {
    const ssne_cost_load load = ssne_cost_received(&q->problem, item, r);
    received += (double)load.received / q->problem.ranks;
    messages += (double)load.messages / q->problem.ranks;
    if (load.received > most) most = load.received;
    if (load.messages > most_messages) most_messages = load.messages;
  }
  return json_pack("{s:s, s:i, s:f, s:f, s:I, s:f, s:I}", "stage", item->stage, "kind", item->kind,
                   "seconds", ssne_cost_seconds(&q->problem, &q->network, item, since),
                   "received_mean", received, "received_most", (json_int_t)most, "messages_mean",
                   messages, "messages_most", (json_int_t)most_messages);
}

static void tell(const request *q, const ssne_cost_item *items, int count) {
  const ssne_workers grid =
      ssne_cost_grid_choose(q->problem.nodes, q->problem.ranks, q->problem.threads);
  json_t *list = json_array();
  double since = 0;
  for (int i = 0; i < count; i++) {
    json_array_append_new(list, tell_item(q, &items[i], since));
    since += ssne_cost_seconds(&q->problem, &q->network, &items[i], since);
  }
  json_t *all =
      json_pack("{s:I, s:i, s:I, s:i, s:f, s:I, s:o}", "rows", (json_int_t)q->problem.rows, "ranks",
                q->problem.ranks, "nodes", (json_int_t)q->problem.nodes, "workers",
                grid.rows * grid.columns, "iteration_seconds", since, "window",
                (json_int_t)ssne_cost_window(&q->problem, -1), "items", list);
  json_dumpf(all, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
  putchar('\n');
  json_decref(all);
}

/* --- traces ---------------------------------------------------------------------------------- */

/* The messages of an item, nearest first: all that are received, then all that are sent, and, in
 * the same order, what waits for them. */
static void write_messages(FILE *file, const request *q, const ssne_cost_item *item, int rank,
                           int tag, bool wait) {
  const ssne_cost_problem *p = &q->problem;
  for (int turn = 0; turn < 2; turn++)
    for (int step = 1; step < p->ranks; step++) {
      const int other = (rank + step) % p->ranks;
      const int from = turn == 0 ? other : rank, to = turn == 0 ? rank : other;
      const int64_t bytes = ssne_cost_between(p, item, from, to);
      if (bytes == 0) continue;
      if (wait)
        fprintf(file, "%d wait %d %d %d\n", rank, from, to, tag);
      else
        fprintf(file, "%d %s %d %d %" PRId64 " " BYTES "\n", rank, turn == 0 ? "irecv" : "isend",
                other, tag, bytes);
    }
}

static void write_shares(FILE *file, const request *q, const ssne_cost_item *item) {
  for (int r = 0; r < q->problem.ranks; r++)
    fprintf(file, " %" PRId64, item->bytes / q->problem.ranks);
}

/* Bruck's algorithm, which MPI libraries choose where so little is sent, as messages. */
static void write_turns(FILE *file, const request *q, const ssne_cost_item *item, int rank,
                        int tag) {
  const int ranks = q->problem.ranks;
  for (int step = 1; step < ranks; step *= 2) {
    const int to = (rank + step) % ranks, from = (rank - step + ranks) % ranks;
    fprintf(file, "%d irecv %d %d %" PRId64 " " BYTES "\n", rank, from, tag,
            item->bytes * ranks / 2);
    fprintf(file, "%d isend %d %d %" PRId64 " " BYTES "\n", rank, to, tag, item->bytes * ranks / 2);
    fprintf(file, "%d wait %d %d %d\n", rank, from, rank, tag);
    fprintf(file, "%d wait %d %d %d\n", rank, rank, to, tag);
  }
}

static void write_item(FILE *file, const request *q, const ssne_cost_item *item, int rank,
                       int tag) {
  const double seconds = ssne_cost_compute(&q->problem, item, rank);
  switch (item->kind) {
  case SSNE_COST_COMPUTE:
    if (seconds > 0) fprintf(file, "%d compute %.0f\n", rank, 1e9 * seconds);
    break;
  case SSNE_COST_ALLREDUCE:
    fprintf(file, "%d allreduce %" PRId64 " 0 " BYTES "\n", rank, item->bytes);
    break;
  case SSNE_COST_ALLGATHERV:
    fprintf(file, "%d allgatherv %" PRId64, rank, item->bytes / q->problem.ranks);
    write_shares(file, q, item);
    fputs(" " BYTES " " BYTES "\n", file);
    break;
  case SSNE_COST_REDUCE_SCATTER:
    fprintf(file, "%d reducescatter", rank);
    write_shares(file, q, item);
    fputs(" 0 " BYTES "\n", file);
    break;
  case SSNE_COST_ALLTOALL:
    write_turns(file, q, item, rank, tag);
    break;
  case SSNE_COST_ALLTOALLV:
  case SSNE_COST_MESSAGES:
    write_messages(file, q, item, rank, tag, false);
    write_messages(file, q, item, rank, tag, true);
    break;
  case SSNE_COST_BEGIN:
    write_messages(file, q, item, rank, TAG_OF_BEGUN, false);
    break;
  case SSNE_COST_END:
    write_messages(file, q, item, rank, TAG_OF_BEGUN, true);
    break;
  }
}

static bool write_rank(const request *q, const ssne_cost_item *items, int count, int rank,
                       FILE *names) {
  char path[4096];
  snprintf(path, sizeof path, "%s.%d", q->trace, rank);
  fprintf(names, "%s\n", path);
  FILE *file = fopen(path, "w");
  if (!file) return false;
  fprintf(file, "%d init\n", rank);
  for (int64_t i = 0; i < q->iterations; i++)
    for (int item = 0; item < count; item++)
      write_item(file, q, &items[item], rank, TAG_OF_ITEM + item);
  fprintf(file, "%d finalize\n", rank);
  return fclose(file) == 0;
}

static bool write_trace(const request *q, const ssne_cost_item *items, int count) {
  FILE *names = fopen(q->trace, "w");
  bool good = names != NULL;
  for (int rank = 0; good && rank < q->problem.ranks; rank++)
    good = write_rank(q, items, count, rank, names);
  return names && fclose(names) == 0 && good;
}

int main(int count, char **word) {
  ssne_cost_item items[SSNE_COST_ITEMS];
  request q = {.problem = {.rows = 10000000,
                           .columns = 50,
                           .ranks = 1,
                           .threads = 1,
                           .how = SSNE_COST_NEAR,
                           .ghosts = -1},
               .machine = ssne_cost_reference(),
               .network = ssne_cost_fast_network(),
               .iterations = 3,
               .perplexity = 30};
  if (!read_options(&q, count, word)) {
    fprintf(stderr, "usage: shardsne-cost --rows N --ranks R [--columns D] [--perplexity P] "
                    "[--nodes M] [--exchange near|all] [--straight 1] [--threads T] "
                    "[--latency S] [--bandwidth B] [--overhead S] "
                    "[--attraction F] [--points F] [--transform F] "
                    "[--trace FILE --iterations I]; no more ranks than rows\n");
    return 2;
  }
  const int number = ssne_cost_iteration(&q.problem, &q.machine, items);
  tell(&q, items, number);
  if (!q.trace || write_trace(&q, items, number)) return 0;
  fprintf(stderr, "shardsne-cost: error: %s: cannot be written\n", q.trace);
  return 1;
}
