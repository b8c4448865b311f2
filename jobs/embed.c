/* From features to an embedding: read own rows, neighbours, affinities, start, descent, write. */
#include "job.h"
#include "selection.h"
#include "source.h"

#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/neighbours.h"
#include "shardsne/render.h"
#include "shardsne/rows.h"
#include "shardsne/tsne.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct embedding {
  job *j;
  const char *path;
  bool own_features; /* of the run file itself, not of --features */
  char *recorded;
  char advice[SSNE_ERROR_LENGTH / 2]; /* where the file was made with other options */
  ssne_store *store;
  source from;
  source start; /* of --init FILE */
  ssne_npy labels;
  selection chosen;
  ssne_partition partition; /* of the chosen rows */
  ssne_rows rows;
  int64_t k;
  uint32_t *index; /* [own_rows, k] chosen rows */
  float *distance; /* [own_rows, k] */
  ssne_affinities affinities;
  float *xy; /* [own_rows, 2] */
  ssne_tsne_record *history;
  int64_t history_count;
} embedding;

static double lap(embedding *e, const char *stage, int64_t count, double since) {
  const double now = ssne_clock();
  ssne_stages_add(&e->j->stages, stage, count, now - since);
  return now;
}

/* --- the run file ------------------------------------------------------------------------ */

/* Collective: whether the file has this very embedding already. Results of other options are an
 * error; where there are none yet, other options do no harm. */
static ssne_code compare(embedding *e, bool *complete, ssne_error *err) {
  const ssne_option_group groups[] = {embed_input_group(&e->j->options),
                                      embed_group(&e->j->options)};
  char *made = NULL;
  bool neighbours = false;
  ssne_code code = job_is_complete(e->store, "embed_complete", complete, err);
  if (code == SSNE_OK) code = job_is_complete(e->store, "neighbours_complete", &neighbours, err);
  if (code == SSNE_OK) code = ssne_store_get_text(e->store, "embed_options", &made, err);
  if (code == SSNE_OK && made && (*complete || neighbours) && !e->j->options.output.fresh)
    code = ssne_options_compare(groups, 2, made, e->path, e->advice, err);
  if (e->j->options.output.fresh) *complete = false;
  ssne_free(&made);
  return ssne_agree(e->j->comm, code, err);
}

/* Collective: opens the run file of features that `extract` has made. */
static ssne_code open_features(embedding *e, ssne_error *err) {
  bool partial = false, ready = false;
  SSNE_TRY(ssne_store_open(e->path, true, e->j->comm, &e->store, &partial, err));
  SSNE_TRY_ALL(e->j->comm, job_is_complete(e->store, "extract_complete", &ready, err), err);
  if (!partial && ready) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE,
                   "%s has no complete features: finish `shardsne extract` first, or give "
                   "--features",
                   e->path);
}

/* Collective: opens what an earlier `embed --features` has made, if anything; else *found is false.
 * A file of features is not overwritten, finished or not. */
static ssne_code open_existing(embedding *e, int *found, ssne_error *err) {
  int there[2] = {0, 0}; /* the file, the same unfinished */
  bool features = false;
  if (e->j->rank == 0 && !e->j->options.output.fresh) {
    there[0] = ssne_store_exists(e->path, false);
    there[1] = ssne_store_exists(e->path, true);
  }
  SSNE_TRY(ssne_broadcast(there, sizeof there, 0, e->j->comm, err));
  *found = there[0];
  if (!there[0] && !there[1]) return SSNE_OK;
  SSNE_TRY(ssne_store_open(e->path, true, e->j->comm, &e->store, NULL, err));
  SSNE_TRY_ALL(e->j->comm, job_is_complete(e->store, "extract_prepared", &features, err), err);
  if (features)
    return ssne_fail(err, SSNE_USAGE,
                     "%s holds features of its own: embed those (`shardsne embed %s`), choose "
                     "another --out, or replace it with --fresh",
                     e->path, e->path);
  return there[0] ? SSNE_OK : ssne_store_close(&e->store, err);
}

