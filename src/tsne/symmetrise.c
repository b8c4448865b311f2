/* From conditional to joint probabilities: p_ij needs p_i|j, which the owner of row j has. Each
 * rank sends every p_j|i of its rows to the owner of row j, merges what it receives with its own,
 * and adds the two where both are there. A sum of two terms does not depend on their order. */
#include "shardsne/agree.h"
#include "shardsne/exact_sum.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/tsne.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* p_row|column, on its way to the owner of `row`. */
typedef struct entry {
  uint32_t row, column;
  float value;
} entry;

typedef struct build {
  const ssne_partition *p;
  const uint32_t *index; /* [own_rows, k] */
  const float *distance; /* [own_rows, k] */
  int64_t k;
  int threads;
  MPI_Comm comm;
  float *conditional; /* [own_rows, k] */
  entry *received;
  int64_t received_count;
} build;

static void calibrate(build *b, double perplexity) {
#pragma omp parallel for schedule(static) num_threads(b->threads)
  for (int64_t r = 0; r < b->p->own_rows; r++)
    ssne_perplexity_calibrate(b->distance + r * b->k, b->k, perplexity, b->conditional + r * b->k);
}

/* Counts, by owner, the entries that leave this rank; those whose p has underflowed to 0 do not. */
static void count_leaving(const build *b, int64_t *counts) {
  for (int64_t e = 0; e < b->p->own_rows * b->k; e++)
    if (b->conditional[e] > 0) counts[ssne_partition_owner(b->p, b->index[e])]++;
}

/* Lays the entries out by owner; place[r] is where the next for rank r goes. */
static void pack(const build *b, int64_t *place, entry *leaving) {
  for (int64_t e = 0; e < b->p->own_rows * b->k; e++) {
    if (!(b->conditional[e] > 0)) continue;
    const int owner = ssne_partition_owner(b->p, b->index[e]);
    leaving[place[owner]++] = (entry){.row = b->index[e],
                                      .column = (uint32_t)(b->p->first_row + e / b->k),
                                      .value = b->conditional[e]};
  }
}

static ssne_code swap_entries(build *b, int64_t *counts, ssne_error *err) {
  const int ranks = b->p->ranks;
  int64_t *leaving_counts = counts, *coming_counts = counts + ranks,
          *place = counts + 2 * (int64_t)ranks;
  entry *leaving = NULL;
  count_leaving(b, leaving_counts);
  int64_t total = 0;
  for (int r = 0; r < ranks; r++) {
    place[r] = total;
    total += leaving_counts[r];
  }
  SSNE_TRY(ssne_exchange_counts(leaving_counts, coming_counts, b->comm, err));
  for (int r = 0; r < ranks; r++) b->received_count += coming_counts[r];
  ssne_code code = ssne_alloc(&leaving, total, sizeof *leaving, "affinities to send", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&b->received, b->received_count, sizeof *b->received, "affinities to receive",
                      err);
  code = ssne_agree(b->comm, code, err);
  if (code == SSNE_OK) {
    pack(b, place, leaving);
    code = ssne_exchange(leaving, leaving_counts, b->received, coming_counts, sizeof *leaving,
                         b->comm, err);
  }
  ssne_free(&leaving);
  return code;
}

static ssne_code transpose(build *b, ssne_error *err) {
  int64_t *counts = NULL;
  SSNE_TRY_ALL(b->comm, ssne_alloc(&counts, 3 * (int64_t)b->p->ranks, sizeof *counts, "ranks", err),
               err);
  const ssne_code code = swap_entries(b, counts, err);
  ssne_free(&counts);
  return code;
}

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

