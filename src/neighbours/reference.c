/* All pairs in the simplest way: what the other searches are tested against. */
#include "backend.h"
#include "distance_kernels.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

/* All ranks' rows on every rank. */
static ssne_code gather_rows(const ssne_search_task *task, float *all, ssne_error *err) {
  const ssne_partition *p = &task->rows->partition;
  const int64_t size = task->rows->stride * (int64_t)sizeof(float);
  memcpy((char *)all + p->first_row * size, task->rows->data, (size_t)(p->own_rows * size));
  for (int r = 0; r < p->ranks; r++) {
    const int64_t first = ssne_partition_first_row(p, r), end = ssne_partition_first_row(p, r + 1);
    SSNE_TRY(ssne_broadcast((char *)all + first * size, (end - first) * size, r, task->comm, err));
  }
  return SSNE_OK;
}

static void find_all(const ssne_search_task *task, const float *all, uint64_t *keys) {
  const distance_kernels *kernels = distance_kernels_at(ssne_simd_level());
  const ssne_partition *p = &task->rows->partition;
  const int64_t stride = task->rows->stride, k = task->options->k;
  for (int64_t q = 0; q < p->own_rows; q++) {
    const int64_t self = p->first_row + q;
    int64_t count = 0;
    for (int64_t c = 0; c < p->rows; c++)
      if (c != self)
        keys[count++] = ssne_key(
            kernels->squared_distance(all + self * stride, all + c * stride, stride), (uint32_t)c);
    ssne_keys_sort(keys, count);
    memcpy(task->best + q * k, keys, (size_t)k * sizeof *keys);
  }
}

static ssne_code allocate(const ssne_search_task *task, float **all, uint64_t **keys,
                          ssne_error *err) {
  const int64_t rows = task->rows->partition.rows;
  SSNE_TRY(ssne_alloc(all, rows * task->rows->stride, sizeof **all, "rows of all ranks", err));
  return ssne_alloc(keys, rows, sizeof **keys, "candidates", err);
}

static ssne_code find(const ssne_search_task *task, ssne_search_report *report, ssne_error *err) {
  float *all = NULL;
  uint64_t *keys = NULL;
  *report = (ssne_search_report){.search = SSNE_SEARCH_REFERENCE, .recall = 1, .share = 1};
  ssne_code code = ssne_agree(task->comm, allocate(task, &all, &keys, err), err);
  if (code == SSNE_OK) code = gather_rows(task, all, err);
  if (code == SSNE_OK) find_all(task, all, keys);
  ssne_free(&all);
  ssne_free(&keys);
  return code;
}

static int64_t bytes(const ssne_partition *p, int64_t columns, const ssne_search_options *o) {
  (void)o;
  return p->rows * (ssne_rows_stride(columns) * (int64_t)sizeof(float) + (int64_t)sizeof(uint64_t));
}

const ssne_search_backend ssne_search_reference = {
    .name = "reference", .wants_cells = false, .find = find, .bytes = bytes};
