/* From conditional to joint probabilities: p_j|i belongs to the rows at the places of both i and j,
 * and is brought to the owners of both. There each row is sorted by column, and the two terms of
 * a mutual pair, now side by side, are added: a sum of two does not depend on their order.
 *
 * Where a rank writes entries of its own it goes through rows in the order of their places, since
 * those of a row's neighbours are near its own: what is written for one row is still in the cache
 * for the next. What it sends it only reads, and does so as rows lie in memory.
 *
 * What makes it fit is that every step takes the place of the one before: p_j|i of the distances,
 * and P's values, half as wide, of the words they were sorted in. */
#include "affinity_kernels.h"

#include "shardsne/agree.h"
#include "shardsne/exact_sum.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/tsne.h"

#include <string.h>

/* Entries that are sent, and received, at a time: 32 MiB each. */
#define ROUND_ENTRIES (((int64_t)32 << 20) / (int64_t)sizeof(entry))
/* The rows of a round to begin with. */
#define ROUND_ROWS ((int64_t)1 << 16)

/* p of a pair of places, on its way to the owner of `row`. */
typedef struct entry {
  uint32_t row, column;
  float value;
} entry;

typedef struct build {
  const ssne_partition *p;
  ssne_neighbours *neighbours; /* whose distances become p_j|i */
  int threads;
  MPI_Comm comm;
  uint32_t *place;  /* [rows] of each row, or NULL: its own number */
  uint32_t *visit;  /* [own_rows] own rows by their places, or NULL: as they are */
  uint32_t *length; /* [rows] entries of the row at each place, in the end of own places alone */
  int64_t *slot;    /* [own_rows + 1] where each row's words begin, multiples of the padding */
  uint64_t *words;  /* [slot[own_rows]] column and value of each entry */
} build;

static uint32_t place_of(const build *b, int64_t row) {
  return b->place ? b->place[row] : (uint32_t)row;
}

/* The own row that is the i-th by its place. */
static int64_t visited(const build *b, int64_t i) {
  return b->visit ? b->visit[i] : i;
}

static int64_t padded(int64_t entries) {
  return (entries + SSNE_AFFINITY_PAD - 1) / SSNE_AFFINITY_PAD * SSNE_AFFINITY_PAD;
}

/* --- conditional probabilities ------------------------------------------------------------- */

/* p_j|i of own row r takes the place of its distances. `one` and `mean` [k] are working space. */
static void calibrate_row(const build *b, int64_t r, const double *perplexities, int64_t count,
                          float *one, double *mean) {
  const int64_t k = b->neighbours->k;
  float *distance = b->neighbours->distance + r * b->neighbours->stride;
  memset(mean, 0, (size_t)k * sizeof *mean);
  for (int64_t c = 0; c < count; c++) {
    ssne_perplexity_calibrate(distance, k, perplexities[c], one);
    for (int64_t n = 0; n < k; n++) mean[n] += (double)one[n];
  }
  for (int64_t n = 0; n < k; n++) distance[n] = (float)(mean[n] / (double)count);
}

static ssne_code calibrate(const build *b, const double *perplexities, int64_t count,
                           ssne_error *err) {
  const int64_t k = b->neighbours->k, rows = b->p->own_rows;
  float *one = NULL;
  double *mean = NULL;
  ssne_code code = ssne_alloc(&one, b->threads * k, sizeof *one, "probabilities", err);
  if (code == SSNE_OK) code = ssne_alloc(&mean, b->threads * k, sizeof *mean, "means", err);
  code = ssne_agree(b->comm, code, err);
  if (code == SSNE_OK) {
#pragma omp parallel for schedule(static, 1) num_threads(b->threads)
    for (int t = 0; t < b->threads; t++)
      for (int64_t r = ssne_share_begin(rows, b->threads, t);
           r < ssne_share_begin(rows, b->threads, t + 1); r++)
        calibrate_row(b, r, perplexities, count, one + t * k, mean + t * k);
  }
  ssne_free(&one);
  ssne_free(&mean);
  return code;
}

/* --- counting ------------------------------------------------------------------------------ */

/* So many more entries for the row at `place`; returns how many there were. Rows of different
 * threads meet in their neighbours. */