static int by_word(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Own and received entries of each row side by side, not yet sorted: words[start[r] ...]. */
static void gather_words(const build *b, int64_t *start, uint64_t *words) {
  const int64_t rows = b->p->own_rows, first = b->p->first_row;
  for (int64_t e = 0; e < rows * b->k; e++) start[e / b->k + 1] += b->conditional[e] > 0;
  for (int64_t e = 0; e < b->received_count; e++) start[b->received[e].row - first + 1]++;
  for (int64_t r = 0; r < rows; r++) start[r + 1] += start[r];
  /* start[r] serves as the place of row r's next word, and is moved back afterwards */
  for (int64_t e = 0; e < rows * b->k; e++)
    if (b->conditional[e] > 0) words[start[e / b->k]++] = word_of(b->index[e], b->conditional[e]);
  for (int64_t e = 0; e < b->received_count; e++)
    words[start[b->received[e].row - first]++] =
        word_of(b->received[e].column, b->received[e].value);
  for (int64_t r = rows; r > 0; r--) start[r] = start[r - 1];
  start[0] = 0;
}

/* Sorts row r's words and adds those of equal column; returns how many are left. */
static int64_t merge_row(uint64_t *words, int64_t count) {
  qsort(words, (size_t)count, sizeof *words, by_word);
  int64_t left = 0;
  for (int64_t w = 0; w < count; w++) {
    const uint32_t column = (uint32_t)(words[w] >> 32);
    if (left > 0 && (uint32_t)(words[left - 1] >> 32) == column)
      words[left - 1] = word_of(column, value_of(words[left - 1]) + value_of(words[w]));
    else
      words[left++] = words[w];
  }
  return left;
}

/* Merges every row and closes the gaps. `left` [own_rows] is working space. */
static void merge_rows(const build *b, int64_t *start, uint64_t *words, int64_t *left) {
  const int64_t rows = b->p->own_rows;
#pragma omp parallel for schedule(dynamic, 64) num_threads(b->threads)
  for (int64_t r = 0; r < rows; r++) left[r] = merge_row(words + start[r], start[r + 1] - start[r]);
  int64_t end = 0;
  for (int64_t r = 0; r < rows; r++) {
    memmove(words + end, words + start[r], (size_t)left[r] * sizeof *words);
    start[r] = end;
    end += left[r];
  }
  start[rows] = end;
}

static ssne_code fill_rows(const build *b, ssne_affinities *out, uint64_t *words, int64_t *left,
                           ssne_error *err) {
  gather_words(b, out->start, words);
  merge_rows(b, out->start, words, left);
  const int64_t count = out->start[b->p->own_rows];
  SSNE_TRY(ssne_alloc(&out->column, count, sizeof *out->column, "affinities", err));
  SSNE_TRY(ssne_alloc(&out->value, count, sizeof *out->value, "affinities", err));
  const float divisor = 2 * (float)b->p->rows;
  for (int64_t e = 0; e < count; e++) {
    out->column[e] = (uint32_t)(words[e] >> 32);
    out->value[e] = value_of(words[e]) / divisor;
  }
  return SSNE_OK;
}

static ssne_code merge(const build *b, ssne_affinities *out, ssne_error *err) {
  const int64_t rows = b->p->own_rows;
  uint64_t *words = NULL;
  int64_t *left = NULL;
  ssne_code code = ssne_alloc(&out->start, rows + 1, sizeof *out->start, "row starts", err);
  if (code == SSNE_OK) code = ssne_alloc(&left, rows, sizeof *left, "row lengths", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&words, rows * b->k + b->received_count, sizeof *words, "affinities", err);
  if (code == SSNE_OK) code = fill_rows(b, out, words, left, err);
  ssne_free(&words);
  ssne_free(&left);
  return ssne_agree(b->comm, code, err);
}

/* The constants of KL, as exact sums over blocks' entries. */
static ssne_code sum_up(ssne_affinities *a, MPI_Comm comm, ssne_error *err) {
  enum { ENTROPY, SUM, SUMS };
  ssne_exact sums[SUMS] = {{{0}, 0}};
  for (int64_t r = 0; r < a->partition.own_rows; r++) {
    for (int64_t e = a->start[r]; e < a->start[r + 1]; e++) {
      const double p = (double)a->value[e];
      if (!(p > 0)) continue; /* it underflowed */
      ssne_exact_add(&sums[ENTROPY], p * log(p));
      ssne_exact_add(&sums[SUM], p);
    }
    for (int i = 0; i < SUMS; i++) ssne_exact_normalise(&sums[i]); /* entries may pass 2^31 */
  }
  SSNE_TRY(ssne_exact_reduce(sums, SUMS, comm, err));
  a->entropy = ssne_exact_value(&sums[ENTROPY]);
  a->sum = ssne_exact_value(&sums[SUM]);
  return SSNE_OK;
}

ssne_code ssne_affinities_build(const uint32_t *index, const float *distance,
                                const ssne_partition *partition, int64_t k, double perplexity,
                                int threads, MPI_Comm comm, ssne_affinities *out, ssne_error *err) {
  *out = (ssne_affinities){.partition = *partition};
  build b = {.p = partition,
             .index = index,
             .distance = distance,
             .k = k,
             .threads = threads,
             .comm = comm};
  ssne_code code = ssne_agree(comm,
                              ssne_alloc(&b.conditional, partition->own_rows * k,
                                         sizeof *b.conditional, "conditional probabilities", err),
                              err);
  if (code == SSNE_OK) {
    calibrate(&b, perplexity);
    code = transpose(&b, err);
  }
  if (code == SSNE_OK) code = merge(&b, out, err);
  if (code == SSNE_OK) code = sum_up(out, comm, err);
  ssne_free(&b.conditional);
  ssne_free(&b.received);
  if (code != SSNE_OK) ssne_affinities_free(out);
  return code;
}

void ssne_affinities_free(ssne_affinities *affinities) {
  ssne_free(&affinities->start);
  ssne_free(&affinities->column);
  ssne_free(&affinities->value);
}