/* Collective: `embed --features` makes its run file once the input is known to be good. */
static ssne_code create_run_file(embedding *e, ssne_error *err) {
  SSNE_TRY(ssne_store_create(e->path, e->j->comm, &e->store, err));
  SSNE_TRY(job_sign(e->j, e->store, err));
  SSNE_TRY(ssne_store_publish(&e->store, err));
  return ssne_store_open(e->path, true, e->j->comm, &e->store, NULL, err);
}

/* Collective. */
static ssne_code open_source(embedding *e, ssne_error *err) {
  if (!e->own_features) {
    SSNE_TRY(source_open(e->j->options.embed.features, e->j->comm, &e->from, err));
    e->chosen = selection_all(e->from.rows);
    return SSNE_OK;
  }
  SSNE_TRY_ALL(e->j->comm, source_open_store(e->store, &e->from, err), err);
  return ssne_agree(e->j->comm, selection_read(e->store, e->from.rows, &e->chosen, err), err);
}

/* --- labels of `embed --features` -------------------------------------------------------- */

static ssne_code copy_labels(embedding *e, ssne_error *err) {
  const ssne_partition *p = &e->partition;
  int32_t *label = NULL;
  SSNE_TRY(ssne_alloc(&label, p->own_rows, sizeof *label, "labels", err));
  ssne_code code = ssne_npy_read_int(e->j->options.embed.labels, &e->labels, p->first_row,
                                     p->own_rows, label, err);
  if (code == SSNE_OK)
    code = ssne_store_write(e->store, SSNE_SET_LABELS, p->first_row, p->own_rows, label, err);
  ssne_free(&label);
  return code;
}

/* Collective: that the labels fit the rows; before anything is written. */
static ssne_code check_labels(embedding *e, ssne_error *err) {
  const char *path = e->j->options.embed.labels;
  if (!path) return SSNE_OK;
  SSNE_TRY_ALL(e->j->comm, ssne_npy_open(path, &e->labels, err), err);
  if (e->labels.rows == e->from.rows && e->labels.columns == 1) return SSNE_OK;
  return ssne_fail(
      err, SSNE_USAGE,
      "%s holds %" PRId64 " x %" PRId64 " labels, %s %" PRId64 " rows: one label a row is needed",
      path, e->labels.rows, e->labels.columns, e->j->options.embed.features, e->from.rows);
}

static ssne_code keep_labels(embedding *e, ssne_error *err) {
  if (!e->j->options.embed.labels) return SSNE_OK;
  SSNE_TRY(ssne_store_define(e->store, SSNE_SET_LABELS, e->from.rows, 1, 0, err));
  return ssne_agree(e->j->comm, copy_labels(e, err), err);
}

/* --- rows -------------------------------------------------------------------------------- */

/* The largest perplexity that so many rows allow. */
static double largest_perplexity(int64_t rows) {
  return floor((double)(rows - 1) / 3);
}

static ssne_code check_size(const embedding *e, ssne_error *err) {
  const int64_t rows = e->chosen.rows;
  const double perplexity = e->j->options.embed.perplexity, most = largest_perplexity(rows);
  if (rows < 4)
    return ssne_fail(err, SSNE_USAGE, "%" PRId64 " row%s: t-SNE needs 4 at least", rows,
                     rows == 1 ? "" : "s");
  if (rows > UINT32_MAX)
    return ssne_fail(err, SSNE_USAGE, "%" PRId64 " rows: at most 2^32 - 1 can be embedded", rows);
  if ((double)rows < 3 * perplexity + 1)
    return ssne_fail(err, SSNE_USAGE,
                     "%" PRId64 " rows are too few for --perplexity %g (3 x perplexity + 1 are "
                     "needed): the largest that fits is %g",
                     rows, perplexity, most);
  return SSNE_OK;
}

