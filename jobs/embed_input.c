/* What an embedding is made from: the run file, features, labels, a start. */
#include "embedding.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/petsc.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

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
  /* a dry run is of these options, whatever the file was made with */
  const bool anew = e->j->options.output.fresh || e->j->options.embed.dry_run;
  if (code == SSNE_OK && made && (*complete || neighbours) && !anew)
    code = ssne_options_compare(groups, 2, made, e->path, e->advice, err);
  if (anew) *complete = false;
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

/* Collective: what there is at --out. Under --fresh a file that cannot be opened, or holds features
 * of its own, is as good as none; one that an earlier `embed --features` made may have neighbours
 * that serve. */
static ssne_code open_existing(embedding *e, bool *found, ssne_error *err) {
  const bool fresh = e->j->options.output.fresh;
  int there[2] = {0, 0}; /* the file, the same unfinished */
  bool features = false;
  if (e->j->rank == 0) {
    there[0] = ssne_store_exists(e->path, false);
    there[1] = !fresh && ssne_store_exists(e->path, true);
  }
  SSNE_TRY(ssne_broadcast(there, sizeof there, 0, e->j->comm, err));
  *found = there[0];
  if (!there[0] && !there[1]) return SSNE_OK;
  ssne_code code = ssne_store_open(e->path, true, e->j->comm, &e->store, NULL, err);
  if (code == SSNE_OK)
    code =
        ssne_agree(e->j->comm, job_is_complete(e->store, "extract_prepared", &features, err), err);
  if (fresh && (code != SSNE_OK || features)) *found = false;
  if (code == SSNE_OK && features && !fresh)
    code = ssne_fail(err, SSNE_USAGE,
                     "%s holds features of its own: embed those (`shardsne embed %s`), choose "
                     "another --out, or replace it with --fresh",
                     e->path, e->path);
  if (code != SSNE_OK && !fresh) return code;
  return *found ? SSNE_OK : ssne_store_close(&e->store, err);
}

ssne_code embedding_create_file(embedding *e, ssne_error *err) {
  SSNE_TRY(ssne_store_create(e->path, e->j->comm, &e->store, err));
  SSNE_TRY(job_sign(e->j, e->store, err));
  SSNE_TRY(ssne_store_publish(&e->store, err));
  return ssne_store_open(e->path, true, e->j->comm, &e->store, NULL, err);
}

/* Collective. */
static ssne_code open_source(embedding *e, ssne_error *err) {
  const MPI_Comm comm = e->j->comm;
  if (e->own_features)
    SSNE_TRY_ALL(comm, source_open_store(e->store, &e->from, err), err);
  else
    SSNE_TRY(source_open_features(e->j->options.embed.features, comm, &e->from, err));
  if (e->from.store)
    return ssne_agree(comm, selection_read(e->from.store, e->from.rows, &e->chosen, err), err);
  e->chosen = selection_all(e->from.rows);
  return SSNE_OK;
}

/* --- samples of `embed --features` ------------------------------------------------------- */

/* Of all rows of the features, bad ones too. */
static ssne_code copy_labels(embedding *e, ssne_error *err) {
  const job *j = e->j;
  const int64_t first = ssne_share_begin(e->from.rows, j->ranks, j->rank);
  const int64_t rows = ssne_share_begin(e->from.rows, j->ranks, j->rank + 1) - first;
  int32_t *label = NULL;
  SSNE_TRY(ssne_alloc(&label, rows, sizeof *label, "labels", err));
  ssne_code code = source_read_int(&e->labels, first, rows, label, err);
  if (code == SSNE_OK) code = ssne_store_write(e->store, SSNE_SET_LABELS, first, rows, label, err);
  ssne_free(&label);
  return code;
}

/* Collective: that the labels fit the rows; before anything is written. */
static ssne_code check_labels(embedding *e, ssne_error *err) {
  const char *path = e->j->options.embed.labels;
  if (!path) return SSNE_OK;
  SSNE_TRY(source_open(path, e->j->comm, &e->labels, err));
  if (e->labels.rows == e->from.rows && e->labels.columns == 1) return SSNE_OK;
  return ssne_fail(
      err, SSNE_USAGE,
      "%s holds %" PRId64 " x %" PRId64 " labels, %s %" PRId64 " rows: one label a row is needed",
      path, e->labels.rows, e->labels.columns, e->j->options.embed.features, e->from.rows);
}

