#include "pipeline.h"

#include "shardsne/clock.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct pipeline {
  pipeline_plan plan;
  int64_t batch, features; /* images a block; features an image, of all outputs */
  pthread_mutex_t lock;    /* for all below */
  pthread_cond_t ready_changed, free_changed;
  int64_t next;                 /* own block that nobody has taken yet */
  int64_t left;                 /* own blocks to be delivered */
  pipeline_block *ready, *free; /* two lists */
  pipeline_block *blocks;       /* [2 * threads] all of them */
  pthread_t *thread;            /* [started] */
  int started;
  bool stop;
  ssne_error failure;
  pipeline_times times;
};

/* What one worker holds. */
typedef struct worker {
  pipeline *p;
  uint8_t *input; /* [batch, height, width, channels] */
  ssne_input_reader reader;
  ssne_transform_work transform;
  pipeline_times times;
} worker;

/* --- one block --------------------------------------------------------------------------- */

static ssne_code prepare_image(worker *w, int64_t own_row, uint8_t *out, ssne_error *err) {
  const pipeline_plan *plan = &w->p->plan;
  SSNE_TRY(ssne_input_read(plan->input, plan->images->names + plan->images->name_offset[own_row],
                           shard_place(plan->images, own_row), &w->reader, err));
  const double start = ssne_clock();
  if (plan->transform.channels == 1) ssne_image_gray(&w->reader.image);
  const ssne_code code = ssne_transform_apply(&plan->transform, &w->reader.image, plan->width,
                                              plan->height, &w->transform, out, err);
  w->times.transform += ssne_clock() - start;
  return code;
}

/* Decodes a block's images into the worker's input; the rest of a short block stays zero. An image
 * whose own fault it is is bad; where the system fails (memory, input and output), so does the
 * block. */
static ssne_code decode_block(worker *w, pipeline_block *block, ssne_error *err) {
  const pipeline_plan *plan = &w->p->plan;
  const int64_t size = (int64_t)plan->transform.channels * plan->width * plan->height;
  const int64_t first = block->block * w->p->batch - plan->partition.first_row;
  memset(w->input, 0, (size_t)(w->p->batch * size));
  memset(block->reason, 0, (size_t)(w->p->batch * PIPELINE_REASON_WIDTH));
  block->bad = 0;
  for (int64_t r = 0; r < block->rows; r++) {
    ssne_error reason;
    block->state[r] = SAMPLE_GOOD;
    const ssne_code code = prepare_image(w, first + r, w->input + r * size, &reason);
    if (code == SSNE_OK) continue;
    if (code != SSNE_USAGE) {
      *err = reason;
      return ssne_fail_in(err, "%s/%s", plan->source,
                          plan->images->names + plan->images->name_offset[first + r]);
    }
    block->state[r] = SAMPLE_BAD;
    block->bad++;
    memset(w->input + r * size, 0, (size_t)size);
    snprintf(block->reason + r * PIPELINE_REASON_WIDTH, PIPELINE_REASON_WIDTH, "%.*s",
             PIPELINE_REASON_WIDTH - 1, reason.text);
  }
  return SSNE_OK;
}

/* Bad images have no features, of any output. */
static void clear_bad(const pipeline *p, pipeline_block *block) {
  float *features = block->features;
  for (int i = 0; i < ssne_model_outputs(p->plan.model); i++) {
    const int64_t width = ssne_model_width(p->plan.model, i);
    for (int64_t r = 0; r < block->rows; r++)
      if (block->state[r] == SAMPLE_BAD)
        memset(features + r * width, 0, (size_t)width * sizeof *features);
    features += p->batch * width;
  }
}

static ssne_code compute_block(worker *w, pipeline_block *block, ssne_error *err) {
  pipeline *p = w->p;
  block->rows = ssne_partition_block_length(&p->plan.partition, block->block);
  const double start = ssne_clock(), transformed = w->times.transform;
  SSNE_TRY(decode_block(w, block, err));
  const double decoded = ssne_clock();
  SSNE_TRY(ssne_model_run(p->plan.model, w->input, block->features, err));
  if (block->bad > 0) clear_bad(p, block);
  w->times.decoding += decoded - start - (w->times.transform - transformed);
  w->times.network += ssne_clock() - decoded;
  return SSNE_OK;
}

/* --- workers ----------------------------------------------------------------------------- */

/* Waits for an empty block and gives it the next number; NULL: there is no more to do. */
static pipeline_block *begin_block(pipeline *p) {
  pipeline_block *block = NULL;
  pthread_mutex_lock(&p->lock);
  const int64_t own = p->plan.partition.own_blocks;
  while (!p->free && !p->stop) pthread_cond_wait(&p->free_changed, &p->lock);
  while (p->next < own && p->plan.block_done[p->next]) p->next++;
  if (!p->stop && p->next < own) {
    block = p->free;
    p->free = block->next;
    block->block = p->plan.partition.first_block + p->next++;
  }
  pthread_mutex_unlock(&p->lock);
  return block;
}

static void deliver(pipeline *p, pipeline_block *block) {
  pthread_mutex_lock(&p->lock);
  block->next = p->ready;
  p->ready = block;
  pthread_cond_signal(&p->ready_changed);
  pthread_mutex_unlock(&p->lock);
}

static void give_up(pipeline *p, const ssne_error *err) {
  pthread_mutex_lock(&p->lock);
  if (p->failure.code == SSNE_OK) p->failure = *err;
  p->stop = true;
  pthread_cond_signal(&p->ready_changed);
  pthread_cond_broadcast(&p->free_changed);
  pthread_mutex_unlock(&p->lock);
}