static uint32_t add(const build *b, uint32_t place, uint32_t entries) {
  uint32_t *length = &b->length[place], before = 0;
#pragma omp atomic capture
  {
    before = *length;
    *length += entries;
  }
  return before;
}

/* Neighbours of own row r whose p_j|i is not zero. */
static uint32_t count_present(const build *b, int64_t r) {
  const float *p = b->neighbours->distance + r * b->neighbours->stride;
  uint32_t present = 0;
  for (int64_t i = 0; i < b->neighbours->k; i++) present += p[i] > 0;
  return present;
}

/* Counts this rank's entries of the rows at all places. */
static void count_own(const build *b) {
  const ssne_neighbours *n = b->neighbours;
#pragma omp parallel for schedule(static) num_threads(b->threads)
  for (int64_t v = 0; v < b->p->own_rows; v++) {
    const int64_t r = visited(b, v);
    add(b, place_of(b, b->p->first_row + r), count_present(b, r));
    for (int64_t i = r * n->stride; i < r * n->stride + n->k; i++)
      if (n->distance[i] > 0) add(b, place_of(b, n->index[i]), 1);
  }
}

/* Every rank has counted for all places: their owners get the sums. Not in place: with a root other
 * than rank 0 that crashes MPICH 4.0. */
static ssne_code sum_lengths(const build *b, ssne_error *err) {
  enum { PIECE = 1 << 20 };
  if (b->p->ranks == 1) return SSNE_OK;
  uint32_t *sums = NULL;
  SSNE_TRY_ALL(b->comm, ssne_alloc(&sums, PIECE, sizeof *sums, "sums of counts", err), err);
  ssne_code code = SSNE_OK;
  for (int owner = 0; owner < b->p->ranks; owner++) {
    const int64_t end = ssne_partition_first_row(b->p, owner + 1);
    for (int64_t at = ssne_partition_first_row(b->p, owner); code == SSNE_OK && at < end;
         at += PIECE) {
      const int now = (int)(end - at < PIECE ? end - at : PIECE);
      code = ssne_mpi_check(
          MPI_Reduce(b->length + at, sums, now, MPI_UINT32_T, MPI_SUM, owner, b->comm),
          "MPI_Reduce", err);
      if (code == SSNE_OK && owner == b->p->rank)
        memcpy(b->length + at, sums, (size_t)now * sizeof *sums);
    }
  }
  ssne_free(&sums);
  return code;
}

/* Rows' slots, of whole vectors. `length` of own places returns to 0. */
static ssne_code allot(build *b, ssne_error *err) {
  uint32_t *own = b->length + b->p->first_row;
  SSNE_TRY(ssne_alloc(&b->slot, b->p->own_rows + 1, sizeof *b->slot, "rows of affinities", err));
  for (int64_t r = 0; r < b->p->own_rows; r++) {
    b->slot[r + 1] = b->slot[r] + padded(own[r]);
    own[r] = 0;
  }
  return ssne_alloc_in_large_pages(&b->words, b->slot[b->p->own_rows], sizeof *b->words,
                                   "affinities", err);
}

static ssne_code count(build *b, ssne_error *err) {
  count_own(b);
  SSNE_TRY(sum_lengths(b, err));
  return ssne_agree(b->comm, allot(b, err), err);
}

/* --- filling ------------------------------------------------------------------------------- */

/* Column and value in one word that sorts by column. */
static uint64_t word_of(uint32_t column, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return (uint64_t)column << 32 | bits;
}

