/* From features to an embedding: read own rows, neighbours, affinities, start, descent, write. */
#include "account.h"
#include "forecast.h"
#include "history.h"
#include "work.h"

#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/petsc.h"
#include "shardsne/render.h"
#include "shardsne/traffic.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int64_t embedding_columns(const embedding *e) {
  const int64_t pca = e->j->options.embed.pca;
  return pca > 0 && pca < e->from.columns ? pca : e->from.columns;
}

double job_perplexity(const embed_options *o) {
  double most = 0;
  for (int i = 0; i < o->perplexity.count; i++) most = fmax(most, o->perplexity.value[i]);
  return most;
}

ssne_code embedding_write(ssne_store *s, ssne_set set, int64_t first, int64_t rows, void *data,
                          ssne_error *err) {
  return ssne_store_write(s, set, first, rows, data, err);
}

ssne_code embedding_move_rows(embedding *e, ssne_set set, embedding_transfer move, int64_t first,
                              int64_t rows, void *data, int64_t size, ssne_error *err) {
  for (int64_t done = 0; done < rows;) {
    const int64_t row = e->partition.first_row + first + done;
    const int64_t run = selection_run(&e->chosen, row, rows - done);
    SSNE_TRY(move(e->store, set, selection_to_file(&e->chosen, row), run,
                  (char *)data + done * size, err));
    done += run;
  }
  return SSNE_OK;
}

/* --- affinities, start, descent ---------------------------------------------------------- */

static ssne_code build_affinities(embedding *e, ssne_error *err) {
  const ssne_option_reals *p = &e->j->options.embed.perplexity;
  ssne_moment since = ssne_moment_now();
  SSNE_TRY(ssne_affinities_build(&e->neighbours, &e->order, p->value, p->count, e->j->threads,
                                 e->j->comm, &e->affinities, err));
  ssne_stages_lap(&e->j->stages, "affinities", e->partition.own_rows, &since);
  work_account_affinities(e);
  return SSNE_OK;
}

/* Collective: the coordinates to begin with, in the order of the descent. */
static ssne_code make_start(embedding *e, ssne_error *err) {
  const embed_options *o = &e->j->options.embed;
  ssne_moment since = ssne_moment_now();
  float *xy = e->state.xy;
  if (e->start)
    memcpy(xy, e->start, (size_t)e->partition.own_rows * 2 * sizeof *xy);
  else if (strcmp(o->init, "random") != 0) /* a spectral one takes its place, if it can be had */
    SSNE_TRY(ssne_start_pca(&e->rows, (uint64_t)o->seed, e->j->threads, e->j->comm, xy, err));
  else
    ssne_start_random(&e->partition, (uint64_t)o->seed, xy);
  SSNE_TRY(ssne_order_to_places(&e->order, &e->partition, e->j->comm, xy, err));
  ssne_stages_lap(&e->j->stages, "start", e->partition.own_rows, &since);
  return SSNE_OK;
}

/* Collective: replaces the start, from P and in the order of the descent, where a spectral one is
 * wanted. */
static ssne_code make_spectral_start(embedding *e, ssne_error *err) {
  const embed_options *o = &e->j->options.embed;
  ssne_moment since = ssne_moment_now();
  bool or_pca = false;
  if (e->resumed || !embedding_starts_spectral(e, &or_pca)) return SSNE_OK;
  const ssne_petsc_options petsc = embedding_petsc_options(e);
  const ssne_code code =
      ssne_start_spectral(&e->affinities, (uint64_t)o->seed, &petsc, e->j->threads, e->j->stop,
                          e->j->comm, e->state.xy, err);
  ssne_stages_lap(&e->j->stages, "spectral start", e->partition.own_rows, &since);
  if (code == SSNE_OK || code == SSNE_STOPPED) return code;
  if (code != SSNE_FAILED || !or_pca) return ssne_fail_in(err, "--init %s", o->init);
  ssne_log_warn(e->j->log, "the start is that of --init pca: %s", err->text);
  return SSNE_OK;
}

/* Collective: what a checkpoint must say it belongs to: the same rows, options, neighbours and
 * start lead to the same descent. */