static ssne_code keep_labels(embedding *e, ssne_error *err) {
  if (!e->j->options.embed.labels) return ssne_store_remove(e->store, SSNE_SET_LABELS, err);
  SSNE_TRY(ssne_store_define(e->store, SSNE_SET_LABELS, e->from.rows, 1, 0, err));
  return ssne_agree(e->j->comm, copy_labels(e, err), err);
}

static ssne_code keep_status(embedding *e, ssne_error *err) {
  if (e->chosen.rows == e->chosen.file_rows)
    return ssne_store_remove(e->store, SSNE_SET_SAMPLE_STATUS, err);
  SSNE_TRY(ssne_store_define(e->store, SSNE_SET_SAMPLE_STATUS, e->chosen.file_rows, 1, 0, err));
  return ssne_agree(e->j->comm,
                    e->j->rank == 0 ? selection_write(&e->chosen, e->store, err) : SSNE_OK, err);
}

ssne_code embedding_keep_samples(embedding *e, ssne_error *err) {
  if (e->own_features) return SSNE_OK;
  SSNE_TRY(keep_labels(e, err));
  return keep_status(e, err);
}

/* --- rows -------------------------------------------------------------------------------- */

/* The largest perplexity that so many rows allow. */
static double largest_perplexity(int64_t rows) {
  return floor((double)(rows - 1) / 3);
}