/* Collective: a name for the contents of all rows, the same for any number of ranks. */
static ssne_code digest_rows(const embedding *e, const float *x, char text[SSNE_DIGEST_LENGTH],
                             ssne_error *err) {
  const ssne_partition *p = &e->partition;
  uint64_t sum = 0;
  for (int64_t b = 0; b < p->own_blocks; b++) {
    const int64_t rows = ssne_partition_block_length(p, p->first_block + b);
    const size_t size = (size_t)(rows * e->from.columns) * sizeof *x;
    const uint64_t parts[2] = {(uint64_t)(p->first_block + b),
                               ssne_digest64(x + b * p->block_rows * e->from.columns, size)};
    sum += ssne_digest64(parts, sizeof parts);
  }
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &sum, 1, MPI_UINT64_T, MPI_SUM, e->j->comm),
                          "MPI_Allreduce", err));
  ssne_digest_text(&sum, sizeof sum, text);
  return SSNE_OK;
}

/* Collective: neighbours kept in the file are of these very rows, or it is an error. */
static ssne_code identify_rows(embedding *e, const float *x, ssne_error *err) {
  char digest[SSNE_DIGEST_LENGTH], *kept = NULL;
  bool neighbours = false;
  SSNE_TRY(digest_rows(e, x, digest, err));
  ssne_code code = ssne_store_get_text(e->store, "features_digest", &kept, err);
  if (code == SSNE_OK) code = job_is_complete(e->store, "neighbours_complete", &neighbours, err);
  const bool differs = neighbours && kept && strcmp(kept, digest) != 0;
  ssne_free(&kept);
  if (code == SSNE_OK && differs)
    code = ssne_fail(err, SSNE_USAGE,
                     "the features have changed since %s was begun: choose another --out, or start "
                     "over with --fresh",
                     e->path);
  SSNE_TRY_ALL(e->j->comm, code, err);
  return ssne_store_set_text(e->store, "features_digest", digest, err);
}

/* In the numbers of the file, which the bad images before a row are part of. */
static ssne_code check_finite(const embedding *e, const float *x, ssne_error *err) {
  for (int64_t i = 0; i < e->partition.own_rows * e->from.columns; i++)
    if (!isfinite(x[i]))
      return ssne_fail(err, SSNE_FAILED,
                       "row %" PRId64 ", column %" PRId64
                       " of the features is %f: they must all be finite numbers",
                       selection_to_file(&e->chosen, e->partition.first_row + i / e->from.columns),
                       i % e->from.columns, (double)x[i]);
  return SSNE_OK;
}

static ssne_code load_rows(embedding *e, ssne_error *err) {
  float *x = NULL;
  ssne_code code =
      ssne_alloc(&x, e->partition.own_rows * e->from.columns, sizeof *x, "feature values", err);
  if (code == SSNE_OK) code = source_read(&e->from, &e->chosen, &e->partition, x, err);
  if (code == SSNE_OK) code = check_finite(e, x, err);
  code = ssne_agree(e->j->comm, code, err);
  if (code == SSNE_OK) code = identify_rows(e, x, err);
  if (code == SSNE_OK)
    code = ssne_rows_prepare(x, e->from.columns, &e->partition, e->j->comm, &e->rows, err);
  ssne_free(&x);
  if (code == SSNE_OK && e->rows.identical) {
    ssne_rows_free(&e->rows);
    code = ssne_fail(err, SSNE_FAILED,
                     "all %" PRId64 " rows are identical: there is nothing to map", e->chosen.rows);
  }
  return code;
}

/* --- neighbours -------------------------------------------------------------------------- */

/* Rows of the file are numbered with the bad ones, rows of the embedding without. */
static void renumber(embedding *e, int64_t (*translate)(const selection *, int64_t)) {
  if (e->chosen.rows == e->chosen.file_rows) return;
  for (int64_t i = 0; i < e->partition.own_rows * e->k; i++)
    e->index[i] = (uint32_t)translate(&e->chosen, e->index[i]);
}

typedef ssne_code (*transfer)(ssne_store *, ssne_set, int64_t, int64_t, void *, ssne_error *);

static ssne_code write_rows(ssne_store *s, ssne_set set, int64_t first, int64_t rows, void *data,
                            ssne_error *err) {
  return ssne_store_write(s, set, first, rows, data, err);
}

