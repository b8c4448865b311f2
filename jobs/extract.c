/* Features of every image: scan, prepare the run file, run the pipeline, write what it delivers. */
#include "account.h"
#include "arrays.h"
#include "pipeline.h"
#include "selection.h"
#include "shard.h"

#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LISTED 20         /* bad images named in the log */
#define TAKE_SECONDS 0.02 /* how long to wait for a block between two beats */
#define IDLE_MICROSECONDS 5000

typedef struct extraction {
  job *j;
  const char *path;
  double began;    /* by ssne_clock */
  int first_stage; /* of the job's stages */
  char *recorded;  /* the options as they stand in the file */
  char model_digest[SSNE_DIGEST_LENGTH];
  ssne_input *input;
  shard images;
  ssne_transform transform;
  int width, height;
  ssne_model *model;
  ssne_store *store;
  bool resumed, stopped;
  uint8_t *block_done; /* [own_blocks] */
  int64_t most_bad;
  int64_t rows_done, rows_bad; /* of this rank */
  ssne_error first_bad;        /* the lowest bad row of this rank, in words */
  int64_t first_bad_row;
} extraction;

/* --- what is kept ------------------------------------------------------------------------ */

#define SAMPLE_SETS (6 + SSNE_FEATURE_SETS)

/* What describes the samples, and has room for what becomes of them. */
static int list_sets(const extraction *x, ssne_edit sets[SAMPLE_SETS]) {
  const shard_facts *f = &x->images.facts;
  const int outputs = ssne_model_outputs(x->model);
  int count = 0;
  for (int i = 0; i < outputs; i++)
    sets[count++] =
        ssne_edit_define(ssne_features_set(i), f->count, ssne_model_width(x->model, i), 0);
  sets[count++] = ssne_edit_define(SSNE_SET_LABELS, f->count, 1, 0);
  sets[count++] = ssne_edit_define(SSNE_SET_SAMPLE_NAMES, f->count, 1, f->longest_name);
  sets[count++] = ssne_edit_define(SSNE_SET_SAMPLE_STATUS, f->count, 1, 0);
  sets[count++] = ssne_edit_define(SSNE_SET_SAMPLE_REASON, f->count, 1, PIPELINE_REASON_WIDTH);
  sets[count++] = ssne_edit_define(SSNE_SET_BLOCK_DONE, x->images.partition.blocks, 1, 0);
  if (f->class_count > 0)
    sets[count++] = ssne_edit_define(SSNE_SET_CLASSES, f->class_count, 1, f->longest_class);
  return count;
}

/* --- what is there already --------------------------------------------------------------- */

typedef enum found { NOTHING, PARTIAL, WHOLE } found;

/* Collective: rank 0 looks, all get its answer. */
static ssne_code look(extraction *x, found *what, ssne_error *err) {
  *what = NOTHING;
  if (x->j->rank == 0 && !x->j->options.output.fresh) {
    if (ssne_store_exists(x->path, true)) *what = PARTIAL;
    if (ssne_store_exists(x->path, false)) *what = WHOLE;
  }
  return ssne_broadcast(what, sizeof *what, 0, x->j->comm, err);
}

/* Not collective: that the open file was made by this command. */
static ssne_code compare(extraction *x, ssne_error *err) {
  ssne_option_group group = extract_group(&x->j->options);
  char *made = NULL, *digest = NULL;
  ssne_code code = ssne_store_get_text(x->store, "extract_options", &made, err);
  if (code == SSNE_OK) code = ssne_store_get_text(x->store, "model_digest", &digest, err);
  if (code == SSNE_OK && (!made || !digest))
    code = ssne_fail(err, SSNE_USAGE,
                     "%s exists and holds no features of `extract`: choose another --out, or "
                     "replace it with --fresh",
                     x->path);
  if (code == SSNE_OK)
    code = ssne_options_compare(&group, 1, made, x->path,
                                "choose another --out, or start over with --fresh", err);
  if (code == SSNE_OK && strcmp(digest, x->model_digest) != 0)
    code = ssne_fail(err, SSNE_USAGE,
                     "%s was made with a model of digest %s, %s has %s: choose another --out, or "
                     "start over with --fresh",
                     x->path, digest, x->j->options.extract.model, x->model_digest);
  ssne_free(&made);
  ssne_free(&digest);
  return code;
}

