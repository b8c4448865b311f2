/* Values of rows that a map is coloured by: how pure their neighbourhood is, their part of KL, or
 * what a file says. Each row's value is computed by the rank that owns it, in an order of its own,
 * so that it has the same bits on any number of ranks. */
#include "embedding.h"
#include "map.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Neighbours that are asked for their class. */
#define PURITY_NEIGHBOURS 15

/* Rows whose neighbours are read at a time. */
#define PIECE ((int64_t)4096)

/* Beyond these shares of the values the scale goes no farther. */
static const double tail = 0.005;

/* --- order statistics -------------------------------------------------------------------- */

/* Finite floats in their order as unsigned integers. */
static uint32_t key_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static float value_of(uint32_t key) {
  const uint32_t bits = key & 0x80000000u ? key & 0x7fffffffu : ~key;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

#define HALVES 65536

/* Collective: how many own finite values have each lower half of their key, of those with the upper
 * half `upper`; or with -1 how many have each upper half. Summed over ranks. */
static ssne_code count_halves(const map *m, int64_t upper, int64_t count[HALVES], ssne_error *err) {
  memset(count, 0, HALVES * sizeof *count);
  for (int64_t i = 0; i < m->partition.own_rows; i++) {
    if (!isfinite(m->value[i])) continue;
    const uint32_t key = key_of(m->value[i]);
    if (upper < 0)
      count[key >> 16]++;
    else if (key >> 16 == upper)
      count[key & 0xffff]++;
  }
  return ssne_mpi_check(
      MPI_Allreduce(MPI_IN_PLACE, count, HALVES, MPI_INT64_T, MPI_SUM, m->j->comm), "MPI_Allreduce",
      err);
}

/* The half in which `before` others are passed, which are taken from it. */
static int64_t find_half(const int64_t count[HALVES], int64_t *before) {
  int64_t half = 0;
  while (half < HALVES - 1 && *before >= count[half]) *before -= count[half++];
  return half;
}

/* Collective: the value of all finite ones that has a share of them below it; NAN where there are
 * none. `count` is working space. */
static ssne_code find_quantile(const map *m, double share, int64_t count[HALVES], float *out,
                               ssne_error *err) {
  int64_t values = 0;
  SSNE_TRY(count_halves(m, -1, count, err));
  for (int64_t h = 0; h < HALVES; h++) values += count[h];
  *out = NAN;
  if (values == 0) return SSNE_OK;
  int64_t before = (int64_t)floor(share * (double)(values - 1));
  const int64_t upper = find_half(count, &before);
  SSNE_TRY(count_halves(m, upper, count, err));
  *out = value_of((uint32_t)(upper << 16 | find_half(count, &before)));
  return SSNE_OK;
}

/* Collective: the scale goes from one tail of the values to the other, or, where most are equal,
 * from the least to the greatest. */
static ssne_code find_ends(map *m, ssne_error *err) {
  static const double shares[4] = {0, tail, 1 - tail, 1};
  float end[4] = {0};
  int64_t *count = NULL;
  SSNE_TRY_ALL(m->j->comm, ssne_alloc(&count, HALVES, sizeof *count, "counts of values", err), err);
  ssne_code code = SSNE_OK;
  for (int i = 0; i < 4 && code == SSNE_OK; i++)
    code = find_quantile(m, shares[i], count, &end[i], err);
  ssne_free(&count);
  SSNE_TRY(code);
  if (isnan(end[0]))
    return ssne_fail(err, SSNE_USAGE, "--color %s: no row has a finite value",
                     m->j->options.render.color);
  const int beyond = end[1] < end[2] ? 1 : 0;
  m->picture.value_low = end[beyond];
  m->picture.value_high = end[3 - beyond];
  m->picture.value_below = end[0] < end[beyond];
  m->picture.value_above = end[3] > end[3 - beyond];
  return SSNE_OK;
}

/* --- neighbours -------------------------------------------------------------------------- */

static ssne_code lacks_neighbours(const map *m, const char *why, ssne_error *err) {
  return ssne_fail(err, SSNE_USAGE,
                   "--color %s needs the neighbours in %s, which %s: `shardsne embed` with --fresh "
                   "finds them again",
                   m->j->options.render.color, m->path, why);
}

/* Collective: the labels of all chosen rows on every rank, 4 bytes a row. */
static ssne_code share_labels(const map *m, int32_t *all, ssne_error *err) {
  const ssne_partition *p = &m->partition;
  SSNE_TRY_ALL(
      m->j->comm,
      map_read(m, SSNE_SET_LABELS, p->first_row, p->own_rows, sizeof *all, all + p->first_row, err),
      err);
  for (int r = 0; r < p->ranks; r++) {
    const int64_t first = ssne_partition_first_row(p, r), end = ssne_partition_first_row(p, r + 1);
    SSNE_TRY(ssne_broadcast(all + first, (end - first) * (int64_t)sizeof *all, r, m->j->comm, err));
  }
  return SSNE_OK;
}

/* Of the nearest neighbours of `row` that have a class, the share that has its own; NAN where there
 * are none, or it has none itself. `index` [k] are rows of the file. */
static float purity_of(const map *m, const int32_t *label, int64_t row, const uint32_t *index,
                       int64_t k) {
  int known = 0, same = 0;
  for (int64_t n = 0; n < k; n++) {
    const int64_t other = selection_from_file(&m->chosen, index[n]);
    if (other >= m->chosen.rows || label[other] < 0) continue;
    known++;
    same += label[other] == label[row];
  }
  return label[row] >= 0 && known > 0 ? (float)same / (float)known : NAN;
}

/* Not collective. `label`: of all rows; `k`: neighbours in the file. */
static ssne_code compute_purity(map *m, const int32_t *label, int64_t k, ssne_error *err) {
  const int64_t own = m->partition.own_rows, asked = k < PURITY_NEIGHBOURS ? k : PURITY_NEIGHBOURS;
  uint32_t *index = NULL;
  SSNE_TRY(ssne_alloc(&index, PIECE * k, sizeof *index, "neighbours", err));
  ssne_code code = SSNE_OK;
  for (int64_t at = 0; code == SSNE_OK && at < own; at += PIECE) {
    const int64_t rows = own - at < PIECE ? own - at : PIECE, first = m->partition.first_row + at;
    code =
        map_read(m, SSNE_SET_NEIGHBOUR_INDEX, first, rows, k * (int64_t)sizeof *index, index, err);
    for (int64_t r = 0; code == SSNE_OK && r < rows; r++)
      m->value[at + r] = purity_of(m, label, first + r, index + r * k, asked);
  }
  ssne_free(&index);
  return code;
}

/* Collective. */
static ssne_code find_purity(map *m, ssne_error *err) {
  ssne_set_shape shape = {0};
  bool complete = false;
  int32_t *label = NULL;
  ssne_code code = ssne_store_shape(m->store, SSNE_SET_NEIGHBOUR_INDEX, &shape, err);
  if (code == SSNE_OK) code = job_is_complete(m->store, "neighbours_complete", &complete, err);
  SSNE_TRY_ALL(m->j->comm, code, err);
  if (!m->has_labels)
    return ssne_fail(err, SSNE_USAGE, "--color purity needs labels, and %s holds none", m->path);
  if (!shape.exists || !complete || shape.rows != m->chosen.file_rows)
    return lacks_neighbours(m, "has none", err);
  SSNE_TRY_ALL(m->j->comm, ssne_alloc(&label, m->chosen.rows, sizeof *label, "labels", err), err);
  code = share_labels(m, label, err);
  if (code == SSNE_OK)
    code = ssne_agree(m->j->comm, compute_purity(m, label, shape.columns, err), err);
  ssne_free(&label);
  snprintf(m->value_name, sizeof m->value_name,
           "share of the %d nearest neighbours of the same class",
           (int)(shape.columns < PURITY_NEIGHBOURS ? shape.columns : PURITY_NEIGHBOURS));
  m->picture.value_low = 0;
  m->picture.value_high = 1;
  m->picture.value_reversed = true;
  return code;
}

/* --- KL ---------------------------------------------------------------------------------- */

/* Not collective: the options that the embedding was made with. */
static ssne_code restore_options(const map *m, all_options *options, ssne_error *err) {
  const ssne_option_group group = embed_group(options);
  char *made = NULL;
  ssne_code code = ssne_store_get_text(m->store, "embed_options", &made, err);
  if (code == SSNE_OK && !made)
    code = ssne_fail(err, SSNE_FAILED, "%s does not say how it was embedded", m->path);
  if (code == SSNE_OK) code = ssne_options_restore(&group, 1, made, m->path, err);
  ssne_free(&made);
  return code;
}

/* Collective: from `e`, with its neighbours, to the parts of own rows. */
static ssne_code compute_parts(map *m, embedding *e, ssne_error *err) {
  const ssne_option_reals *perplexity = &e->j->options.embed.perplexity;
  const ssne_force_options forces = embedding_force_options(e);
  const ssne_partition *p = &m->partition;
  ssne_objective *objective = NULL;
  float *xy = NULL;
  double *part = NULL;
  e->order = (ssne_order){.rows = m->chosen.rows};
  SSNE_TRY(ssne_affinities_build(&e->neighbours, &e->order, perplexity->value, perplexity->count,
                                 m->j->threads, m->j->comm, &e->affinities, err));
  ssne_code code = ssne_alloc(&xy, p->own_rows, 2 * sizeof *xy, "coordinates", err);
  if (code == SSNE_OK) code = ssne_alloc(&part, p->own_rows, sizeof *part, "parts of KL", err);
  if (code == SSNE_OK)
    code = map_read(m, SSNE_SET_COORDINATES, p->first_row, p->own_rows, 2 * sizeof *xy, xy, err);
  code = ssne_agree(m->j->comm, code, err);
  if (code == SSNE_OK)
    code = ssne_objective_create(&e->affinities, &forces, m->j->comm, &objective, err);
  if (code == SSNE_OK) code = ssne_objective_parts(objective, xy, part, err);
  for (int64_t r = 0; code == SSNE_OK && r < p->own_rows; r++)
    m->value[r] = (float)(part[r] * (double)p->rows);
  if (objective) ssne_objective_destroy(&objective);
  ssne_free(&xy);
  ssne_free(&part);
  return code;
}

/* Collective: the neighbours of an embedding made by `j`'s options. */
static ssne_code find_parts_by(map *m, job *j, ssne_error *err) {
  bool kept = false, damaged = false;
  embedding e = {.j = j,
                 .path = m->path,
                 .store = m->store,
                 .chosen = m->chosen,
                 .partition = m->partition,
                 .k = (int64_t)floor(3 * job_perplexity(&j->options.embed))};
  SSNE_TRY(embedding_kept_neighbours(&e, &kept, &damaged, err));
  ssne_code code = SSNE_OK;
  if (!kept) code = lacks_neighbours(m, damaged ? "are damaged" : "has none that fit", err);
  if (code == SSNE_OK) code = compute_parts(m, &e, err);
  ssne_affinities_free(&e.affinities);
  ssne_neighbours_free(&e.neighbours);
  return code;
}

/* Collective. */
static ssne_code find_parts(map *m, ssne_error *err) {
  job j = *m->j;
  ssne_code code = options_defaults(&j.options, err);
  if (code == SSNE_OK) code = restore_options(m, &j.options, err);
  code = ssne_agree(m->j->comm, code, err);
  if (code == SSNE_OK) code = find_parts_by(m, &j, err);
  options_free_all(&j.options);
  snprintf(m->value_name, sizeof m->value_name, "part of KL, times the points (the mean is KL)");
  return code == SSNE_OK ? find_ends(m, err) : code;
}

/* --- a file ------------------------------------------------------------------------------ */

/* Collective. */
static ssne_code read_values(map *m, ssne_error *err) {
  const char *name = m->j->options.render.color, *slash = strrchr(name, '/');
  source from = {.store = NULL};
  SSNE_TRY(source_open(name, m->j->comm, &from, err));
  ssne_code code = SSNE_OK;
  if (from.rows != m->chosen.file_rows || from.columns != 1)
    code = ssne_fail(err, SSNE_USAGE,
                     "--color %s holds %" PRId64 " x %" PRId64 " values; %" PRId64
                     " x 1 are needed, one for each row of %s",
                     name, from.rows, from.columns, m->chosen.file_rows, m->path);
  if (code == SSNE_OK)
    code =
        ssne_agree(m->j->comm, source_read(&from, &m->chosen, &m->partition, m->value, err), err);
  source_close(&from);
  snprintf(m->value_name, sizeof m->value_name, "%s", slash ? slash + 1 : name);
  char *end = strstr(m->value_name, ".npy");
  if (end && strcmp(end, ".npy") == 0) *end = 0;
  return code == SSNE_OK ? find_ends(m, err) : code;
}

ssne_code map_values(map *m, ssne_error *err) {
  const char *color = m->j->options.render.color;
  SSNE_TRY_ALL(m->j->comm,
               ssne_alloc(&m->value, m->partition.own_rows, sizeof *m->value, "values", err), err);
  if (strcmp(color, "purity") == 0) return find_purity(m, err);
  if (strcmp(color, "kl") == 0) return find_parts(m, err);
  return read_values(m, err);
}