static float value_of(uint64_t word) {
  const uint32_t bits = (uint32_t)word;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static uint64_t *words_of(const build *b, uint32_t place) {
  return b->words + b->slot[place - b->p->first_row];
}

static bool is_own(const build *b, uint32_t place) {
  return place >= b->p->first_row && place < b->p->first_row + b->p->own_rows;
}

/* This rank's own entries of its own places. Those of a row come in any order: it is sorted later.
 */
static void fill_own(const build *b) {
  const ssne_neighbours *n = b->neighbours;
#pragma omp parallel for schedule(static) num_threads(b->threads)
  for (int64_t v = 0; v < b->p->own_rows; v++) {
    const int64_t r = visited(b, v);
    const uint32_t own = place_of(b, b->p->first_row + r);
    uint64_t *to = is_own(b, own) ? words_of(b, own) + add(b, own, count_present(b, r)) : NULL;
    for (int64_t i = r * n->stride; i < r * n->stride + n->k; i++) {
      const float p = n->distance[i];
      if (!(p > 0)) continue;
      const uint32_t place = place_of(b, n->index[i]);
      if (to) *to++ = word_of(place, p);
      if (is_own(b, place)) words_of(b, place)[add(b, place, 1)] = word_of(own, p);
    }
  }
}

static void fill_received(const build *b, const entry *received, int64_t count) {
#pragma omp parallel for schedule(static) num_threads(b->threads)
  for (int64_t e = 0; e < count; e++)
    words_of(b, received[e].row)[add(b, received[e].row, 1)] =
        word_of(received[e].column, received[e].value);
}

/* --- sending ------------------------------------------------------------------------------- */

/* What goes between ranks in rounds of so many rows of each. */
typedef struct post {
  int64_t capacity;          /* entries that `out` and `in` have room for */
  entry *out, *in;           /* by rank */
  int64_t *leaving, *coming; /* [ranks] entries */
  int64_t *next;             /* [ranks] where in `out` the next goes; NULL while they are counted */
  int *owner;                /* [blocks] */
} post;

static void post_free(post *o) {
  ssne_free(&o->out);
  ssne_free(&o->in);
  ssne_free(&o->leaving);
  ssne_free(&o->owner);
}

static ssne_code post_create(const build *b, post *o, ssne_error *err) {
  const int64_t ranks = b->p->ranks, least = 2 * b->neighbours->k * ranks; /* a row of each */
  *o = (post){.capacity = ROUND_ENTRIES > least ? ROUND_ENTRIES : least};
  SSNE_TRY(ssne_alloc(&o->out, o->capacity, sizeof *o->out, "affinities to send", err));
  SSNE_TRY(ssne_alloc(&o->in, o->capacity, sizeof *o->in, "affinities to receive", err));
  SSNE_TRY(ssne_alloc(&o->leaving, 3 * ranks, sizeof *o->leaving, "ranks", err));
  SSNE_TRY(ssne_alloc(&o->owner, b->p->blocks, sizeof *o->owner, "blocks", err));
  o->coming = o->leaving + ranks;
  for (int64_t block = 0; block < b->p->blocks; block++)
    o->owner[block] = ssne_partition_owner(b->p, block * b->p->block_rows);
  return SSNE_OK;
}

static void send_entry(const build *b, post *o, uint32_t row, uint32_t column, float value) {
  const int owner = o->owner[row / b->p->block_rows];
  if (owner == b->p->rank) return;
  if (o->next)
    o->out[o->next[owner]++] = (entry){.row = row, .column = column, .value = value};
  else
    o->leaving[owner]++;
}

/* Sends, or with `next` NULL counts, what own rows begin ... end - 1 have for other ranks. */
static void send_rows(const build *b, post *o, int64_t begin, int64_t end) {
  const ssne_neighbours *n = b->neighbours;
  for (int64_t r = begin; r < end; r++) {
    const uint32_t own = place_of(b, b->p->first_row + r);
    for (int64_t i = r * n->stride; i < r * n->stride + n->k; i++) {
      if (!(n->distance[i] > 0)) continue;
      const uint32_t place = place_of(b, n->index[i]);
      send_entry(b, o, own, place, n->distance[i]);
      send_entry(b, o, place, own, n->distance[i]);
    }
  }
}

/* Counts a round's entries. The larger of what a rank sends and receives, and the rows left before
 * the round, each the most of any rank. */
static ssne_code plan_round(const build *b, post *o, int64_t begin, int64_t end, int64_t *most,
                            int64_t *rows_left, ssne_error *err) {
  const int ranks = b->p->ranks;
  int64_t out = 0, in = 0;
  memset(o->leaving, 0, (size_t)ranks * sizeof *o->leaving);
  o->next = NULL;
  send_rows(b, o, begin, end);
  SSNE_TRY(ssne_exchange_counts(o->leaving, o->coming, b->comm, err));
  o->next = o->coming + ranks;
  for (int r = 0; r < ranks; r++) {
    o->next[r] = out;
    out += o->leaving[r];
    in += o->coming[r];
  }
  int64_t all[2] = {out > in ? out : in, b->p->own_rows - begin};
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, all, 2, MPI_INT64_T, MPI_MAX, b->comm),
                          "MPI_Allreduce", err));
  *most = all[0];
  *rows_left = all[1];
  return SSNE_OK;
}