/* Collective: the file at `path` is whole; checks that it is what the command would make. */
static ssne_code accept_whole(extraction *x, ssne_error *err) {
  SSNE_TRY(ssne_store_open(x->path, false, x->j->comm, &x->store, NULL, err));
  SSNE_TRY_ALL(x->j->comm, compare(x, err), err);
  ssne_log_info(x->j->log, "features: %s has them all; kept", x->path);
  return ssne_store_close(&x->store, err);
}

/* Not collective: that the images are those the open file was begun with. */
static ssne_code compare_images(extraction *x, ssne_error *err) {
  char *digest = NULL;
  ssne_code code = ssne_store_get_text(x->store, "samples_digest", &digest, err);
  if (code == SSNE_OK && (!digest || strcmp(digest, x->images.facts.digest) != 0))
    code = ssne_fail(err, SSNE_USAGE,
                     "the images in %s have changed since %s.partial was begun: start over with "
                     "--fresh",
                     x->j->options.extract.images, x->path);
  ssne_free(&digest);
  return code;
}

/* Not collective: features of one file come from one kind of device. */
static ssne_code compare_device(extraction *x, ssne_error *err) {
  char *device = NULL;
  const char *now = ssne_model_device(x->model);
  ssne_code code = ssne_store_get_text(x->store, "device", &device, err);
  if (code == SSNE_OK && device && strncmp(device, now, 3) != 0)
    code = ssne_fail(err, SSNE_USAGE,
                     "%s.partial was begun on %s, this command runs on %s, which rounds otherwise: "
                     "use the same --device, or start over with --fresh",
                     x->path, device, now);
  ssne_free(&device);
  return code;
}

/* Not collective: the open file's datasets are of the sizes that this command makes. */
static ssne_code compare_sets(extraction *x, ssne_error *err) {
  ssne_edit sets[SAMPLE_SETS];
  const int count = list_sets(x, sets);
  for (int i = 0; i < count; i++) {
    const ssne_edit *e = &sets[i];
    ssne_set_shape shape = {0};
    SSNE_TRY(ssne_store_shape(x->store, e->set, &shape, err));
    if (shape.exists && (shape.rows != e->rows || shape.columns != e->columns ||
                         (e->width && shape.width != e->width)))
      return ssne_fail(err, SSNE_FAILED,
                       "%s.partial is damaged: its datasets are not of the sizes that this command "
                       "makes; start over with --fresh",
                       x->path);
  }
  return SSNE_OK;
}

/* Collective: opens what a stopped run has left. Where that was stopped before the file was ready
 * for rows, *usable is false; where it cannot be read, that is an error. */
static ssne_code accept_partial(extraction *x, bool *usable, ssne_error *err) {
  *usable = false;
  if (ssne_store_open(x->path, true, x->j->comm, &x->store, NULL, err) != SSNE_OK)
    return ssne_fail_in(err, "what an earlier run has left cannot be read (--fresh replaces it)");
  SSNE_TRY_ALL(x->j->comm, job_is_complete(x->store, "extract_prepared", usable, err), err);
  if (!*usable) return ssne_store_close(&x->store, err);
  SSNE_TRY_ALL(x->j->comm, compare(x, err), err);
  SSNE_TRY_ALL(x->j->comm, compare_images(x, err), err);
  SSNE_TRY_ALL(x->j->comm, compare_device(x, err), err);
  return ssne_agree(x->j->comm, compare_sets(x, err), err);
}

/* --- a new run file ---------------------------------------------------------------------- */

static ssne_code define_all(extraction *x, ssne_error *err) {
  ssne_edit edits[SAMPLE_SETS + 5] = {
      ssne_edit_text("extract_options", x->recorded),
      ssne_edit_text("model", x->j->options.extract.model),
      ssne_edit_text("model_digest", x->model_digest),
      ssne_edit_text("device", ssne_model_device(x->model)),
      ssne_edit_text("samples_digest", x->images.facts.digest),
  };
  return ssne_store_change(x->store, edits, 5 + list_sets(x, edits + 5), err);
}

/* Collective: sets that `repair` could not bring back. */
static ssne_code define_missing(extraction *x, ssne_error *err) {
  ssne_edit all[SAMPLE_SETS], missing[SAMPLE_SETS];
  const int sets = list_sets(x, all);
  int count = 0;
  for (int i = 0; i < sets; i++) {
    ssne_set_shape shape;
    SSNE_TRY(ssne_store_shape(x->store, all[i].set, &shape, err));
    if (!shape.exists) missing[count++] = all[i];
  }
  return count > 0 ? ssne_store_change(x->store, missing, count, err) : SSNE_OK;
}