/* Moves own rows of `size` bytes between memory and the file, a run of good rows at a time. */
static ssne_code move_rows(embedding *e, ssne_set set, transfer move, void *data, int64_t size,
                           ssne_error *err) {
  const ssne_partition *p = &e->partition;
  for (int64_t done = 0; done < p->own_rows;) {
    const int64_t row = p->first_row + done;
    const int64_t rows = selection_run(&e->chosen, row, p->own_rows - done);
    SSNE_TRY(move(e->store, set, selection_to_file(&e->chosen, row), rows,
                  (char *)data + done * size, err));
    done += rows;
  }
  return SSNE_OK;
}

static ssne_code move_neighbours(embedding *e, transfer move, ssne_error *err) {
  SSNE_TRY(move_rows(e, SSNE_SET_NEIGHBOUR_INDEX, move, e->index, e->k * (int64_t)sizeof *e->index,
                     err));
  return move_rows(e, SSNE_SET_NEIGHBOUR_DISTANCE, move, e->distance,
                   e->k * (int64_t)sizeof *e->distance, err);
}

/* Collective: the file's neighbours, if it has them all, in the number wanted. */
static ssne_code reuse_neighbours(embedding *e, bool *reused, ssne_error *err) {
  ssne_set_shape shape = {0};
  ssne_code code = job_is_complete(e->store, "neighbours_complete", reused, err);
  if (code == SSNE_OK) code = ssne_store_shape(e->store, SSNE_SET_NEIGHBOUR_INDEX, &shape, err);
  *reused = *reused && shape.exists && shape.rows == e->chosen.file_rows && shape.columns == e->k;
  if (code == SSNE_OK && *reused) code = move_neighbours(e, ssne_store_read, err);
  for (int64_t i = 0; code == SSNE_OK && *reused && i < e->partition.own_rows * e->k; i++)
    if (e->index[i] >= (uint64_t)e->chosen.file_rows)
      code = ssne_fail(err, SSNE_FAILED,
                       "%s: /neighbours/index is damaged: start over with --fresh", e->path);
  if (code == SSNE_OK && *reused) renumber(e, selection_from_file);
  return ssne_agree(e->j->comm, code, err);
}

static ssne_code find_neighbours(embedding *e, ssne_error *err) {
  ssne_store *s = e->store;
  double since = ssne_clock();
  SSNE_TRY(ssne_neighbours_exact(&e->rows, e->k, e->j->threads, e->j->comm, e->j->log, e->index,
                                 e->distance, err));
  since = lap(e, "neighbours", e->partition.own_rows, since);
  SSNE_TRY(ssne_store_set_text(s, "neighbours_complete", "no", err));
  SSNE_TRY(ssne_store_define(s, SSNE_SET_NEIGHBOUR_INDEX, e->chosen.file_rows, e->k, 0, err));
  SSNE_TRY(ssne_store_define(s, SSNE_SET_NEIGHBOUR_DISTANCE, e->chosen.file_rows, e->k, 0, err));
  renumber(e, selection_to_file);
  SSNE_TRY_ALL(e->j->comm, move_neighbours(e, write_rows, err), err);
  renumber(e, selection_from_file);
  SSNE_TRY(ssne_store_flush(s, err));
  SSNE_TRY(ssne_store_set_text(s, "neighbours_complete", "yes", err));
  lap(e, "write neighbours", e->partition.own_rows, since);
  return SSNE_OK;
}

static ssne_code allocate_neighbours(embedding *e, ssne_error *err) {
  const int64_t count = e->partition.own_rows * e->k;
  SSNE_TRY(ssne_alloc(&e->index, count, sizeof *e->index, "neighbours", err));
  return ssne_alloc(&e->distance, count, sizeof *e->distance, "neighbour distances", err);
}