static ssne_code name_owner(embedding *e, ssne_error *err) {
  char *features = NULL, *made = NULL;
  ssne_code code = ssne_store_get_text(e->store, "features_digest", &features, err);
  if (code == SSNE_OK) code = ssne_store_get_text(e->store, "neighbours_made", &made, err);
  const char *const parts[] = {e->recorded, features ? features : "", made ? made : "",
                               e->start_digest};
  size_t size = 1;
  for (int i = 0; i < 4; i++) size += strlen(parts[i]) + 1;
  if (code == SSNE_OK) code = ssne_alloc(&e->owner, (int64_t)size, 1, "characters", err);
  if (code == SSNE_OK)
    snprintf(e->owner, size, "%s\n%s\n%s\n%s", parts[0], parts[1], parts[2], parts[3]);
  ssne_free(&features);
  ssne_free(&made);
  return ssne_agree(e->j->comm, code, err);
}

/* Collective: the state of a run that was stopped, or the start. */
static ssne_code begin(embedding *e, ssne_error *err) {
  const MPI_Comm comm = e->j->comm;
  ssne_moment since = ssne_moment_now();
  SSNE_TRY(name_owner(e, err));
  SSNE_TRY_ALL(comm, ssne_tsne_state_allocate(&e->partition, &e->schedule, &e->state, err), err);
  SSNE_TRY(checkpoint_open(e->j, e->path, e->owner, e->rule, &e->partition, &e->schedule,
                           &e->checkpoint, err));
  if (e->j->options.output.fresh) SSNE_TRY(checkpoint_remove(&e->checkpoint, err));
  SSNE_TRY(checkpoint_load(&e->checkpoint, e->j->options.embed.resume_from, &e->state, &e->resumed,
                           err));
  if (!e->resumed) SSNE_TRY(make_start(e, err));
  if (!e->resumed) return SSNE_OK;
  ssne_stages_lap(&e->j->stages, "read checkpoint", e->partition.own_rows, &since);
  ssne_log_info(e->j->log, "embedding: going on from the checkpoint of iteration %" PRId64,
                e->state.steps);
  return SSNE_OK;
}

ssne_force_options embedding_force_options(const embedding *e) {
  const embed_options *o = &e->j->options.embed;
  return (ssne_force_options){.repulsion = strcmp(o->repulsion, "auto") == 0 ? SSNE_REPULSION_AUTO
                                           : strcmp(o->repulsion, "mesh") == 0
                                               ? SSNE_REPULSION_MESH
                                               : SSNE_REPULSION_EXACT,
                              .tail_df = o->tail_df,
                              .mesh_order = o->mesh_order[0] - '0',
                              .mesh_step = o->mesh_step,
                              .threads = e->j->threads};
}

static ssne_tsne_options schedule_of(const embedding *e) {
  const embed_options *o = &e->j->options.embed;
  return (ssne_tsne_options){.optimiser = embedding_uses_tao(e) ? SSNE_OPTIMISER_TAO
                                                                : SSNE_OPTIMISER_DESCENT,
                             .petsc = embedding_petsc_options(e),
                             .early_iterations = o->early_iterations,
                             .iterations = o->iterations,
                             .exaggeration = o->exaggeration,
                             .late_exaggeration = o->late_exaggeration,
                             .learning_rate = o->learning_rate,
                             .momentum = o->momentum,
                             .step_limit = o->step_limit,
                             .flat = o->flat,
                             .forces = embedding_force_options(e)};
}

/* An ssne_tsne_watch. The snapshot first: a run that goes on from a checkpoint has all before it.
 */
static ssne_code watch(void *context, const ssne_tsne_state *state, ssne_error *err) {
  embedding *e = context;
  SSNE_TRY(snapshots_keep(&e->snapshots, state, err));
  return checkpoint_watch(&e->checkpoint, state, err);
}

static ssne_code descend(embedding *e, ssne_error *err) {
  ssne_traffic before, after;
  ssne_traffic_now(&before);
  SSNE_TRY(ssne_tsne_descend(&e->affinities, &e->schedule, watch, e, e->j->stop, e->j->comm,
                             e->j->log, &e->j->stages, &e->state, err));
  ssne_traffic_now(&after);
  work_account_descent(e);
  after = ssne_traffic_between(&before, &after);
  SSNE_TRY(ssne_traffic_record(&after, "descent", e->j->comm, e->j->log, err));
  return ssne_order_to_rows(&e->order, &e->partition, e->j->comm, e->state.xy, err);
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
  if (code == SSNE_OK) ssne_partition_counts(&e->partition, counts);
  if (code == SSNE_OK)
    code = ssne_gather(e->state.xy, e->partition.own_rows, all, counts, 2 * sizeof *all, 0,
                       e->j->comm, err);
  if (code == SSNE_OK && root) code = write_normalized(e, all, err);
  ssne_free(&all);
  ssne_free(&counts);
  return ssne_agree(e->j->comm, code, err);
}