/* Not collective: this rank's names, and on rank 0 the classes, as fixed-width text. */
static ssne_code write_texts(extraction *x, ssne_error *err) {
  const shard *s = &x->images;
  const int64_t width = s->facts.longest_name, piece = 4096;
  const int64_t classes = s->partition.rank == 0 ? s->facts.class_count : 0;
  char *wide = NULL;
  SSNE_TRY(ssne_alloc(&wide, piece * width + classes * s->facts.longest_class, 1, "names", err));
  ssne_code code = SSNE_OK;
  for (int64_t r = 0; r < s->partition.own_rows && code == SSNE_OK; r += piece) {
    const int64_t left = s->partition.own_rows - r, rows = left < piece ? left : piece;
    shard_widen(s->names + s->name_offset[r], rows, width, wide);
    code = ssne_store_write(x->store, SSNE_SET_SAMPLE_NAMES, s->partition.first_row + r, rows, wide,
                            err);
  }
  if (code == SSNE_OK && classes > 0) {
    shard_widen(s->classes, classes, s->facts.longest_class, wide);
    code = ssne_store_write(x->store, SSNE_SET_CLASSES, 0, classes, wide, err);
  }
  ssne_free(&wide);
  return code;
}

/* Collective: what is known of the samples before any is read. A file that goes on gets it anew,
 * which mends what was damaged. */
static ssne_code write_samples(extraction *x, ssne_error *err) {
  const shard *s = &x->images;
  SSNE_TRY_ALL(x->j->comm, write_texts(x, err), err);
  return ssne_agree(x->j->comm,
                    ssne_store_write(x->store, SSNE_SET_LABELS, s->partition.first_row,
                                     s->partition.own_rows, s->label, err),
                    err);
}

static ssne_code create_file(extraction *x, ssne_error *err) {
  SSNE_TRY(ssne_store_create(x->path, x->j->comm, &x->store, err));
  /* under --fresh: else the same command without it, after a stop, would take the old file for the
   * result */
  SSNE_TRY_ALL(x->j->comm, x->j->rank == 0 ? ssne_store_delete(x->path, false, err) : SSNE_OK, err);
  SSNE_TRY(job_sign(x->j, x->store, err));
  SSNE_TRY(define_all(x, err));
  SSNE_TRY(write_samples(x, err));
  return ssne_store_set_text(x->store, "extract_prepared", "yes", err);
}

/* --- images and network ------------------------------------------------------------------ */

/* The owner of row 0: reads the first of its images that can be read. */
static ssne_code read_first(const extraction *x, ssne_input_reader *reader, ssne_error *err) {
  const shard *s = &x->images;
  ssne_code code = SSNE_FAILED;
  int64_t r = 0;
  /* no farther than the first block, which one rank owns whole however many there are */
  for (; r < ssne_partition_block_length(&s->partition, 0) && code != SSNE_OK; r++)
    code = ssne_input_read(x->input, s->names + s->name_offset[r], shard_place(s, r), reader, err);
  if (code == SSNE_OK) return SSNE_OK;
  return ssne_fail_in(err,
                      "none of the first images can be read, so their size is unknown (mend them, "
                      "or give --crop); %s/%s",
                      x->j->options.extract.images, s->names + s->name_offset[r - 1]);
}

/* The owner of row 0: the size of its first image, as the network will see it. */
static ssne_code probe_size(extraction *x, ssne_error *err) {
  ssne_input_reader reader = {.opened = 0};
  const ssne_code code = read_first(x, &reader, err);
  if (code == SSNE_OK)
    ssne_transform_size(&x->transform, reader.image.width, reader.image.height, &x->width,
                        &x->height);
  ssne_input_reader_free(&reader);
  return code;
}

