#include "work.h"

#include <math.h>

/* Queries that a block of candidates meets while it is at hand: SSNE_SEARCH_TILE. */
#define QUERIES_A_TILE 512
/* Of Newton's method for a row's bandwidth: 3.85 to 3.95 on average, over MNIST and normal
 * clusters, perplexities 10 to 50. */
#define NEWTON_STEPS 3.9

work work_of_search(double pairs, int64_t columns, double kept) {
  /* a product and a sum a column, then norm - 2 sum <= bound */
  return (work){.flops = pairs * (2 * (double)columns + 3),
                .bytes = pairs * 4 * ((double)columns + 1) / QUERIES_A_TILE + 8 * kept};
}

work work_of_affinities(double neighbours, int64_t perplexities, double entries) {
  const double exponent = 4; /* d^2, less the nearest's, times -beta, at least so much */
  const double exponential = 2 + 1 + 1 + 1 + 2 * 9 + 1;      /* exp_of */
  const double moments = exponent + exponential + 1 + 4;     /* w gap, w gap^2, three sums */
  const double probability = exponent + exponential + 1 + 1; /* a sum, a division */
  const double logarithm = 5 + 2 * 6 + 1 + 2 + 8; /* log_of: to s^2; polynomial; half; result */
  const double together = 1 + 1;                  /* p_j|i + p_i|j, and the division */
  return (work){
      .flops = neighbours *
                   ((double)perplexities * (NEWTON_STEPS * moments + probability) + 2 * together) +
               entries * (logarithm + 3), /* the entropy: p log p, two sums */
      /* distances and indices are read; two words an entry, i j and j i, are written, sorted where
       * they are, and read; P is written, and read for the entropy */
      .bytes = neighbours * (8 + 2 * (8 + 8 + 8)) + entries * (8 + 4)};
}

work work_of_attraction(double rows, double entries) {
  /* two differences, their squares' sum (3), times 1 / a, 1 +, p / it, times each, and two sums;
   * a column, a value and a point are read */
  return (work){.flops = 12 * entries, .bytes = 16 * entries + (8 + 4 + 8 + 8) * rows};
}

work work_of_divergence(double rows, double entries) {
  const double log1p = 3 + 2 * 8 + 10 + 3; /* log1p_of: u, f and z; the polynomial; y; the result */
  return (work){.flops = (2 + 3 + 1 + log1p + 2) * entries + rows,
                .bytes = 16 * entries + (8 + 4 + 8 + 8) * rows};
}

work work_of_pairs(double pairs) {
  /* two differences, their squares' sum (3), 1 +, 1 / it, its square, times each, and three sums */
  return (work){.flops = 13 * pairs, .bytes = 8 * pairs};
}

work work_of_spreading(double points, int order) {
  const double p = order;
  /* 2 p polynomials of degree p - 1, p weights scaled, p^2 products rounded up by 1/2; a point is
   * read, sorted as 16 bytes, read again, and its p^2 nodes are read and written */
  return (work){.flops = points * (2 * p * 2 * (p - 1) + p + 2 * p * p),
                .bytes = points * (8 + 16 + 16 + 8 * p * p)};
}

work work_of_gathering(double points, int order) {
  const double p = order;
  const double weights = 2 * p * (2 * (p - 1) + 2 * (p - 2));     /* and slopes */
  const double own = 2 * p * (2 * (2 * p - 2) + 2 * (2 * p - 3)); /* the point's own share */
  const double read = p * (2 + 4 * (p - 1) + 6);                  /* read_nodes, for each */
  return (work){.flops = points * (weights + own + 2 * read + 6),
                .bytes = points * (16 + 4 * p * p + 8 + 8)};
}

/* 5 n log2 n, as FFTW's authors count (Frigo & Johnson 2005), whatever the radices. */
static double transforms(double count, double length) {
  return count * 5 * length * log2(length);
}

work work_of_transform(double columns, double rows) {
  const double waves = rows + 8; /* of a real column of twice the rows, in bundles of eight */
  /* Two real columns are one sequence; there and back is one a column. Then, of all waves, a row of
   * twice the columns, there and back. The columns are told apart and put together again by four
   * additions a wave and a sequence; charges are scaled; waves are multiplied by the kernel. */
  return (work){.flops = transforms(columns, 2 * rows) + transforms(2 * waves, 2 * columns) +
                         2 * 4 * waves * columns / 2 + columns * rows + 4 * waves * columns,
                /* charges are read; waves written, read, written and read; the kernel is read;
                 * the potential is written, and moved to rows of nodes */
                .bytes = 16 * columns * rows + 4 * 8 * waves * columns + 4 * waves * (columns + 1)};
}

/* --- a rank's share ---------------------------------------------------------------------- */

static double share_of(const embedding *e) {
  return (double)e->partition.own_rows / (double)e->partition.rows;
}

static void add(const embedding *e, const char *stage, double times, work w) {
  ssne_stages_work(&e->j->stages, stage, times * w.flops, times * w.bytes);
}

void work_account_search(const embedding *e) {
  const double rows = (double)e->partition.rows;
  add(e, "neighbours", share_of(e),
      work_of_search(e->search.share * rows * rows, embedding_columns(e), rows * (double)e->k));
}

void work_account_affinities(const embedding *e) {
  const double rows = (double)e->partition.own_rows;
  add(e, "affinities", 1,
      work_of_affinities(rows * (double)e->k, e->j->options.embed.perplexity.count,
                         (double)e->affinities.start[e->partition.own_rows]));
}

void work_account_descent(const embedding *e) {
  const ssne_force_options *forces = &e->schedule.forces;
  const double rows = (double)e->partition.own_rows;
  const double entries = (double)e->affinities.start[e->partition.own_rows];
  const double evaluations = (double)e->state.evaluations;
  add(e, "attraction", evaluations, work_of_attraction(rows, entries));
  add(e, "attraction", (double)e->state.divergences, work_of_divergence(rows, entries));
  if (!ssne_force_uses_mesh(forces, e->partition.rows)) {
    if (!(forces->tail_df < 1) && !(forces->tail_df > 1)) /* others have no formula */
      add(e, "repulsion", evaluations, work_of_pairs(rows * (double)e->partition.rows));
    return;
  }
  /* one that is as wide as high, of as many nodes as theirs are on average; where ranks share it,
   * or each does all of it, it counts once */
  const double side = sqrt(e->state.mesh_nodes / evaluations);
  add(e, "  mesh transform", evaluations / e->partition.ranks, work_of_transform(side, side));
  add(e, "  mesh spread", evaluations, work_of_spreading(rows, forces->mesh_order));
  add(e, "  mesh gather", evaluations, work_of_gathering(rows, forces->mesh_order));
}