/* Collective: the record names what came in and what came out. */
static ssne_code record_digests(embedding *e, ssne_error *err) {
  char *features = NULL, coordinates[SSNE_DIGEST_LENGTH];
  SSNE_TRY(ssne_store_digest(e->store, SSNE_SET_COORDINATES, coordinates, err));
  const ssne_code code = ssne_store_get_text(e->store, "features_digest", &features, err);
  if (features) job_record_digest(e->j, "features", features);
  job_record_digest(e->j, ssne_store_name(SSNE_SET_COORDINATES), coordinates);
  ssne_free(&features);
  return ssne_agree(e->j->comm, code, err);
}

/* Collective: says that the embedding is done, and how long it took. */
static ssne_code finish(embedding *e, ssne_error *err) {
  char *stages = NULL;
  SSNE_TRY(record_digests(e, err));
  SSNE_TRY(account_write(e->j, e->first_stage, ssne_clock() - e->began, e->resumed, &stages, err));
  const ssne_edit done[] = {ssne_edit_text(ACCOUNT_OF_EMBED, stages),
                            ssne_edit_text("embed_complete", "yes")};
  const ssne_code code = ssne_store_change(e->store, done, 2, err);
  ssne_free(&stages);
  return code;
}

static ssne_code write_embedding(embedding *e, ssne_error *err) {
  const MPI_Comm comm = e->j->comm;
  ssne_moment since = ssne_moment_now();
  const ssne_edit sets[] = {ssne_edit_define(SSNE_SET_COORDINATES, e->chosen.file_rows, 2, 0),
                            ssne_edit_define(SSNE_SET_NORMALIZED, e->chosen.file_rows, 2, 0),
                            ssne_edit_define(SSNE_SET_HISTORY, e->state.history_count, 1, 0)};
  SSNE_TRY(ssne_store_change(e->store, sets, 3, err));
  SSNE_TRY_ALL(comm,
               embedding_move_rows(e, SSNE_SET_COORDINATES, embedding_write, 0,
                                   e->partition.own_rows, e->state.xy,
                                   2 * (int64_t)sizeof *e->state.xy, err),
               err);
  SSNE_TRY(normalise(e, err));
  ssne_code code = SSNE_OK;
  if (e->j->rank == 0)
    code = history_write(e->store, e->state.history, 0, e->state.history_count, err);
  SSNE_TRY_ALL(comm, code, err);
  SSNE_TRY(ssne_store_flush(e->store, err));
  ssne_stages_lap(&e->j->stages, "write embedding", e->partition.own_rows, &since);
  return finish(e, err);
}

/* --- all of it --------------------------------------------------------------------------- */

static void plan(embedding *e) {
  e->partition = ssne_partition_make(e->chosen.rows, SSNE_ROWS_BLOCK, e->j->ranks, e->j->rank);
  e->k = (int64_t)floor(3 * job_perplexity(&e->j->options.embed));
  e->schedule = schedule_of(e);
}

static void announce(const embedding *e) {
  const job *j = e->j;
  ssne_log_info(j->log,
                "embedding: %" PRId64 " rows x %" PRId64 ", perplexity %g%s, %" PRId64
                " neighbours, %d rank%s x %d thread%s",
                e->chosen.rows, e->from.columns, job_perplexity(&j->options.embed),
                j->options.embed.perplexity.count > 1 ? " at most" : "", e->k, j->ranks,
                j->ranks == 1 ? "" : "s", j->threads, j->threads == 1 ? "" : "s");
}

static ssne_code compute(embedding *e, ssne_error *err) {
  const MPI_Comm comm = e->j->comm;
  const ssne_stop *stop = e->j->stop;
  SSNE_TRY(embedding_keep_samples(e, err));
  SSNE_TRY(embedding_load_rows(e, err));
  SSNE_TRY(ssne_stop_agree(stop, "before the neighbours were searched", comm, err));
  SSNE_TRY(embedding_neighbours(e, err));
  SSNE_TRY(ssne_stop_agree(stop, "with the neighbours kept", comm, err));
  SSNE_TRY(begin(e, err));
  ssne_rows_free(&e->rows);
  SSNE_TRY(build_affinities(e, err));
  SSNE_TRY(make_spectral_start(e, err));
  SSNE_TRY(snapshots_begin(&e->snapshots, e->j, e->store, &e->chosen, &e->partition, &e->order,
                           &e->state, e->resumed, err));
  SSNE_TRY(descend(e, err));
  const ssne_tsne_record *last = &e->state.history[e->state.history_count - 1];
  ssne_log_info(e->j->log, "embedding: KL %.4f after %" PRId64 " iterations", last->kl,
                last->iteration);
  SSNE_TRY(write_embedding(e, err));
  return checkpoint_remove(&e->checkpoint, err);
}