/* Collective. */
static ssne_code choose_size(extraction *x, ssne_error *err) {
  const extract_options *o = &x->j->options.extract;
  const int prober = ssne_partition_owner(&x->images.partition, 0);
  x->transform = (ssne_transform){.resize = (int)o->resize,
                                  .crop = (int)o->crop,
                                  .channels = o->channels[0] - '0',
                                  .bicubic = strcmp(o->interpolation, "bicubic") == 0};
  for (int c = 0; c < 3; c++)
    if (o->std[c] == 0) return ssne_fail(err, SSNE_USAGE, "--std: colours cannot be divided by 0");
  int size[2] = {(int)o->crop, (int)o->crop};
  if (o->crop == 0) {
    SSNE_TRY_ALL(x->j->comm, x->j->rank == prober ? probe_size(x, err) : SSNE_OK, err);
    size[0] = x->width;
    size[1] = x->height;
    SSNE_TRY(ssne_broadcast(size, sizeof size, prober, x->j->comm, err));
  }
  x->width = size[0];
  x->height = size[1];
  return SSNE_OK;
}

/* The place of a word among `words`, which end with NULL, and have it. */
static int place_of(const char *word, const char *const *words) {
  int place = 0;
  while (words[place + 1] && strcmp(words[place], word) != 0) place++;
  return place;
}

static ssne_code load_model(extraction *x, ssne_error *err) {
  /* in the order of model.h */
  static const char *const pools[] = {"avg", "max", "none", "cls", NULL};
  static const char *const devices[] = {"auto", "cpu", "cuda", NULL};
  static const char *const precisions[] = {"float32", "bfloat16", "float16", NULL};
  const extract_options *o = &x->j->options.extract;
  ssne_model_options options = {
      .path = o->model,
      .layers = o->layer,
      .drop_last = o->drop_last,
      .pool = (ssne_pool)place_of(o->pool, pools),
      .unit_length = strcmp(o->normalize, "l2") == 0,
      .device = (ssne_device)place_of(o->device, devices),
      .precision = (ssne_precision)place_of(o->precision, precisions),
      .batch = o->batch,
      .channels = x->transform.channels,
      .height = x->height,
      .width = x->width,
      .local_rank = x->j->local_rank,
  };
  memcpy(options.mean, o->mean, sizeof o->mean);
  memcpy(options.std, o->std, sizeof o->std);
  return ssne_model_load(&options, &x->model, err);
}

/* --- the work ---------------------------------------------------------------------------- */

/* Not collective: which own blocks are done already: those of whose samples all are good and their
 * states whole, since states are written after the rows. A block with a bad image is tried again:
 * the image may have been mended. The marks in the file are made to say the same. */
static ssne_code read_progress(extraction *x, ssne_error *err) {
  const ssne_partition *p = &x->images.partition;
  uint8_t *status = NULL, *state = NULL;
  ssne_code code = ssne_alloc(&status, p->own_rows, 1, "states", err);
  if (code == SSNE_OK) code = ssne_alloc(&state, p->own_rows, 1, "states", err);
  if (code == SSNE_OK)
    code = ssne_store_examine(x->store, SSNE_SET_SAMPLE_STATUS, p->first_row, p->own_rows, status,
                              state, err);
  for (int64_t b = 0; b < p->own_blocks && code == SSNE_OK; b++) {
    const int64_t rows = ssne_partition_block_length(p, p->first_block + b);
    x->block_done[b] = 1;
    for (int64_t r = b * p->block_rows; r < b * p->block_rows + rows; r++)
      if (status[r] != SAMPLE_GOOD || state[r] != SSNE_ROW_WHOLE) x->block_done[b] = 0;
    if (x->block_done[b]) x->rows_done += rows;
  }
  if (code == SSNE_OK)
    code = ssne_store_write(x->store, SSNE_SET_BLOCK_DONE, p->first_block, p->own_blocks,
                            x->block_done, err);
  ssne_free(&status);
  ssne_free(&state);
  return code;
}

/* Keeps the lowest bad row for the error, should there be too many. */
static void note_bad(extraction *x, const pipeline_block *block) {
  const ssne_partition *p = &x->images.partition;
  for (int64_t r = 0; r < block->rows; r++) {
    const int64_t row = block->block * p->block_rows + r;
    if (block->state[r] != SAMPLE_BAD || (x->first_bad.code && x->first_bad_row < row)) continue;
    x->first_bad_row = row;
    (void)ssne_fail(&x->first_bad, SSNE_FAILED, "%s/%s: %s", x->j->options.extract.images,
                    x->images.names + x->images.name_offset[row - p->first_row],
                    block->reason + r * PIPELINE_REASON_WIDTH);
  }
}

