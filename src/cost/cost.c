#include "shardsne/cost.h"

#include <math.h>
#include <stddef.h>

ssne_cost_machine ssne_cost_reference(void) {
  return (ssne_cost_machine){.pair = 2.7e-11,
                             .affinity = 1.8e-7,
                             .exact = 0.25e-9,
                             .entry = 0.85e-9,
                             .entry_beyond = 1.32e-9,
                             .cache = 1048576,
                             .beyond = 2621440,
                             .point = 4.2e-8,
                             .served = 1.0e-8,
                             .node = 1.0e-8,
                             .cell = 2.0e-9,
                             .square = 8e-9,
                             .slice = 5e-8};
}

ssne_cost_network ssne_cost_fast_network(void) {
  return (ssne_cost_network){.latency = 2e-6, .bandwidth = 12.5e9, .overhead = 3e-7};
}

int64_t ssne_cost_entries(int64_t rows, int64_t neighbours) {
  return rows * neighbours / 2 * 3; /* of two rows one at least has the other: once or twice */
}

int64_t ssne_cost_mean_nodes(int64_t last) {
  return (int64_t)(0.37 * (double)last);
}

/* --- messages -------------------------------------------------------------------------------- */

static double compute_of(const ssne_cost_problem *p, const ssne_cost_item *item, int rank) {
  if (item->of_workers && !ssne_cost_is_worker(p, rank)) return 0;
  if (!item->of_windows) return item->seconds;
  return item->seconds * (double)ssne_cost_window(p, rank) / (double)ssne_cost_window(p, -1);
}

double ssne_cost_compute(const ssne_cost_problem *p, const ssne_cost_item *item, int rank) {
  return item->kind == SSNE_COST_COMPUTE ? compute_of(p, item, rank) : 0;
}

static ssne_cost_load load_of_route(const ssne_cost_problem *p, const ssne_cost_item *item,
                                    int rank, bool sent) {
  ssne_cost_load load = {0, 0};
  for (int other = 0; other < p->ranks; other++) {
    const int64_t bytes =
        sent ? ssne_cost_between(p, item, rank, other) : ssne_cost_between(p, item, other, rank);
    load.received += bytes;
    load.messages += bytes > 0;
  }
  return load;
}

ssne_cost_load ssne_cost_received(const ssne_cost_problem *p, const ssne_cost_item *item,
                                  int rank) {
  const int64_t others = p->ranks - 1, share = item->bytes / p->ranks;
  switch (item->kind) {
  case SSNE_COST_COMPUTE:
  case SSNE_COST_END:
    break;
  case SSNE_COST_ALLREDUCE:
    return (ssne_cost_load){item->bytes, 0};
  case SSNE_COST_ALLGATHERV:
    return (ssne_cost_load){others * share, 0};
  case SSNE_COST_REDUCE_SCATTER:
    return (ssne_cost_load){share, 0};
  case SSNE_COST_ALLTOALL:
    return (ssne_cost_load){others * item->bytes, 0};
  case SSNE_COST_ALLTOALLV:
  case SSNE_COST_MESSAGES:
  case SSNE_COST_BEGIN:
    return load_of_route(p, item, rank, false);
  }
  return (ssne_cost_load){0, 0};
}

/* The rank with most to send or to receive: every one is asked, up to so many. */
#define ASKED 64

static double route_seconds(const ssne_cost_problem *p, const ssne_cost_network *n,
                            const ssne_cost_item *item) {
  double most = 0;
  const int step = p->ranks > ASKED ? p->ranks / ASKED : 1;
  for (int rank = 0; rank < p->ranks; rank += step)
    for (int way = 0; way < 2; way++) {
      const ssne_cost_load load = load_of_route(p, item, rank, way == 1);
      const double seconds = (double)load.messages * 2 * n->overhead +
                             (double)load.received / n->bandwidth +
                             (load.messages > 0 ? n->latency : 0);
      if (seconds > most) most = seconds;
    }
  return most;
}

/* By the usual algorithms: doubling where what is sent is short, rings and halving where it is
 * long (Thakur, Rabenseifner & Gropp 2005). */
double ssne_cost_seconds(const ssne_cost_problem *p, const ssne_cost_network *n,
                         const ssne_cost_item *item, double since_begin) {
  const double turns = ceil(log2(p->ranks)), others = p->ranks - 1, bytes = (double)item->bytes;
  const double message = n->latency + 2 * n->overhead, part = others / p->ranks;
  switch (item->kind) {
  case SSNE_COST_COMPUTE:
    return item->seconds;
  case SSNE_COST_BEGIN:
    return 0;
  case SSNE_COST_ALLREDUCE:
    return fmin(turns * (message + bytes / n->bandwidth),
                2 * turns * message + 2 * part * bytes / n->bandwidth);
  case SSNE_COST_ALLGATHERV:
    return fmin(turns, others) * message + part * bytes / n->bandwidth;
  case SSNE_COST_REDUCE_SCATTER:
    return turns * message + part * bytes / n->bandwidth;
  case SSNE_COST_ALLTOALL:
    return turns * (message + (double)p->ranks * bytes / 2 / n->bandwidth);
  case SSNE_COST_ALLTOALLV:
  case SSNE_COST_MESSAGES:
    return route_seconds(p, n, item);
  case SSNE_COST_END:
    return fmax(0, route_seconds(p, n, item) - since_begin);
  }
  return 0;
}

double ssne_cost_iteration_seconds(const ssne_cost_problem *p, const ssne_cost_machine *m,
                                   const ssne_cost_network *n) {
  ssne_cost_item items[SSNE_COST_ITEMS];
  const int count = ssne_cost_iteration(p, m, items);
  double seconds = 0;
  for (int i = 0; i < count; i++) seconds += ssne_cost_seconds(p, n, &items[i], seconds);
  return seconds;
}

ssne_cost_run ssne_cost_run_seconds(const ssne_cost_problem *p, const ssne_cost_machine *m,
                                    const ssne_cost_network *n) {
  const double cores = (double)p->ranks * p->threads;
  const double rows = (double)p->rows;
  return (ssne_cost_run){
      .neighbours = p->pairs * (double)p->columns * m->pair / cores,
      .affinities = rows * (double)p->neighbours * m->affinity / cores,
      .descent = (double)p->iterations * ssne_cost_iteration_seconds(p, m, n),
  };
}