/* As many rounds on every rank. Where rows of all ranks have their neighbours on the same one,
 * rounds become shorter until that has room for them. */
static ssne_code run_rounds(const build *b, post *o, ssne_error *err) {
  int64_t begin = 0, round = ROUND_ROWS, most = 0, rows_left = 1;
  while (rows_left > 0) {
    const int64_t end = begin + round < b->p->own_rows ? begin + round : b->p->own_rows;
    SSNE_TRY(plan_round(b, o, begin, end, &most, &rows_left, err));
    if (most > o->capacity) {
      round = round > 1 ? round / 2 : 1;
      continue;
    }
    int64_t in = 0;
    for (int r = 0; r < b->p->ranks; r++) in += o->coming[r];
    send_rows(b, o, begin, end);
    SSNE_TRY(ssne_exchange(o->out, o->leaving, o->in, o->coming, sizeof *o->out, b->comm, err));
    fill_received(b, o->in, in);
    begin = end;
  }
  return SSNE_OK;
}

static ssne_code trade(const build *b, ssne_error *err) {
  post o = {0};
  if (b->p->ranks == 1) return SSNE_OK;
  ssne_code code = ssne_agree(b->comm, post_create(b, &o, err), err);
  if (code == SSNE_OK) code = run_rounds(b, &o, err);
  post_free(&o);
  return code;
}

/* --- merging ------------------------------------------------------------------------------- */

/* Sorts by column, `bits` of which are in use, in passes over 8 bits or less: from the least
 * significant, each keeping the order of the one before. `other` has room for as many. */
static void sort_row(uint64_t *words, int64_t count, int bits, uint64_t *other) {
  enum { MOST = 256 };
  const int passes = (bits + 7) / 8, digit = (bits + passes - 1) / passes, values = 1 << digit;
  uint64_t *from = words, *to = other;
  for (int pass = 0; pass < passes; pass++) {
    const int shift = 32 + pass * digit;
    const uint64_t mask = (uint64_t)values - 1;
    uint32_t next[MOST], total = 0;
    memset(next, 0, (size_t)values * sizeof *next);
    for (int64_t w = 0; w < count; w++) next[from[w] >> shift & mask]++;
    for (int v = 0; v < values; v++) {
      const uint32_t here = next[v];
      next[v] = total;
      total += here;
    }
    for (int64_t w = 0; w < count; w++) to[next[from[w] >> shift & mask]++] = from[w];
    uint64_t *swapped = from;
    from = to;
    to = swapped;
  }
  if (from != words) memcpy(words, from, (size_t)count * sizeof *words);
}

/* Adds up entries of equal column, of which there are at most two, and divides. What underflows in
 * the division is left out. Returns how many are left. */
static uint32_t merge_row(uint64_t *words, int64_t count, float divisor) {
  uint32_t left = 0;
  for (int64_t w = 0; w < count; w++) {
    const uint32_t column = (uint32_t)(words[w] >> 32);
    float value = value_of(words[w]);
    if (w + 1 < count && (uint32_t)(words[w + 1] >> 32) == column) value += value_of(words[++w]);
    if (value / divisor > 0) words[left++] = word_of(column, value / divisor);
  }
  return left;
}

static int bits_of(int64_t rows) {
  int bits = 1;
  while ((rows - 1) >> bits) bits++;
  return bits;
}