static ssne_code write_features(extraction *x, int64_t first, const pipeline_block *block,
                                ssne_error *err) {
  const float *features = block->features;
  const int outputs = ssne_model_outputs(x->model);
  for (int i = 0; i < outputs; i++) {
    SSNE_TRY(ssne_store_write(x->store, ssne_features_set(i), first, block->rows, features, err));
    features += x->images.partition.block_rows * ssne_model_width(x->model, i);
  }
  return SSNE_OK;
}

/* Rows first, the mark that they are there last: a kill in between costs the block, no more. */
static ssne_code write_block(extraction *x, const pipeline_block *block, ssne_error *err) {
  const int64_t first = block->block * x->images.partition.block_rows;
  const uint8_t done = 1;
  SSNE_TRY(write_features(x, first, block, err));
  /* nearly always empty, and then not written: the file stays sparse there */
  if (block->bad || x->resumed)
    SSNE_TRY(
        ssne_store_write(x->store, SSNE_SET_SAMPLE_REASON, first, block->rows, block->reason, err));
  SSNE_TRY(
      ssne_store_write(x->store, SSNE_SET_SAMPLE_STATUS, first, block->rows, block->state, err));
  SSNE_TRY(ssne_store_write(x->store, SSNE_SET_BLOCK_DONE, block->block, 1, &done, err));
  x->rows_done += block->rows;
  x->rows_bad += block->bad;
  if (block->bad) note_bad(x, block);
  return SSNE_OK;
}

static ssne_code take_and_write(extraction *x, pipeline *p, bool *finished, double *writing,
                                ssne_error *err) {
  pipeline_block *block = NULL;
  SSNE_TRY(pipeline_take(p, TAKE_SECONDS, &block, finished, err));
  if (!block) return SSNE_OK;
  const double start = ssne_clock();
  const ssne_code code = write_block(x, block, err);
  *writing += ssne_clock() - start;
  pipeline_release(p, block);
  return code;
}

/* Writes and beats until all ranks have finished or one has failed; *bad becomes the number of bad
 * images of all ranks. Returns this rank's own code. */
static ssne_code work(extraction *x, pipeline *p, ssne_heartbeat *beat, double *writing,
                      int64_t *bad, ssne_error *err) {
  bool finished = false, over = false, fresh = false;
  ssne_code code = SSNE_OK;
  while (!over) {
    if (code == SSNE_OK && !finished)
      code = take_and_write(x, p, &finished, writing, err);
    else
      usleep(IDLE_MICROSECONDS); /* the others still compute: leave them the processor */
    const int64_t counts[SSNE_HEARTBEAT_COUNTS] = {x->rows_done, x->rows_bad,
                                                   ssne_stop_wanted(x->j->stop)};
    int64_t sums[SSNE_HEARTBEAT_COUNTS];
    ssne_error lost; /* a broken heartbeat: nothing is left to tell the others with */
    const bool failed = code != SSNE_OK;
    if (ssne_heartbeat_beat(beat, counts, finished, failed, sums, &fresh, &over, &lost)) {
      *err = lost;
      return lost.code;
    }
    if (!fresh) continue;
    *bad = sums[1];
    ssne_log_progress(x->j->log, sums[0], NULL);
    x->stopped = sums[2] > 0;
    if (*bad > x->most_bad || x->stopped) over = true; /* all ranks see the same sums at once */
  }
  return code;
}

static ssne_code judge_bad(extraction *x, int64_t bad, ssne_error *err) {
  if (bad <= x->most_bad) return SSNE_OK;
  if (x->first_bad.code == SSNE_OK) return SSNE_OK; /* another rank has them, and says so */
  *err = x->first_bad;
  return ssne_fail_in(err,
                      "%" PRId64 " image%s could not be read, --max-bad allows %" PRId64
                      "; what is done is kept; one of them",
                      bad, bad == 1 ? "" : "s", x->most_bad);
}

static ssne_code stop_here(const extraction *x, ssne_error *err) {
  char what[64];
  snprintf(what, sizeof what, "among the features of %" PRId64 " images", x->images.facts.count);
  return ssne_stop_fail(x->j->stop, what, err);
}

/* Collective. */
static ssne_code say_halved(const extraction *x, ssne_error *err) {
  int halved = ssne_model_halved(x->model);
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &halved, 1, MPI_INT, MPI_SUM, x->j->comm),
                          "MPI_Allreduce", err));
  if (halved > 0)
    ssne_log_warn(x->j->log,
                  "memory did not suffice for batches of %" PRId64
                  " on %d of %d ranks, which ran them as two halves from then on; these may round "
                  "otherwise: use a smaller --batch",
                  x->j->options.extract.batch, halved, x->j->ranks);
  return SSNE_OK;
}