static ssne_code build_affinities(embedding *e, ssne_error *err) {
  const embed_options *o = &e->j->options.embed;
  bool reused = false;
  SSNE_TRY_ALL(e->j->comm, allocate_neighbours(e, err), err);
  SSNE_TRY(reuse_neighbours(e, &reused, err));
  if (reused)
    ssne_log_info(e->j->log, "neighbours: %s has them; kept", e->path);
  else
    SSNE_TRY(find_neighbours(e, err));
  const double since = ssne_clock();
  SSNE_TRY(ssne_affinities_build(e->index, e->distance, &e->partition, e->k, o->perplexity,
                                 e->j->threads, e->j->comm, &e->affinities, err));
  ssne_free(&e->index);
  ssne_free(&e->distance);
  lap(e, "affinities", e->partition.own_rows, since);
  return SSNE_OK;
}

/* --- start and descent ------------------------------------------------------------------- */

static bool starts_from_file(const embedding *e) {
  const char *init = e->j->options.embed.init;
  return strcmp(init, "pca") != 0 && strcmp(init, "random") != 0;
}

/* Collective: that --init's file fits the rows; before the neighbours are searched. */
static ssne_code check_start(embedding *e, ssne_error *err) {
  const char *init = e->j->options.embed.init;
  if (!starts_from_file(e)) return SSNE_OK;
  SSNE_TRY(source_open(init, e->j->comm, &e->start, err));
  if (e->start.rows == e->chosen.file_rows && e->start.columns == 2) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE,
                   "--init %s holds %" PRId64 " x %" PRId64 " values; %" PRId64 " x 2 are needed",
                   init, e->start.rows, e->start.columns, e->chosen.file_rows);
}

static ssne_code read_start(embedding *e, ssne_error *err) {
  SSNE_TRY(source_read(&e->start, &e->chosen, &e->partition, e->xy, err));
  for (int64_t i = 0; i < 2 * e->partition.own_rows; i++)
    if (!isfinite(e->xy[i]))
      return ssne_fail(err, SSNE_USAGE, "--init %s: row %" PRId64 " is not finite",
                       e->j->options.embed.init,
                       selection_to_file(&e->chosen, e->partition.first_row + i / 2));
  return SSNE_OK;
}

static ssne_code make_start(embedding *e, ssne_error *err) {
  const embed_options *o = &e->j->options.embed;
  const double since = ssne_clock();
  SSNE_TRY_ALL(e->j->comm,
               ssne_alloc(&e->xy, e->partition.own_rows, 2 * sizeof *e->xy, "coordinates", err),
               err);
  if (starts_from_file(e))
    SSNE_TRY_ALL(e->j->comm, read_start(e, err), err);
  else if (strcmp(o->init, "pca") == 0)
    SSNE_TRY(ssne_start_pca(&e->rows, (uint64_t)o->seed, e->j->threads, e->j->comm, e->xy, err));
  else
    ssne_start_random(&e->partition, (uint64_t)o->seed, e->xy);
  lap(e, "start", e->partition.own_rows, since);
  return SSNE_OK;
}

static ssne_code descend(embedding *e, ssne_error *err) {
  const embed_options *o = &e->j->options.embed;
  const ssne_tsne_options options = {.early_iterations = o->early_iterations,
                                     .iterations = o->iterations,
                                     .exaggeration = o->exaggeration,
                                     .late_exaggeration = o->late_exaggeration,
                                     .learning_rate = o->learning_rate,
                                     .momentum = o->momentum,
                                     .step_limit = o->step_limit,
                                     .threads = e->j->threads};
  SSNE_TRY_ALL(e->j->comm,
               ssne_alloc(&e->history, ssne_tsne_history_length(&options), sizeof *e->history,
                          "history", err),
               err);
  return ssne_tsne_descend(&e->affinities, &options, e->j->comm, e->j->log, &e->j->stages, e->xy,
                           e->history, &e->history_count, err);
}

/* --- writing ----------------------------------------------------------------------------- */

/* Rank 0, not collective: all coordinates together, normalised. `all` [chosen rows, 2]. */
static ssne_code write_normalized(embedding *e, float *all, ssne_error *err) {
  ssne_normalise(all, e->chosen.rows, all);
  for (int64_t row = 0; row < e->chosen.rows;) {
    const int64_t rows = selection_run(&e->chosen, row, e->chosen.rows - row);
    SSNE_TRY(ssne_store_write(e->store, SSNE_SET_NORMALIZED, selection_to_file(&e->chosen, row),
                              rows, all + 2 * row, err));
    row += rows;
  }
  return SSNE_OK;
}

