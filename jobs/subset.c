#include "subset.h"
#include "texts.h"

#include "shardsne/memory.h"
#include "shardsne/random.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PIECE INT64_C(65536) /* rows that pass at once */
#define MOST_CLASSES 1000000

/* --- shares ------------------------------------------------------------------------------ */

void subset_shares(const int64_t *counts, int64_t classes, int64_t most, int64_t *out) {
  int64_t total = 0, occupied = 0, before = 0;
  for (int64_t c = 0; c < classes; c++) {
    total += counts[c];
    occupied += counts[c] > 0;
  }
  const int64_t each = total > most && occupied <= most / 2;
  const int64_t rest = total > most ? most - each * occupied : total;
  const int64_t sized = total - each * occupied; /* which share the rest */
  for (int64_t c = 0; c < classes; c++) {
    const int64_t own = counts[c] > 0 ? each : 0, after = before + counts[c] - own;
    const __int128 end = (__int128)after * rest, begin = (__int128)before * rest;
    out[c] = own + (sized > 0 ? (int64_t)(end / sized) - (int64_t)(begin / sized) : 0);
    before = after;
  }
}

/* --- rows -------------------------------------------------------------------------------- */

typedef struct candidate {
  uint64_t key;
  int64_t row;
  float xy[2];
  int32_t label;
} candidate;

typedef struct choice {
  ssne_store *store;
  int64_t rows, classes; /* of the file; classes: and one of no class, the last */
  float *xy;             /* [PIECE, 2] */
  int32_t *label;        /* [PIECE] */
  int64_t *counts;       /* [classes] points there are */
  int64_t *shares;       /* [classes] to be chosen */
  int64_t *first;        /* [classes] where those of a class begin in `chosen` */
  int64_t *held;         /* [classes] chosen so far */
  candidate *chosen;     /* of each class a heap, the greatest key first */
} choice;

static bool is_before(const candidate *a, const candidate *b) {
  return a->key != b->key ? a->key < b->key : a->row < b->row;
}

static void exchange(candidate *a, candidate *b) {
  const candidate kept = *a;
  *a = *b;
  *b = kept;
}

/* Keeps the `most` candidates with the smallest keys of those offered. */
static void offer(candidate *heap, int64_t *held, int64_t most, const candidate *c) {
  if (*held < most) {
    int64_t at = (*held)++;
    heap[at] = *c;
    for (; at > 0 && is_before(&heap[(at - 1) / 2], &heap[at]); at = (at - 1) / 2)
      exchange(&heap[(at - 1) / 2], &heap[at]);
    return;
  }
  if (most == 0 || !is_before(c, &heap[0])) return;
  heap[0] = *c;
  for (int64_t at = 0, next = 1; next < most; at = next, next = 2 * next + 1) {
    if (next + 1 < most && is_before(&heap[next], &heap[next + 1])) next++;
    if (!is_before(&heap[at], &heap[next])) return;
    exchange(&heap[at], &heap[next]);
  }
}

static void take(choice *c, const candidate *point) {
  const int64_t class = point->label < 0 ? c->classes - 1 : point->label;
  if (c->chosen)
    offer(c->chosen + c->first[class], &c->held[class], c->shares[class], point);
  else
    c->counts[class]++;
}

/* Counts all points, or chooses among them. */
static ssne_code pass(choice *c, bool labelled, ssne_error *err) {
  for (int64_t first = 0; first < c->rows; first += PIECE) {
    const int64_t left = c->rows - first, rows = left < PIECE ? left : PIECE;
    SSNE_TRY(ssne_store_read(c->store, SSNE_SET_COORDINATES, first, rows, c->xy, err));
    if (labelled) SSNE_TRY(ssne_store_read(c->store, SSNE_SET_LABELS, first, rows, c->label, err));
    for (int64_t r = 0; r < rows; r++) {
      candidate point = {.row = first + r, .xy = {c->xy[2 * r], c->xy[2 * r + 1]}, .label = -1};
      if (!isfinite(point.xy[0]) || !isfinite(point.xy[1])) continue;
      if (labelled && c->label[r] >= 0 && c->label[r] < c->classes - 1) point.label = c->label[r];
      if (c->chosen)
        point.key = ssne_random_bits(SUBSET_SEED, SSNE_RANDOM_SUBSET, (uint64_t)point.row);
      take(c, &point);
    }
  }
  return SSNE_OK;
}

/* --- names ------------------------------------------------------------------------------- */