static ssne_code run_pipeline(extraction *x, ssne_heartbeat *beat, ssne_error *err) {
  const pipeline_plan plan = {.partition = x->images.partition,
                              .input = x->input,
                              .source = x->j->options.extract.images,
                              .images = &x->images,
                              .block_done = x->block_done,
                              .transform = x->transform,
                              .width = x->width,
                              .height = x->height,
                              .model = x->model,
                              .threads = x->j->threads};
  pipeline *p = NULL;
  pipeline_times times = {0, 0, 0};
  double writing = 0;
  int64_t bad = 0;
  const int64_t before = x->rows_done;
  ssne_moment start = ssne_moment_now();
  ssne_code code = ssne_agree(x->j->comm, pipeline_start(&plan, &p, err), err);
  if (code != SSNE_OK) {
    pipeline_stop(&p, NULL); /* it runs, if another rank's did not start */
    return code;
  }
  ssne_log_progress_begin(x->j->log, "features", "images", x->images.facts.count);
  code = work(x, p, beat, &writing, &bad, err);
  ssne_log_progress_end(x->j->log);
  pipeline_stop(&p, &times);
  if (code == SSNE_OK) code = judge_bad(x, bad, err);
  if (code == SSNE_OK && x->stopped) code = stop_here(x, err);
  SSNE_TRY(say_halved(x, err));
  const int64_t treated = x->rows_done - before;
  ssne_stages_lap(&x->j->stages, "features", treated, &start);
  ssne_stages_add(&x->j->stages, "  decode (thread seconds)", treated, times.decoding);
  ssne_stages_add(&x->j->stages, "  transform (thread seconds)", treated, times.transform);
  ssne_stages_add(&x->j->stages, "  network (thread seconds)", treated, times.network);
  ssne_stages_add(&x->j->stages, "  write features", treated, writing);
  return ssne_agree(x->j->comm, code, err);
}

static ssne_code name_bad(extraction *x, int64_t row, bool aloud, char *name, ssne_error *err) {
  char reason[PIPELINE_REASON_WIDTH + 1] = "", shown[2][1024];
  SSNE_TRY(ssne_store_read(x->store, SSNE_SET_SAMPLE_NAMES, row, 1, name, err));
  SSNE_TRY(ssne_store_read(x->store, SSNE_SET_SAMPLE_REASON, row, 1, reason, err));
  ssne_text_utf8(name, shown[0], sizeof shown[0]);
  ssne_text_utf8(reason, shown[1], sizeof shown[1]);
  if (aloud) ssne_log_warn(x->j->log, "left out: %s: %s", shown[0], shown[1]);
  ssne_log_event(x->j->log, "bad_image", "{s:I, s:s, s:s}", "row", (long long)row, "name", shown[0],
                 "reason", shown[1]);
  return SSNE_OK;
}

/* Rank 0 names the bad images, from the file. */
static ssne_code list_bad(extraction *x, ssne_error *err) {
  selection chosen = {0};
  char *name = NULL;
  ssne_code code = selection_read(x->store, x->images.facts.count, &chosen, err);
  if (code == SSNE_OK)
    code = ssne_alloc(&name, x->images.facts.longest_name + 1, 1, "characters", err);
  const int64_t bad = chosen.file_rows - chosen.rows;
  for (int64_t b = 0; b < bad && code == SSNE_OK; b++)
    code = name_bad(x, chosen.bad[b], b < LISTED, name, err);
  if (bad > LISTED)
    ssne_log_warn(x->j->log, "... and %" PRId64 " more; /samples/status in %s marks them with 2",
                  bad - LISTED, x->path);
  ssne_free(&name);
  selection_free(&chosen);
  return code;
}

static ssne_code finish(extraction *x, ssne_error *err) {
  int64_t bad = x->rows_bad;
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &bad, 1, MPI_INT64_T, MPI_SUM, x->j->comm),
                          "MPI_Allreduce", err));
  SSNE_TRY(ssne_store_flush(x->store, err));
  if (bad > 0) SSNE_TRY_ALL(x->j->comm, x->j->rank == 0 ? list_bad(x, err) : SSNE_OK, err);
  char *stages = NULL;
  SSNE_TRY(account_write(x->j, x->first_stage, ssne_clock() - x->began, x->resumed, &stages, err));
  const ssne_edit done[] = {ssne_edit_text(ACCOUNT_OF_EXTRACT, stages),
                            ssne_edit_text("extract_complete", "yes")};
  const ssne_code code = ssne_store_change(x->store, done, 2, err);
  ssne_free(&stages);
  return code == SSNE_OK ? ssne_store_publish(&x->store, err) : code;
}