static ssne_code check_size(const embedding *e, ssne_error *err) {
  const int64_t rows = e->chosen.rows;
  const double perplexity = job_perplexity(&e->j->options.embed), most = largest_perplexity(rows);
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
static ssne_code digest_rows(const embedding *e, const float *x, int64_t columns,
                             char text[SSNE_DIGEST_LENGTH], ssne_error *err) {
  const ssne_partition *p = &e->partition;
  uint64_t sum = 0;
  for (int64_t b = 0; b < p->own_blocks; b++) {
    const int64_t rows = ssne_partition_block_length(p, p->first_block + b);
    const size_t size = (size_t)(rows * columns) * sizeof *x;
    const uint64_t parts[2] = {(uint64_t)(p->first_block + b),
                               ssne_digest64(x + b * p->block_rows * columns, size)};
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
  SSNE_TRY(digest_rows(e, x, e->from.columns, digest, err));
  ssne_code code = ssne_store_get_text(e->store, "features_digest", &kept, err);
  if (code == SSNE_OK) code = job_is_complete(e->store, "neighbours_complete", &neighbours, err);
  const bool differs = neighbours && kept && strcmp(kept, digest) != 0;
  ssne_free(&kept);
  if (code == SSNE_OK && differs && !e->j->options.output.fresh)
    code = ssne_fail(err, SSNE_USAGE,
                     "the features have changed since %s was begun: choose another --out, or start "
                     "over with --fresh",
                     e->path);
  SSNE_TRY_ALL(e->j->comm, code, err);
  if (differs) SSNE_TRY(ssne_store_set_text(e->store, "neighbours_complete", "no", err));
  return ssne_store_set_text(e->store, "features_digest", digest, err);
}

/* Errors call rows by their numbers in the file, which the bad images are part of. */
static int64_t number_in_file(const void *chosen, int64_t row) {
  return selection_to_file(chosen, row);
}

ssne_rows_options embedding_rows_options(const embedding *e) {
  const embed_options *o = &e->j->options.embed;
  return (ssne_rows_options){.metric =
                                 strcmp(o->metric, "cosine") == 0 ? SSNE_COSINE : SSNE_EUCLIDEAN,
                             .pca = o->pca,
                             .threads = e->j->threads,
                             .number = number_in_file,
                             .of = &e->chosen};
}

ssne_code embedding_load_rows(embedding *e, ssne_error *err) {
  const ssne_rows_options options = embedding_rows_options(e);
  ssne_moment since = ssne_moment_now();
  float *x = NULL;
  ssne_code code =
      ssne_alloc(&x, e->partition.own_rows * e->from.columns, sizeof *x, "feature values", err);
  if (code == SSNE_OK) code = source_read(&e->from, &e->chosen, &e->partition, x, err);
  code = ssne_agree(e->j->comm, code, err);
  if (code == SSNE_OK)
    code =
        ssne_rows_prepare(x, e->from.columns, &e->partition, &options, e->j->comm, &e->rows, err);
  if (code == SSNE_OK) code = identify_rows(e, x, err);
  ssne_free(&x);
  if (code == SSNE_OK && e->rows.identical) {
    ssne_rows_free(&e->rows);
    code = ssne_fail(err, SSNE_FAILED,
                     "all %" PRId64 " rows are identical: there is nothing to map", e->chosen.rows);
  }
  ssne_stages_lap(&e->j->stages, "read features", e->partition.own_rows, &since);
  return code;
}

bool embedding_starts_spectral(const embedding *e, bool *or_pca) {
  const char *init = e->j->options.embed.init;
  const bool either = strcmp(init, "spectral,pca") == 0;
  if (or_pca) *or_pca = either;
  return either || strcmp(init, "spectral") == 0;
}

bool embedding_uses_tao(const embedding *e) {
  return strcmp(e->j->options.embed.optimizer, "tao") == 0;
}

ssne_petsc_options embedding_petsc_options(const embedding *e) {
  return (ssne_petsc_options){.text = e->j->options.embed.petsc,
                              .shared =
                                  embedding_starts_spectral(e, NULL) && embedding_uses_tao(e)};
}

bool embedding_starts_from_file(const embedding *e) {
  const char *init = e->j->options.embed.init;
  return strcmp(init, "pca") != 0 && strcmp(init, "random") != 0 &&
         !embedding_starts_spectral(e, NULL);
}

/* Not collective. */
static ssne_code read_own_start(embedding *e, source *from, ssne_error *err) {
  const char *init = e->j->options.embed.init;
  const int64_t values = 2 * e->partition.own_rows;
  if (from->rows != e->chosen.file_rows || from->columns != 2)
    return ssne_fail(err, SSNE_USAGE,
                     "--init %s holds %" PRId64 " x %" PRId64 " values; %" PRId64 " x 2 are needed",
                     init, from->rows, from->columns, e->chosen.file_rows);
  SSNE_TRY(ssne_alloc(&e->start, values, sizeof *e->start, "coordinates", err));
  SSNE_TRY(source_read(from, &e->chosen, &e->partition, e->start, err));
  for (int64_t i = 0; i < values; i++)
    if (!isfinite(e->start[i]))
      return ssne_fail(err, SSNE_USAGE, "--init %s: row %" PRId64 " is not finite", init,
                       selection_to_file(&e->chosen, e->partition.first_row + i / 2));
  return SSNE_OK;
}

/* Collective: what needs PETSc, and what of it is out of place. */
static ssne_code check_petsc(const embedding *e, ssne_error *err) {
  const embed_options *o = &e->j->options.embed;
  const bool spectral = embedding_starts_spectral(e, NULL), tao = embedding_uses_tao(e);
  if (o->petsc && !spectral && !tao)
    return ssne_fail(err, SSNE_USAGE,
                     "--petsc is for --init spectral and --optimizer tao, and --init is %s",
                     o->init);
  if (tao && o->snapshot_every % SSNE_HISTORY_EVERY != 0)
    return ssne_fail(err, SSNE_USAGE,
                     "--snapshot-every %" PRId64 " with --optimizer tao: give a multiple of %d",
                     o->snapshot_every, SSNE_HISTORY_EVERY);
  if (!spectral && !tao) return SSNE_OK;
  const char *what = spectral ? "--init spectral (pca is the default)" : "--optimizer tao";
  return ssne_agree(e->j->comm, e->j->rank == 0 ? ssne_petsc_check(what, err) : SSNE_OK, err);
}

ssne_code embedding_read_start(embedding *e, ssne_error *err) {
  source from = {.store = NULL};
  SSNE_TRY(check_petsc(e, err));
  if (!embedding_starts_from_file(e)) return SSNE_OK;
  SSNE_TRY(source_open(e->j->options.embed.init, e->j->comm, &from, err));
  const ssne_code code = ssne_agree(e->j->comm, read_own_start(e, &from, err), err);
  source_close(&from);
  return code == SSNE_OK ? digest_rows(e, e->start, 2, e->start_digest, err) : code;
}

/* --- all of it --------------------------------------------------------------------------- */

ssne_code embedding_open(embedding *e, bool *found, bool *complete, ssne_error *err) {
  *found = true;
  *complete = false;
  SSNE_TRY(e->own_features ? open_features(e, err) : open_existing(e, found, err));
  return *found ? compare(e, complete, err) : SSNE_OK;
}

ssne_code embedding_open_input(embedding *e, ssne_error *err) {
  SSNE_TRY(open_source(e, err));
  SSNE_TRY(check_size(e, err));
  return check_labels(e, err);
}