/* The number of classes: those that are named, or as many as the labels tell. */
static ssne_code read_classes(choice *c, subset *s, ssne_error *err) {
  ssne_set_shape names = {0};
  SSNE_TRY(ssne_store_shape(c->store, SSNE_SET_CLASSES, &names, err));
  for (int64_t first = 0; first < c->rows && s->labelled; first += PIECE) {
    const int64_t left = c->rows - first, rows = left < PIECE ? left : PIECE;
    SSNE_TRY(ssne_store_read(c->store, SSNE_SET_LABELS, first, rows, c->label, err));
    for (int64_t r = 0; r < rows; r++)
      if (c->label[r] >= s->class_count) s->class_count = (int64_t)c->label[r] + 1;
  }
  const bool named = s->labelled && names.exists && names.rows >= s->class_count;
  if (named) s->class_count = names.rows;
  if (s->class_count > MOST_CLASSES)
    return ssne_fail(err, SSNE_USAGE,
                     "labels go up to %" PRId64 ", more classes than a page can list (%d)",
                     s->class_count - 1, MOST_CLASSES);
  c->classes = s->class_count + 1;
  if (!named) return SSNE_OK;
  return texts_read(c->store, SSNE_SET_CLASSES, NULL, s->class_count, names.width, &s->class_text,
                    &s->classes, err);
}

/* --- all of it --------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
  return is_before(a, b) ? -1 : is_before(b, a);
}

static ssne_code keep(choice *c, subset *s, ssne_error *err) {
  qsort(c->chosen, (size_t)s->count, sizeof *c->chosen, compare);
  SSNE_TRY(ssne_alloc(&s->row, s->count, sizeof *s->row, "rows", err));
  SSNE_TRY(ssne_alloc(&s->xy, s->count, 2 * sizeof *s->xy, "coordinates", err));
  SSNE_TRY(ssne_alloc(&s->label, s->count, sizeof *s->label, "labels", err));
  for (int64_t i = 0; i < s->count; i++) {
    s->row[i] = c->chosen[i].row;
    s->label[i] = c->chosen[i].label;
    memcpy(s->xy + 2 * i, c->chosen[i].xy, sizeof c->chosen[i].xy);
  }
  return SSNE_OK;
}

ssne_code subset_read_names(ssne_store *store, subset *s, ssne_error *err) {
  ssne_set_shape names = {0}, coordinates = {0};
  SSNE_TRY(ssne_store_shape(store, SSNE_SET_SAMPLE_NAMES, &names, err));
  SSNE_TRY(ssne_store_shape(store, SSNE_SET_COORDINATES, &coordinates, err));
  if (!names.exists || names.rows != coordinates.rows) return SSNE_OK;
  return texts_read(store, SSNE_SET_SAMPLE_NAMES, s->row, s->count, names.width, &s->name_text,
                    &s->names, err);
}

static ssne_code prepare(choice *c, subset *s, ssne_error *err) {
  ssne_set_shape coordinates = {0}, labels = {0};
  SSNE_TRY(ssne_store_shape(c->store, SSNE_SET_COORDINATES, &coordinates, err));
  SSNE_TRY(ssne_store_shape(c->store, SSNE_SET_LABELS, &labels, err));
  c->rows = coordinates.rows;
  s->labelled = labels.exists && labels.rows == c->rows;
  SSNE_TRY(ssne_alloc(&c->xy, PIECE, 2 * sizeof *c->xy, "coordinates", err));
  SSNE_TRY(ssne_alloc(&c->label, PIECE, sizeof *c->label, "labels", err));
  SSNE_TRY(read_classes(c, s, err));
  int64_t **const numbers[] = {&c->counts, &c->shares, &c->first, &c->held};
  for (int i = 0; i < 4; i++)
    SSNE_TRY(ssne_alloc(numbers[i], c->classes, sizeof(int64_t), "class counts", err));
  return SSNE_OK;
}

static ssne_code choose(choice *c, int64_t most, subset *s, ssne_error *err) {
  SSNE_TRY(prepare(c, s, err));
  SSNE_TRY(pass(c, s->labelled, err));
  subset_shares(c->counts, c->classes, most, c->shares);
  for (int64_t class = 0; class < c->classes; class ++) {
    c->first[class] = s->count;
    s->count += c->shares[class];
    s->total += c->counts[class];
  }
  if (s->count == 0)
    return ssne_fail(err, SSNE_FAILED, "none of the %" PRId64 " rows has coordinates", c->rows);
  SSNE_TRY(ssne_alloc(&c->chosen, s->count, sizeof *c->chosen, "points", err));
  SSNE_TRY(pass(c, s->labelled, err));
  return keep(c, s, err);
}

ssne_code subset_choose(ssne_store *store, int64_t most, subset *out, ssne_error *err) {
  choice c = {.store = store};
  *out = (subset){.count = 0};
  const ssne_code code = choose(&c, most, out, err);
  ssne_free(&c.xy);
  ssne_free(&c.label);
  ssne_free(&c.counts);
  ssne_free(&c.shares);
  ssne_free(&c.first);
  ssne_free(&c.held);
  ssne_free(&c.chosen);
  return code;
}

/* --- fewer ------------------------------------------------------------------------------- */