/* Collective: the record says where each rank runs its network. */
static ssne_code name_devices(const extraction *x, ssne_error *err) {
  struct place {
    char host[MPI_MAX_PROCESSOR_NAME], device[256];
  } own = {"", ""}, *all = NULL;
  const job *j = x->j;
  int length = 0;
  SSNE_TRY(
      ssne_mpi_check(MPI_Get_processor_name(own.host, &length), "MPI_Get_processor_name", err));
  snprintf(own.device, sizeof own.device, "%s", ssne_model_device(x->model));
  const ssne_code code = job_collect(j, &own, sizeof own, &all, err);
  for (int r = 0; j->rank == 0 && code == SSNE_OK && r < j->ranks; r++)
    ssne_log_event(j->log, "device", "{s:i, s:s, s:s}", "rank", r, "host", all[r].host, "device",
                   all[r].device);
  ssne_free(&all);
  return code;
}

static void introduce(const extraction *x) {
  const job *j = x->j;
  const shard_facts *f = &x->images.facts;
  char classes[64] = "";
  if (f->class_count > 0)
    snprintf(classes, sizeof classes, " in %" PRId64 " classes", f->class_count);
  ssne_log_info(j->log,
                "images: %" PRId64 "%s, from a source of kind: %s; %dx%d as the network sees them",
                f->count, classes, ssne_input_kind(x->input), x->width, x->height);
  if (j->options.extract.noted)
    ssne_log_info(j->log, "images: made ready as %s says of itself, and the options",
                  j->options.extract.model);
  if (f->ignored > 0)
    ssne_log_info(
        j->log,
        "images: %" PRId64
        " other files are no images by their extension, or lie beside the class folders; ignored",
        f->ignored);
  if (f->unlabelled > 0)
    ssne_log_warn(j->log,
                  "images: none of the %" PRId64
                  " .json files beside them has a member `label` or `cls`: read without labels",
                  f->unlabelled);
  char features[200] = "";
  for (int i = 0; i < ssne_model_outputs(x->model); i++)
    snprintf(features + strlen(features), sizeof features - strlen(features), "%s%" PRId64,
             i > 0 ? " and " : "", ssne_model_width(x->model, i));
  ssne_log_info(
      j->log, "network: %s on %s, %s features, batches of %" PRId64 ", %d rank%s x %d thread%s",
      j->options.extract.model, ssne_model_device(x->model), features, j->options.extract.batch,
      j->ranks, j->ranks == 1 ? "" : "s", j->threads, j->threads == 1 ? "" : "s");
  const char *warning = ssne_model_warning(x->model);
  if (warning) ssne_log_warn(j->log, "%s: %s", j->options.extract.model, warning);
}

/* Everything but the file: images, their size, the network. */
static ssne_code prepare(extraction *x, ssne_error *err) {
  const extract_options *o = &x->j->options.extract;
  ssne_moment start = ssne_moment_now();
  SSNE_TRY_ALL(x->j->comm, ssne_input_open(o->images, o->labels, &arrays_of_hdf5, &x->input, err),
               err);
  char index[4096]; /* a longer path is none, and the run will say so */
  const bool fits = snprintf(index, sizeof index, "%s.index", x->path) < (int)sizeof index;
  SSNE_TRY(
      shard_scan(x->input, o->images, fits ? index : NULL, o->batch, x->j->comm, &x->images, err));
  if (x->images.facts.index == SHARD_INDEX_READ)
    ssne_log_info(x->j->log, "images: by the index %s", index);
  if (x->images.facts.index == SHARD_INDEX_FAILED)
    ssne_log_warn(x->j->log,
                  "the index %s cannot be written; the tars will be scanned again next time",
                  index);
  SSNE_TRY_ALL(
      x->j->comm,
      ssne_input_hold(x->input, x->images.partition.first_row, x->images.partition.own_rows, err),
      err);
  SSNE_TRY(options_max_bad(o->max_bad, x->images.facts.count, &x->most_bad, err));
  SSNE_TRY(choose_size(x, err));
  ssne_stages_lap(&x->j->stages, "scan images", x->images.partition.own_rows, &start);
  SSNE_TRY_ALL(x->j->comm, load_model(x, err), err);
  ssne_stages_lap(&x->j->stages, "load network", 1, &start);
  return ssne_agree(x->j->comm,
                    ssne_alloc(&x->block_done, x->images.partition.own_blocks, 1, "blocks", err),
                    err);
}

