#include "shardsne/order.h"
#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <string.h>

#define PAIR (2 * (int64_t)sizeof(float))

void ssne_order_free(ssne_order *order) {
  ssne_free(&order->row);
}

void ssne_order_invert(const ssne_order *order, uint32_t *place) {
  for (int64_t p = 0; p < order->rows; p++)
    place[order->row ? order->row[p] : (uint32_t)p] = (uint32_t)p;
}

/* All ranks' pairs in `all` [rows, 2], on every rank. */
static ssne_code gather_all(const ssne_partition *p, MPI_Comm comm, const float *xy, float *all,
                            ssne_error *err) {
  memcpy(all + 2 * p->first_row, xy, (size_t)(p->own_rows * PAIR));
  for (int r = 0; r < p->ranks; r++) {
    const int64_t first = ssne_partition_first_row(p, r);
    SSNE_TRY(ssne_broadcast(all + 2 * first, (ssne_partition_first_row(p, r + 1) - first) * PAIR, r,
                            comm, err));
  }
  return SSNE_OK;
}

static ssne_code gather(const ssne_partition *p, MPI_Comm comm, const float *xy, float **all,
                        ssne_error *err) {
  SSNE_TRY_ALL(comm, ssne_alloc(all, p->rows, (size_t)PAIR, "coordinates", err), err);
  return gather_all(p, comm, xy, *all, err);
}

ssne_code ssne_order_to_places(const ssne_order *order, const ssne_partition *partition,
                               MPI_Comm comm, float *xy, ssne_error *err) {
  float *all = NULL;
  if (!order->row) return SSNE_OK;
  const ssne_code code = gather(partition, comm, xy, &all, err);
  for (int64_t p = 0; p < partition->own_rows && code == SSNE_OK; p++)
    memcpy(xy + 2 * p, all + 2 * (int64_t)order->row[partition->first_row + p], (size_t)PAIR);
  ssne_free(&all);
  return code;
}

ssne_code ssne_order_to_rows(const ssne_order *order, const ssne_partition *partition,
                             MPI_Comm comm, float *xy, ssne_error *err) {
  float *all = NULL;
  if (!order->row) return SSNE_OK;
  const ssne_code code = gather(partition, comm, xy, &all, err);
  for (int64_t p = 0; p < order->rows && code == SSNE_OK; p++) {
    const int64_t own = (int64_t)order->row[p] - partition->first_row;
    if (own >= 0 && own < partition->own_rows) memcpy(xy + 2 * own, all + 2 * p, (size_t)PAIR);
  }
  ssne_free(&all);
  return code;
}
