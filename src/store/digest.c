#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/partition.h"
#include "store_private.h"

typedef struct digesting {
  ssne_partition share; /* of the runs of rows */
  int64_t row_bytes;
  char *rows;      /* one run */
  uint64_t *own;   /* digests of this rank's runs */
  uint64_t *all;   /* of all runs, on rank 0 */
  int64_t *counts; /* runs of each rank, on rank 0 */
} digesting;

static ssne_code prepare(digesting *d, ssne_store *store, ssne_set set, ssne_error *err) {
  const ssne_set_shape *shape = &store->structure.sets[set].shape;
  if (!shape->exists)
    return ssne_fail(err, SSNE_FAILED, "%s has no %s", store->open_path, ssne_schema_of(set)->name);
  d->share = ssne_partition_make(shape->rows, SSNE_DIGEST_ROWS, store->ranks, store->rank);
  d->row_bytes = ssne_set_row_bytes(shape);
  const int64_t rows = shape->rows < SSNE_DIGEST_ROWS ? shape->rows : SSNE_DIGEST_ROWS;
  SSNE_TRY(ssne_alloc(&d->rows, rows, (size_t)d->row_bytes, "rows", err));
  SSNE_TRY(ssne_alloc(&d->own, d->share.own_blocks, sizeof *d->own, "digests", err));
  if (store->rank > 0) return SSNE_OK;
  SSNE_TRY(ssne_alloc(&d->all, d->share.blocks, sizeof *d->all, "digests", err));
  SSNE_TRY(ssne_alloc(&d->counts, store->ranks, sizeof *d->counts, "counts", err));
  for (int r = 0; r < store->ranks; r++)
    d->counts[r] =
        ssne_partition_first_block(&d->share, r + 1) - ssne_partition_first_block(&d->share, r);
  return SSNE_OK;
}

/* Not collective. */
static ssne_code digest_own(digesting *d, ssne_store *store, ssne_set set, ssne_error *err) {
  for (int64_t b = 0; b < d->share.own_blocks; b++) {
    const int64_t block = d->share.first_block + b;
    const int64_t rows = ssne_partition_block_length(&d->share, block);
    SSNE_TRY(ssne_store_read(store, set, block * SSNE_DIGEST_ROWS, rows, d->rows, err));
    d->own[b] = ssne_digest64(d->rows, (size_t)(rows * d->row_bytes));
  }
  return SSNE_OK;
}

ssne_code ssne_store_digest(ssne_store *store, ssne_set set, char text[SSNE_DIGEST_LENGTH],
                            ssne_error *err) {
  digesting d = {.rows = NULL};
  ssne_code code = ssne_agree(store->comm, prepare(&d, store, set, err), err);
  if (code == SSNE_OK) code = ssne_agree(store->comm, digest_own(&d, store, set, err), err);
  if (code == SSNE_OK)
    code = ssne_gather(d.own, d.share.own_blocks, d.all, d.counts, (int64_t)sizeof *d.own, 0,
                       store->comm, err);
  if (code == SSNE_OK) {
    if (store->rank == 0) ssne_digest_text(d.all, (size_t)d.share.blocks * sizeof *d.all, text);
    code = ssne_broadcast(text, SSNE_DIGEST_LENGTH, 0, store->comm, err);
  }
  ssne_free(&d.rows);
  ssne_free(&d.own);
  ssne_free(&d.all);
  ssne_free(&d.counts);
  return code;
}