static ssne_code equip(worker *w, ssne_error *err) {
  const pipeline_plan *plan = &w->p->plan;
  return ssne_alloc(&w->input, w->p->batch * plan->transform.channels * plan->width * plan->height,
                    1, "pixels of a batch", err);
}

static void *work(void *argument) {
  pipeline *p = argument;
  worker w = {.p = p};
  ssne_error err = {SSNE_OK, ""};
  ssne_code code = equip(&w, &err);
  pipeline_block *block = NULL;
  while (code == SSNE_OK && (block = begin_block(p))) {
    code = compute_block(&w, block, &err);
    if (code == SSNE_OK) deliver(p, block);
  }
  if (code != SSNE_OK) give_up(p, &err);
  pthread_mutex_lock(&p->lock);
  p->times.decoding += w.times.decoding;
  p->times.transform += w.times.transform;
  p->times.network += w.times.network;
  pthread_mutex_unlock(&p->lock);
  ssne_free(&w.input);
  ssne_input_reader_free(&w.reader);
  ssne_transform_work_free(&w.transform);
  return NULL;
}

/* --- the main thread's side -------------------------------------------------------------- */

static ssne_code allocate(pipeline *p, ssne_error *err) {
  const int64_t count = 2 * (int64_t)p->plan.threads;
  SSNE_TRY(ssne_alloc(&p->thread, p->plan.threads, sizeof *p->thread, "threads", err));
  SSNE_TRY(ssne_alloc(&p->blocks, count, sizeof *p->blocks, "blocks", err));
  for (int64_t b = 0; b < count; b++) {
    pipeline_block *block = &p->blocks[b];
    SSNE_TRY(ssne_alloc(&block->features, p->batch * p->features, sizeof(float), "features", err));
    SSNE_TRY(ssne_alloc(&block->state, p->batch, 1, "states", err));
    SSNE_TRY(ssne_alloc(&block->reason, p->batch, PIPELINE_REASON_WIDTH, "reasons", err));
    block->next = p->free;
    p->free = block;
  }
  return SSNE_OK;
}

ssne_code pipeline_start(const pipeline_plan *plan, pipeline **out, ssne_error *err) {
  SSNE_TRY(ssne_alloc(out, 1, sizeof **out, "pipeline", err));
  pipeline *p = *out;
  p->plan = *plan;
  p->batch = plan->partition.block_rows;
  for (int i = 0; i < ssne_model_outputs(plan->model); i++)
    p->features += ssne_model_width(plan->model, i);
  for (int64_t b = 0; b < plan->partition.own_blocks; b++) p->left += !plan->block_done[b];
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->ready_changed, NULL);
  pthread_cond_init(&p->free_changed, NULL);
  ssne_code code = allocate(p, err);
  for (int t = 0; t < plan->threads && code == SSNE_OK; t++) {
    if (pthread_create(&p->thread[t], NULL, work, p) == 0)
      p->started++;
    else
      code = ssne_fail(err, SSNE_FAILED, "the system refused thread %d of %d: lower --threads",
                       t + 1, plan->threads);
  }
  if (code != SSNE_OK) pipeline_stop(out, NULL);
  return code;
}

static struct timespec moment_after(double seconds) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  const double nanoseconds = (double)t.tv_nsec + seconds * 1e9;
  t.tv_sec += (time_t)(nanoseconds / 1e9);
  t.tv_nsec = (long)nanoseconds % 1000000000L;
  return t;
}

ssne_code pipeline_take(pipeline *p, double seconds, pipeline_block **out, bool *over,
                        ssne_error *err) {
  const struct timespec until = moment_after(seconds);
  pthread_mutex_lock(&p->lock);
  while (!p->ready && p->left > 0 && p->failure.code == SSNE_OK)
    if (pthread_cond_timedwait(&p->ready_changed, &p->lock, &until) != 0) break;
  *out = p->ready;
  if (p->ready) {
    p->ready = p->ready->next;
    p->left--;
  }
  const ssne_code code = *out ? SSNE_OK : p->failure.code;
  if (code != SSNE_OK) *err = p->failure;
  *over = !*out && (p->left == 0 || code != SSNE_OK);
  pthread_mutex_unlock(&p->lock);
  return code;
}

void pipeline_release(pipeline *p, pipeline_block *block) {
  pthread_mutex_lock(&p->lock);
  block->next = p->free;
  p->free = block;
  pthread_cond_signal(&p->free_changed);
  pthread_mutex_unlock(&p->lock);
}

void pipeline_stop(pipeline **out, pipeline_times *times) {
  pipeline *p = *out;
  if (!p) return;
  pthread_mutex_lock(&p->lock);
  p->stop = true;
  pthread_cond_broadcast(&p->free_changed);
  pthread_mutex_unlock(&p->lock);
  for (int t = 0; t < p->started; t++) pthread_join(p->thread[t], NULL);
  if (times) *times = p->times;
  for (int64_t b = 0; p->blocks && b < 2 * (int64_t)p->plan.threads; b++) {
    ssne_free(&p->blocks[b].features);
    ssne_free(&p->blocks[b].state);
    ssne_free(&p->blocks[b].reason);
  }
  ssne_free(&p->blocks);
  ssne_free(&p->thread);
  pthread_mutex_destroy(&p->lock);
  pthread_cond_destroy(&p->ready_changed);
  pthread_cond_destroy(&p->free_changed);
  ssne_free(out);
}