/* Sorts and merges own rows begin ... end - 1 within their slots. */
static ssne_code merge_range(const build *b, int64_t begin, int64_t end, ssne_error *err) {
  const float divisor = 2 * (float)b->p->rows;
  const int bits = bits_of(b->p->rows);
  uint32_t *length = b->length + b->p->first_row;
  uint64_t *space = NULL;
  int64_t longest = 0;
  for (int64_t r = begin; r < end; r++) longest = length[r] > longest ? length[r] : longest;
  SSNE_TRY(ssne_alloc(&space, longest, sizeof *space, "rows of affinities", err));
  for (int64_t r = begin; r < end; r++) {
    uint64_t *words = b->words + b->slot[r];
    sort_row(words, length[r], bits, space);
    length[r] = merge_row(words, length[r], divisor);
  }
  ssne_free(&space);
  return SSNE_OK;
}

/* Every row; `length` becomes what is left. A thread has room for the longest row of its own. */
static ssne_code merge(const build *b, ssne_error *err) {
  const int64_t rows = b->p->own_rows;
  ssne_code code = SSNE_OK;
#pragma omp parallel for schedule(static, 1) num_threads(b->threads)
  for (int t = 0; t < b->threads; t++) {
    ssne_error own;
    const ssne_code one = merge_range(b, ssne_share_begin(rows, b->threads, t),
                                      ssne_share_begin(rows, b->threads, t + 1), &own);
    if (one == SSNE_OK) continue;
#pragma omp critical(ssne_merge)
    {
      code = one;
      *err = own;
    }
  }
  return code;
}

/* Padded rows of columns, in an array of their own. */
static void lay_columns(const build *b, ssne_affinities *out) {
#pragma omp parallel for schedule(static) num_threads(b->threads)
  for (int64_t r = 0; r < b->p->own_rows; r++) {
    const uint64_t *words = b->words + b->slot[r];
    const int64_t length = b->length[b->p->first_row + r];
    uint32_t *column = out->column + out->start[r];
    for (int64_t e = 0; e < out->start[r + 1] - out->start[r]; e++)
      column[e] = e < length ? (uint32_t)(words[e] >> 32) : (uint32_t)(b->p->first_row + r);
  }
}

/* Padded rows of values, in the array of words itself: what is written lies before what is still to
 * be read. memcpy, since the array changes its type on the way. */
static void lay_values(const build *b, const ssne_affinities *out) {
  unsigned char *bytes = (unsigned char *)b->words;
  for (int64_t r = 0; r < b->p->own_rows; r++) {
    const int64_t length = b->length[b->p->first_row + r];
    for (int64_t e = 0; e < out->start[r + 1] - out->start[r]; e++) {
      uint64_t word = 0;
      if (e < length) memcpy(&word, bytes + (b->slot[r] + e) * (int64_t)sizeof word, sizeof word);
      const float value = value_of(word);
      memcpy(bytes + (out->start[r] + e) * (int64_t)sizeof value, &value, sizeof value);
    }
  }
}

static ssne_code lay_out(build *b, ssne_affinities *out, ssne_error *err) {
  const int64_t rows = b->p->own_rows;
  SSNE_TRY(merge(b, err));
  SSNE_TRY(ssne_alloc(&out->start, rows + 1, sizeof *out->start, "rows of affinities", err));
  for (int64_t r = 0; r < rows; r++)
    out->start[r + 1] = out->start[r] + padded(b->length[b->p->first_row + r]);
  SSNE_TRY(ssne_alloc(&out->column, out->start[rows], sizeof *out->column, "affinities", err));
  lay_columns(b, out);
  lay_values(b, out);
  SSNE_TRY(ssne_shrink(&b->words, out->start[rows], sizeof *out->value, "affinities", err));
  out->value = (void *)b->words; /* floats, by now */
  b->words = NULL;
  return SSNE_OK;
}

/* --- together ------------------------------------------------------------------------------ */