static ssne_code normalise(embedding *e, ssne_error *err) {
  const bool root = e->j->rank == 0;
  float *all = NULL;
  int64_t *counts = NULL;
  ssne_code code = ssne_alloc(&counts, e->j->ranks, sizeof *counts, "ranks", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&all, root ? e->chosen.rows : 0, 2 * sizeof *all, "coordinates", err);
  code = ssne_agree(e->j->comm, code, err);
  for (int r = 0; r < e->j->ranks && code == SSNE_OK; r++)
    counts[r] =
        ssne_partition_first_row(&e->partition, r + 1) - ssne_partition_first_row(&e->partition, r);
  if (code == SSNE_OK)
    code =
        ssne_gather(e->xy, e->partition.own_rows, all, counts, 2 * sizeof *all, 0, e->j->comm, err);
  if (code == SSNE_OK && root) code = write_normalized(e, all, err);
  ssne_free(&all);
  ssne_free(&counts);
  return ssne_agree(e->j->comm, code, err);
}

/* Rank 0. */
static ssne_code write_history(embedding *e, ssne_error *err) {
  for (int64_t i = 0; i < e->history_count; i++) {
    const ssne_tsne_record *r = &e->history[i];
    const ssne_history_entry entry = {r->iteration, r->kl, r->gradient_norm, r->exaggeration,
                                      r->seconds};
    SSNE_TRY(ssne_store_write(e->store, SSNE_SET_HISTORY, i, 1, &entry, err));
  }
  return SSNE_OK;
}

static ssne_code write_embedding(embedding *e, ssne_error *err) {
  const MPI_Comm comm = e->j->comm;
  const double since = ssne_clock();
  SSNE_TRY(ssne_store_define(e->store, SSNE_SET_COORDINATES, e->chosen.file_rows, 2, 0, err));
  SSNE_TRY(ssne_store_define(e->store, SSNE_SET_NORMALIZED, e->chosen.file_rows, 2, 0, err));
  SSNE_TRY(ssne_store_define(e->store, SSNE_SET_HISTORY, e->history_count, 1, 0, err));
  SSNE_TRY_ALL(
      comm, move_rows(e, SSNE_SET_COORDINATES, write_rows, e->xy, 2 * (int64_t)sizeof *e->xy, err),
      err);
  SSNE_TRY(normalise(e, err));
  SSNE_TRY_ALL(comm, e->j->rank == 0 ? write_history(e, err) : SSNE_OK, err);
  SSNE_TRY(ssne_store_flush(e->store, err));
  SSNE_TRY(ssne_store_set_text(e->store, "embed_complete", "yes", err));
  lap(e, "write embedding", e->partition.own_rows, since);
  return SSNE_OK;
}

/* --- all of it --------------------------------------------------------------------------- */

static ssne_code compute(embedding *e, ssne_error *err) {
  job *j = e->j;
  e->partition = ssne_partition_make(e->chosen.rows, SSNE_ROWS_BLOCK, j->ranks, j->rank);
  e->k = (int64_t)floor(3 * j->options.embed.perplexity);
  ssne_log_info(j->log,
                "embedding: %" PRId64 " rows x %" PRId64 ", perplexity %g, %" PRId64
                " neighbours, %d rank%s x %d thread%s",
                e->chosen.rows, e->from.columns, j->options.embed.perplexity, e->k, j->ranks,
                j->ranks == 1 ? "" : "s", j->threads, j->threads == 1 ? "" : "s");
  SSNE_TRY(keep_labels(e, err));
  const double since = ssne_clock();
  SSNE_TRY(load_rows(e, err));
  lap(e, "read features", e->partition.own_rows, since);
  SSNE_TRY(build_affinities(e, err));
  SSNE_TRY(make_start(e, err));
  ssne_rows_free(&e->rows);
  SSNE_TRY(descend(e, err));
  ssne_log_info(j->log, "embedding: KL %.4f after %" PRId64 " iterations",
                e->history[e->history_count - 1].kl, e->history[e->history_count - 1].iteration);
  return write_embedding(e, err);
}