static ssne_code extract_rows(extraction *x, found what, ssne_error *err) {
  SSNE_TRY(prepare(x, err));
  introduce(x);
  SSNE_TRY(name_devices(x, err));
  job_record_digest(x->j, "model", x->model_digest);
  job_record_digest(x->j, "samples", x->images.facts.digest);
  if (what == PARTIAL) SSNE_TRY(accept_partial(x, &x->resumed, err));
  if (!x->resumed) SSNE_TRY(create_file(x, err));
  if (x->resumed) {
    SSNE_TRY(define_missing(x, err));
    SSNE_TRY(write_samples(x, err));
    SSNE_TRY_ALL(x->j->comm, read_progress(x, err), err);
    ssne_log_info(x->j->log, "features: going on with %s.partial", x->path);
  }
  ssne_heartbeat *beat = NULL;
  SSNE_TRY(ssne_heartbeat_create(x->j->comm, &beat, err));
  const ssne_code code = run_pipeline(x, beat, err);
  ssne_heartbeat_destroy(&beat);
  return code == SSNE_OK ? finish(x, err) : code;
}

static ssne_code identify(extraction *x, ssne_error *err) {
  extract_options *o = &x->j->options.extract;
  ssne_option_group group = extract_group(&x->j->options);
  if (o->layer && o->drop_last > 0)
    return ssne_fail(err, SSNE_USAGE,
                     "--layer and --drop-last both cut the network: give one of them");
  int layers = 1;
  for (const char *c = o->layer; c && *c; c++) layers += *c == ',';
  if (layers > SSNE_FEATURE_SETS)
    return ssne_fail(err, SSNE_USAGE, "--layer names %d layers: a file has room for %d", layers,
                     SSNE_FEATURE_SETS);
  SSNE_TRY(job_resolve_images(x->j, &o->images, err));
  if (o->labels) SSNE_TRY(job_resolve_images(x->j, &o->labels, err));
  SSNE_TRY(job_resolve(x->j, &o->model, err));
  SSNE_TRY_ALL(x->j->comm,
               x->j->rank == 0 ? ssne_digest_file(o->model, x->model_digest, err) : SSNE_OK, err);
  SSNE_TRY(ssne_broadcast(x->model_digest, sizeof x->model_digest, 0, x->j->comm, err));
  return ssne_agree(x->j->comm, ssne_options_to_json(&group, 1, true, &x->recorded, err), err);
}

ssne_code extract_features(job *j, const char *path, ssne_error *err) {
  extraction x = {.j = j, .path = path, .began = ssne_clock(), .first_stage = j->stages.count};
  found what = NOTHING;
  ssne_code code = identify(&x, err);
  if (code == SSNE_OK) code = look(&x, &what, err);
  if (code == SSNE_OK) code = what == WHOLE ? accept_whole(&x, err) : extract_rows(&x, what, err);
  ssne_error later; /* a failure to close must not hide the first one */
  if (code == SSNE_OK)
    code = ssne_store_close(&x.store, err);
  else
    (void)ssne_store_close(&x.store, &later);
  ssne_model_destroy(&x.model);
  shard_free(&x.images);
  ssne_input_close(&x.input);
  ssne_free(&x.block_done);
  ssne_free(&x.recorded);
  return code;
}

ssne_code job_extract(job *j, ssne_error *err) {
  const double start = ssne_clock();
  SSNE_TRY(job_require(j->options.extract.images, "--images SOURCE", err));
  SSNE_TRY(job_require(j->options.extract.model, "--model M.pt", err));
  SSNE_TRY(job_require(j->options.output.out, "--out RUN.h5", err));
  SSNE_TRY(extract_features(j, j->options.output.out, err));
  SSNE_TRY(job_account(j, ssne_clock() - start, err));
  ssne_log_info(j->log, "features are in %s", j->options.output.out);
  return SSNE_OK;
}
