#include "shardsne/partition.h"

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

ssne_partition ssne_partition_make(int64_t rows, int64_t block_rows, int ranks, int rank) {
  ssne_partition p = {.rows = rows, .block_rows = block_rows, .ranks = ranks, .rank = rank};
  p.blocks = rows / block_rows + (rows % block_rows != 0);
  p.first_block = ssne_partition_first_block(&p, rank);
  p.own_blocks = ssne_partition_first_block(&p, rank + 1) - p.first_block;
  p.first_row = ssne_partition_first_row(&p, rank);
  p.own_rows = ssne_partition_first_row(&p, rank + 1) - p.first_row;
  return p;
}

int64_t ssne_partition_first_block(const ssne_partition *p, int rank) {
  return ssne_share_begin(p->blocks, p->ranks, rank);
}

int64_t ssne_partition_first_row(const ssne_partition *p, int rank) {
  return least(ssne_partition_first_block(p, rank) * p->block_rows, p->rows);
}

void ssne_partition_counts(const ssne_partition *p, int64_t *counts) {
  for (int r = 0; r < p->ranks; r++)
    counts[r] = ssne_partition_first_row(p, r + 1) - ssne_partition_first_row(p, r);
}

int ssne_partition_owner(const ssne_partition *p, int64_t row) {
  const int64_t block = row / p->block_rows;
  int low = 0, high = p->ranks - 1; /* the last rank whose first block is not beyond `block` */
  while (low < high) {
    const int middle = low + (high - low + 1) / 2;
    if (ssne_partition_first_block(p, middle) <= block)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

int64_t ssne_partition_block_length(const ssne_partition *p, int64_t block) {
  return least(p->block_rows, p->rows - block * p->block_rows);
}