/* Paths as they are recorded and compared: the same wherever the command is given. */
static ssne_code resolve_inputs(embedding *e, ssne_error *err) {
  embed_options *o = &e->j->options.embed;
  char **paths[] = {&o->features, &o->labels, starts_from_file(e) ? &o->init : NULL};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    if (paths[i] && *paths[i] && !strstr(*paths[i], ":/"))
      SSNE_TRY(job_resolve(e->j, paths[i], err));
  return SSNE_OK;
}

static ssne_code embed(embedding *e, ssne_error *err) {
  const ssne_option_group groups[] = {embed_input_group(&e->j->options),
                                      embed_group(&e->j->options)};
  bool complete = false;
  int found = 1;
  SSNE_TRY(resolve_inputs(e, err));
  SSNE_TRY_ALL(e->j->comm, ssne_options_to_json(groups, 2, true, &e->recorded, err), err);
  SSNE_TRY(e->own_features ? open_features(e, err) : open_existing(e, &found, err));
  if (found) SSNE_TRY(compare(e, &complete, err));
  if (complete) {
    ssne_log_info(e->j->log, "embedding: %s has it; kept", e->path);
    return ssne_store_close(&e->store, err);
  }
  SSNE_TRY(open_source(e, err));
  SSNE_TRY(check_size(e, err));
  SSNE_TRY(check_labels(e, err));
  SSNE_TRY(check_start(e, err));
  if (!found) SSNE_TRY(create_run_file(e, err));
  SSNE_TRY(ssne_store_set_text(e->store, "embed_complete", "no", err));
  SSNE_TRY(ssne_store_set_text(e->store, "embed_options", e->recorded, err));
  SSNE_TRY(compute(e, err));
  return ssne_store_close(&e->store, err);
}

ssne_code embed_run_file(job *j, const char *path, ssne_error *err) {
  embedding e = {.j = j, .path = path, .own_features = j->options.embed.features == NULL};
  if (e.own_features)
    snprintf(e.advice, sizeof e.advice, "embed anew with `shardsne embed %.900s --fresh`", path);
  else
    snprintf(e.advice, sizeof e.advice, "choose another --out, or start over with --fresh");
  const ssne_code code = embed(&e, err);
  ssne_error later; /* a failure to close must not hide the first one */
  (void)ssne_store_close(&e.store, &later);
  source_close(&e.from);
  source_close(&e.start);
  selection_free(&e.chosen);
  ssne_rows_free(&e.rows);
  ssne_affinities_free(&e.affinities);
  ssne_free(&e.index);
  ssne_free(&e.distance);
  ssne_free(&e.xy);
  ssne_free(&e.history);
  ssne_free(&e.recorded);
  return code;
}

ssne_code job_embed(job *j, ssne_error *err) {
  const double start = ssne_clock();
  const char *path = j->options.embed.features ? j->options.output.out : j->word;
  if (j->options.embed.features && j->word)
    return ssne_fail(err, SSNE_USAGE, "give either %s or --features %s, not both", j->word,
                     j->options.embed.features);
  if (!j->options.embed.features && j->options.embed.labels)
    return ssne_fail(err, SSNE_USAGE, "--labels goes with --features; a run file has its own");
  if (!j->options.embed.features && j->options.output.out)
    return ssne_fail(err, SSNE_USAGE,
                     "--out goes with --features; the embedding of %s is written into it",
                     j->word ? j->word : "a run file");
  SSNE_TRY(job_require(
      path, j->options.embed.features ? "--out RUN.h5" : "RUN.h5, or --features X.npy,", err));
  SSNE_TRY(embed_run_file(j, path, err));
  SSNE_TRY(job_account(j, ssne_clock() - start, err));
  ssne_log_info(j->log, "the embedding is in %s", path);
  return SSNE_OK;
}