#define CURVE_BITS 16

/* How far along Hilbert's curve through a grid of 2^16 cells a side a cell is. */
static uint64_t along_curve(uint32_t x, uint32_t y) {
  uint64_t place = 0;
  for (uint32_t half = 1u << (CURVE_BITS - 1); half > 0; half /= 2) {
    const uint32_t right = (x & half) > 0, upper = (y & half) > 0;
    place += (uint64_t)half * half * ((3 * right) ^ upper);
    if (!upper) { /* the quarter's own curve is turned, and runs the other way */
      if (right) {
        x = (1u << CURVE_BITS) - 1 - x;
        y = (1u << CURVE_BITS) - 1 - y;
      }
      const uint32_t kept = x;
      x = y;
      y = kept;
    }
  }
  return place;
}

/* By class, those of none last, and within a class along the curve. */
static int compare_places(const void *a, const void *b) {
  const candidate *p = a, *q = b;
  if (p->label != q->label) return (uint32_t)p->label < (uint32_t)q->label ? -1 : 1;
  return compare(a, b);
}

static void set_places(const subset *s, candidate *points) {
  float low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
  for (int64_t i = 0; i < 2 * s->count; i++) {
    low[i % 2] = fminf(low[i % 2], s->xy[i]);
    high[i % 2] = fmaxf(high[i % 2], s->xy[i]);
  }
  for (int64_t i = 0; i < s->count; i++) {
    uint32_t at[2];
    for (int axis = 0; axis < 2; axis++) {
      const double extent = (double)high[axis] - (double)low[axis];
      const double within = (double)s->xy[2 * i + axis] - (double)low[axis];
      at[axis] = extent > 0 ? (uint32_t)(within / extent * ((1 << CURVE_BITS) - 1)) : 0;
    }
    points[i] = (candidate){
        along_curve(at[0], at[1]), s->row[i], {s->xy[2 * i], s->xy[2 * i + 1]}, s->label[i]};
  }
}

/* Of each class's `counts` points `shares`, from the middles of as many equal parts. */
static int64_t thin(const int64_t *counts, const int64_t *shares, int64_t classes,
                    candidate *points) {
  int64_t kept = 0, first = 0;
  for (int64_t c = 0; c < classes; first += counts[c++])
    for (int64_t i = 0; i < shares[c]; i++)
      points[kept++] = points[first + (2 * i + 1) * counts[c] / (2 * shares[c])];
  return kept;
}

ssne_code subset_thin(subset *s, int64_t most, ssne_error *err) {
  const int64_t classes = s->class_count + 1;
  int64_t *counts = NULL, *shares = NULL;
  candidate *points = NULL;
  if (s->count <= most) return SSNE_OK;
  ssne_code code = ssne_alloc(&counts, classes, sizeof *counts, "class counts", err);
  if (code == SSNE_OK) code = ssne_alloc(&shares, classes, sizeof *shares, "class counts", err);
  if (code == SSNE_OK) code = ssne_alloc(&points, s->count, sizeof *points, "points", err);
  if (code == SSNE_OK) {
    for (int64_t i = 0; i < s->count; i++) counts[s->label[i] < 0 ? classes - 1 : s->label[i]]++;
    subset_shares(counts, classes, most, shares);
    set_places(s, points);
    qsort(points, (size_t)s->count, sizeof *points, compare_places);
    s->count = thin(counts, shares, classes, points);
    for (int64_t i = 0; i < s->count; i++) {
      s->row[i] = points[i].row;
      s->label[i] = points[i].label;
      memcpy(s->xy + 2 * i, points[i].xy, sizeof points[i].xy);
    }
  }
  ssne_free(&counts);
  ssne_free(&shares);
  ssne_free(&points);
  return code;
}

void subset_free(subset *s) {
  ssne_free(&s->row);
  ssne_free(&s->xy);
  ssne_free(&s->label);
  ssne_free(&s->class_text);
  ssne_free(&s->classes);
  ssne_free(&s->name_text);
  ssne_free(&s->names);
}
