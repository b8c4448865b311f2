/* Counts of rows that say what a picture of them has to hold. */
#include "shardsne/render.h"

#include "shardsne/memory.h"

#include <math.h>

static bool is_drawn(const float *xy) {
  return isfinite(xy[0]) && isfinite(xy[1]);
}

/* 0 ... class_count - 1, or class_count for none. */
static int64_t class_of(const ssne_map_rows *rows, int64_t row, int64_t class_count) {
  if (!rows->label || rows->label[row] < 0 || rows->label[row] >= class_count) return class_count;
  return rows->label[row];
}

ssne_code ssne_survey_create(int64_t class_count, ssne_survey *out, ssne_error *err) {
  *out = (ssne_survey){
      .low = {INFINITY, INFINITY}, .high = {-INFINITY, -INFINITY}, .class_count = class_count};
  return ssne_alloc(&out->class_rows, class_count + 1, sizeof *out->class_rows, "class counts",
                    err);
}

void ssne_survey_free(ssne_survey *survey) {
  ssne_free(&survey->class_rows);
}

void ssne_survey_add(ssne_survey *s, const ssne_map_rows *rows) {
  for (int64_t i = 0; i < rows->count; i++) {
    const float *xy = rows->xy + 2 * i;
    if (!is_drawn(xy)) continue;
    s->drawn++;
    s->class_rows[class_of(rows, i, s->class_count)]++;
    for (int d = 0; d < 2; d++) {
      if (xy[d] < s->low[d]) s->low[d] = xy[d];
      if (xy[d] > s->high[d]) s->high[d] = xy[d];
    }
  }
}

/* --- medians --- */

ssne_code ssne_medians_create(const ssne_survey *survey, const int32_t *named, int count,
                              ssne_medians *out, ssne_error *err) {
  *out = (ssne_medians){.count = count};
  SSNE_TRY(ssne_alloc(&out->place, survey->class_count, sizeof *out->place, "named classes", err));
  for (int64_t c = 0; c < survey->class_count; c++) out->place[c] = -1;
  for (int n = 0; n < count; n++) out->place[named[n]] = n;
  return ssne_alloc(&out->bin, (int64_t)count * 2 * SSNE_MEDIAN_BINS, sizeof *out->bin,
                    "places of classes", err);
}

void ssne_medians_free(ssne_medians *medians) {
  ssne_free(&medians->place);
  ssne_free(&medians->bin);
}

static int bin_of(const ssne_survey *s, const float *xy, int axis) {
  const double low = s->low[axis], width = (double)s->high[axis] - low;
  if (!(width > 0)) return 0;
  const int bin = (int)((xy[axis] - low) / width * SSNE_MEDIAN_BINS);
  return bin < SSNE_MEDIAN_BINS ? bin : SSNE_MEDIAN_BINS - 1;
}

void ssne_medians_add(ssne_medians *m, const ssne_survey *survey, const ssne_map_rows *rows) {
  for (int64_t i = 0; i < rows->count; i++) {
    const float *xy = rows->xy + 2 * i;
    const int64_t class = class_of(rows, i, survey->class_count);
    if (!is_drawn(xy) || class == survey->class_count || m->place[class] < 0) continue;
    int64_t *bins = m->bin + (int64_t)m->place[class] * 2 * SSNE_MEDIAN_BINS;
    bins[bin_of(survey, xy, 0)]++;
    bins[SSNE_MEDIAN_BINS + bin_of(survey, xy, 1)]++;
  }
}