/* Paths as they are recorded and compared: the same wherever the command is given. */
static ssne_code resolve_inputs(embedding *e, ssne_error *err) {
  embed_options *o = &e->j->options.embed;
  char **paths[] = {&o->features, &o->labels, embedding_starts_from_file(e) ? &o->init : NULL};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    if (paths[i] && *paths[i] && !strstr(*paths[i], ":/"))
      SSNE_TRY(job_resolve(e->j, paths[i], err));
  return SSNE_OK;
}

static ssne_code embed(embedding *e, ssne_error *err) {
  const ssne_option_group groups[] = {embed_input_group(&e->j->options),
                                      embed_group(&e->j->options)};
  bool complete = false, found = true;
  SSNE_TRY(checkpoint_parse(e->j->options.embed.checkpoint_every, &e->rule, err));
  SSNE_TRY(snapshots_check(&e->j->options.embed, err));
  SSNE_TRY(resolve_inputs(e, err));
  SSNE_TRY_ALL(e->j->comm, ssne_options_to_json(groups, 2, true, &e->recorded, err), err);
  SSNE_TRY(embedding_open(e, &found, &complete, err));
  if (complete) {
    ssne_log_info(e->j->log, "embedding: %s has it; kept", e->path);
    SSNE_TRY(checkpoint_forget(e->j, e->path, err));
    snapshots_warn(e->j, e->store, e->path);
    return ssne_store_close(&e->store, err);
  }
  SSNE_TRY(embedding_open_input(e, err));
  plan(e);
  SSNE_TRY(embedding_read_start(e, err));
  announce(e);
  SSNE_TRY(forecast_embedding(e, err));
  if (e->j->options.embed.dry_run) return ssne_store_close(&e->store, err);
  if (!found)
    SSNE_TRY(embedding_create_file(e, err));
  else if (!e->own_features && e->j->options.output.fresh)
    SSNE_TRY(
        job_sign(e->j, e->store, err)); /* what it kept serves, but the file is this program's */
  const ssne_edit begun[] = {ssne_edit_text("embed_complete", "no"),
                             ssne_edit_text("embed_options", e->recorded),
                             ssne_edit_text("slurm_job", job_of_slurm()),
                             ssne_edit_text("library_petsc", ssne_petsc_library())};
  const bool petsc = embedding_starts_spectral(e, NULL) || embedding_uses_tao(e);
  SSNE_TRY(ssne_store_change(e->store, begun, petsc ? 4 : 3, err));
  SSNE_TRY(compute(e, err));
  return ssne_store_close(&e->store, err);
}

ssne_code embed_run_file(job *j, const char *path, ssne_error *err) {
  embedding e = {.j = j,
                 .path = path,
                 .began = ssne_clock(),
                 .first_stage = j->stages.count,
                 .own_features = j->options.embed.features == NULL};
  if (e.own_features)
    snprintf(e.advice, sizeof e.advice, "embed anew with `shardsne embed %.900s --fresh`", path);
  else
    snprintf(e.advice, sizeof e.advice, "choose another --out, or start over with --fresh");
  const ssne_code code = embed(&e, err);
  ssne_error later; /* a failure to close must not hide the first one */
  (void)ssne_store_close(&e.store, &later);
  source_close(&e.from);
  source_close(&e.labels);
  ssne_free(&e.start);
  selection_free(&e.chosen);
  ssne_rows_free(&e.rows);
  ssne_affinities_free(&e.affinities);
  ssne_neighbours_free(&e.neighbours);
  ssne_order_free(&e.order);
  ssne_tsne_state_free(&e.state);
  checkpoint_close(&e.checkpoint);
  snapshots_free(&e.snapshots);
  ssne_free(&e.owner);
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
  if (j->options.embed.dry_run) return SSNE_OK;
  SSNE_TRY(job_account(j, ssne_clock() - start, err));
  ssne_log_info(j->log, "the embedding is in %s", path);
  return SSNE_OK;
}