/* The constants of KL: within a row in a fixed order, exact across rows. */
static ssne_code sum_up(ssne_affinities *a, int threads, MPI_Comm comm, ssne_error *err) {
  enum { ENTROPY, SUM, SUMS };
  const affinity_kernels *kernels = affinity_kernels_at(ssne_simd_level());
  ssne_exact sums[SUMS] = {{{0}, 0}};
#pragma omp parallel num_threads(threads)
  {
    ssne_exact part[SUMS] = {{{0}, 0}};
#pragma omp for schedule(static)
    for (int64_t r = 0; r < a->partition.own_rows; r++) {
      const entropy_sums row =
          kernels->entropy(a->value + a->start[r], a->start[r + 1] - a->start[r]);
      ssne_exact_add(&part[ENTROPY], row.p_log_p);
      ssne_exact_add(&part[SUM], row.p);
    }
#pragma omp critical(ssne_affinities)
    for (int i = 0; i < SUMS; i++) ssne_exact_merge(&sums[i], &part[i]);
  }
  SSNE_TRY(ssne_exact_reduce(sums, SUMS, comm, err));
  a->entropy = ssne_exact_value(&sums[ENTROPY]);
  a->sum = ssne_exact_value(&sums[SUM]);
  return SSNE_OK;
}

static ssne_code prepare(build *b, const ssne_order *order, ssne_error *err) {
  SSNE_TRY(ssne_alloc(&b->length, b->p->rows, sizeof *b->length, "lengths of rows", err));
  if (!order->row) return SSNE_OK;
  SSNE_TRY(ssne_alloc(&b->place, b->p->rows, sizeof *b->place, "places", err));
  SSNE_TRY(ssne_alloc(&b->visit, b->p->own_rows, sizeof *b->visit, "rows by place", err));
  ssne_order_invert(order, b->place);
  for (int64_t p = 0, v = 0; p < b->p->rows; p++) {
    const int64_t own = (int64_t)order->row[p] - b->p->first_row;
    if (own >= 0 && own < b->p->own_rows) b->visit[v++] = (uint32_t)own;
  }
  return SSNE_OK;
}

/* Uses up the neighbours. */
static ssne_code distribute(build *b, const double *perplexities, int64_t perplexity_count,
                            ssne_error *err) {
  SSNE_TRY(calibrate(b, perplexities, perplexity_count, err));
  SSNE_TRY(count(b, err));
  fill_own(b);
  return trade(b, err);
}

static void build_free(build *b) {
  ssne_free(&b->place);
  ssne_free(&b->visit);
  ssne_free(&b->length);
  ssne_free(&b->slot);
  ssne_free(&b->words);
}

ssne_code ssne_affinities_build(ssne_neighbours *neighbours, const ssne_order *order,
                                const double *perplexities, int64_t count, int threads,
                                MPI_Comm comm, ssne_affinities *out, ssne_error *err) {
  const ssne_partition partition = neighbours->partition;
  build b = {.p = &partition, .neighbours = neighbours, .threads = threads, .comm = comm};
  *out = (ssne_affinities){.partition = partition};
  ssne_code code = ssne_agree(comm, prepare(&b, order, err), err);
  if (code == SSNE_OK) code = distribute(&b, perplexities, count, err);
  ssne_neighbours_free(neighbours);
  ssne_free(&b.place);
  ssne_free(&b.visit);
  if (code == SSNE_OK) code = ssne_agree(comm, lay_out(&b, out, err), err);
  if (code == SSNE_OK) code = sum_up(out, threads, comm, err);
  build_free(&b);
  if (code != SSNE_OK) ssne_affinities_free(out);
  return code;
}

void ssne_affinities_free(ssne_affinities *affinities) {
  ssne_free(&affinities->start);
  ssne_free(&affinities->column);
  ssne_free(&affinities->value);
}

void ssne_affinities_bytes(const ssne_partition *partition, int64_t k, int64_t *peak,
                           int64_t *after) {
  const int64_t entry_bytes = sizeof(uint32_t) + sizeof(float), index = sizeof(int64_t);
  const int64_t rows = partition->own_rows, everyone = 2 * (int64_t)sizeof(uint32_t);
  const int64_t buffers = partition->ranks > 1 ? 2 * ROUND_ENTRIES * (int64_t)sizeof(entry) : 0;
  /* before merging 2 k entries a row and half a vector of padding, afterwards about 1.5 k */
  const int64_t unmerged = padded(2 * k + SSNE_AFFINITY_PAD / 2) * entry_bytes;
  *after = rows * (padded(k + k / 2 + SSNE_AFFINITY_PAD / 2) * entry_bytes + index);
  *peak = rows * (k * entry_bytes + unmerged + index + (int64_t)sizeof(uint32_t)) +
          partition->rows * everyone + buffers;
}
