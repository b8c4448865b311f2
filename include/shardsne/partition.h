/* Who owns which rows.
 *
 * The rows 0 ... rows - 1 are cut into blocks of a fixed size (the last may be shorter). A rank
 * owns a contiguous run of whole blocks, as even as whole blocks allow; with fewer blocks than
 * ranks some own none. Everything computed a block at a time therefore does not depend on the
 * number of ranks. */
#ifndef SHARDSNE_PARTITION_H
#define SHARDSNE_PARTITION_H

#include <stdint.h>

typedef struct ssne_partition {
  int64_t rows;       /* in all */
  int64_t block_rows; /* rows of a block, but the last's */
  int64_t blocks;     /* in all */
  int ranks;          /* among which the blocks are shared */
  int rank;           /* the one the four members below are for */
  int64_t first_block, own_blocks;
  int64_t first_row, own_rows;
} ssne_partition;

/* Where part `part` of `count` >= 0 things begins that are shared out among `parts` as evenly as
 * may be, to none more than to the first; `part` may equal `parts`, which gives the end. Nothing
 * overflows. */
static inline int64_t ssne_share_begin(int64_t count, int parts, int part) {
  /* count * part / parts, rounded up, without the product, which could overflow */
  return count / parts * part + (count % parts * part + parts - 1) / parts;
}

/* Some of a communicator's ranks, the workers, as a grid. */
typedef struct ssne_workers {
  int rows, columns;
} ssne_workers;

/* Workers are spread evenly over the ranks: those before `rank`, which may equal `ranks`. */
static inline int ssne_workers_before(ssne_workers grid, int ranks, int rank) {
  return (int)ssne_share_begin((int64_t)grid.rows * grid.columns, ranks, rank);
}

/* The partition of `rows` >= 0 rows into blocks of `block_rows` >= 1 for `rank` of `ranks`. */
ssne_partition ssne_partition_make(int64_t rows, int64_t block_rows, int ranks, int rank);

/* First block and first row of any rank; `rank` may equal p->ranks, which gives the ends. */
int64_t ssne_partition_first_block(const ssne_partition *p, int rank);
int64_t ssne_partition_first_row(const ssne_partition *p, int rank);

/* counts[r] = rows of rank r, of all ranks. */
void ssne_partition_counts(const ssne_partition *p, int64_t *counts);

/* The rank that owns `row`, 0 <= row < rows. */
int ssne_partition_owner(const ssne_partition *p, int64_t row);

/* Rows of block `block`, 0 <= block < blocks. */
int64_t ssne_partition_block_length(const ssne_partition *p, int64_t block);

#endif
