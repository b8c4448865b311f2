/* Draws a picture of what the files named on the command line hold, for picture.py:
 *   driver PICTURE DATA COUNT NAMES CLASSES WIDTH HEIGHT DPI ALPHA MODE COLORING TEXT FLAGS TITLE
 * DATA: float32 [COUNT, 2], int32 [COUNT], float32 [COUNT]; NAMES: CLASSES texts each closed by a
 * zero byte, or "-" for none; MODE, COLORING and TEXT numbers of the enums; FLAGS any of "l"egend,
 * "d"ark, "s"tretched, two "p"arts counted apart and added up; TITLE "-" for none. Prints the error
 * and returns its code. */
#include "shardsne/memory.h"
#include "shardsne/render.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All of a file, with a zero byte after it; to be freed with ssne_free. */
static char *read_file(const char *path) {
  ssne_error err;
  char *bytes = NULL;
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) exit(99);
  const long length = ftell(file);
  rewind(file);
  if (ssne_alloc(&bytes, length + 1, 1, "bytes", &err) != SSNE_OK) exit(99);
  if (fread(bytes, 1, (size_t)length, file) != (size_t)length) exit(99);
  fclose(file);
  return bytes;
}

static ssne_map_rows part_of(const ssne_map_rows *rows, int64_t first, int64_t count) {
  return (ssne_map_rows){.count = count,
                         .xy = rows->xy + 2 * first,
                         .label = rows->label + first,
                         .value = rows->value + first};
}

/* The counts of all rows, or of two parts, as two ranks would count them. */
static ssne_code count(const ssne_plan *plan, const ssne_picture *picture,
                       const ssne_map_rows *rows, bool parts, ssne_tally *tally,
                       ssne_medians *medians, ssne_error *err) {
  int32_t named[SSNE_NAMED_MOST];
  const int names = ssne_plan_named(plan, named);
  const ssne_grid grid = ssne_plan_grid(plan);
  const int64_t first = parts ? rows->count / 3 : rows->count;
  const ssne_map_rows share[2] = {part_of(rows, 0, first),
                                  part_of(rows, first, rows->count - first)};
  ssne_tally t[2];
  ssne_medians m[2];
  for (int i = 0; i < 2; i++) {
    SSNE_TRY(ssne_tally_create(picture, &grid, &t[i], err));
    SSNE_TRY(ssne_medians_create(picture->survey, named, names, &m[i], err));
    ssne_tally_add(&t[i], picture, &share[i]);
    ssne_medians_add(&m[i], picture->survey, &share[i]);
  }
  for (int64_t c = 0; c < grid.rows * grid.columns * t[0].channels; c++)
    t[0].cell[c] += t[1].cell[c];
  for (int64_t b = 0; b < (int64_t)names * 2 * SSNE_MEDIAN_BINS; b++) m[0].bin[b] += m[1].bin[b];
  ssne_tally_free(&t[1]);
  ssne_medians_free(&m[1]);
  *tally = t[0];
  *medians = m[0];
  return SSNE_OK;
}

static ssne_code draw(const ssne_picture *picture, const ssne_map_rows *rows, bool parts,
                      ssne_error *err) {
  ssne_plan *plan = NULL;
  ssne_tally tally = {.cell = NULL};
  ssne_medians medians = {.bin = NULL};
  ssne_code code = ssne_plan_create(picture, &plan, err);
  if (code == SSNE_OK) code = count(plan, picture, rows, parts, &tally, &medians, err);
  if (code == SSNE_OK) code = ssne_picture_draw(plan, rows, &tally, &medians, err);
  ssne_tally_free(&tally);
  ssne_medians_free(&medians);
  ssne_plan_destroy(&plan);
  return code;
}

/* The ends of the scale are those of the values. */
static void span(const ssne_map_rows *rows, ssne_picture *picture) {
  picture->value_low = INFINITY;
  picture->value_high = -INFINITY;
  for (int64_t i = 0; i < rows->count; i++) {
    picture->value_low = fminf(picture->value_low, rows->value[i]);
    picture->value_high = fmaxf(picture->value_high, rows->value[i]);
  }
}

int main(int argc, char **argv) {
  if (argc != 15) return 98;
  ssne_error err;
  const int64_t rows_count = atoll(argv[3]), class_count = atoll(argv[5]);
  char *data = read_file(argv[2]);
  char *names = strcmp(argv[4], "-") != 0 ? read_file(argv[4]) : NULL;
  const char **classes = NULL;
  if (names && ssne_alloc(&classes, class_count, sizeof *classes, "names", &err) != SSNE_OK)
    return 99;
  const char *next = names;
  for (int64_t c = 0; names && c < class_count; c++, next += strlen(next) + 1) classes[c] = next;
  const ssne_map_rows rows = {.count = rows_count,
                              .xy = (const float *)(const void *)data,
                              .label = (const int32_t *)(const void *)(data + 8 * rows_count),
                              .value = (const float *)(const void *)(data + 12 * rows_count)};
  ssne_survey survey;
  if (ssne_survey_create(class_count, &survey, &err) != SSNE_OK) return 99;
  ssne_survey_add(&survey, &rows);
  ssne_picture picture = {.path = argv[1],
                          .width = atof(argv[6]),
                          .height = atof(argv[7]),
                          .dpi = atoi(argv[8]),
                          .alpha = atof(argv[9]),
                          .mode = (ssne_mode)atoi(argv[10]),
                          .coloring = (ssne_coloring)atoi(argv[11]),
                          .text = (ssne_text)atoi(argv[12]),
                          .legend = strchr(argv[13], 'l') != NULL,
                          .dark = strchr(argv[13], 'd') != NULL,
                          .stretched = strchr(argv[13], 's') != NULL,
                          .title = strcmp(argv[14], "-") != 0 ? argv[14] : NULL,
                          .survey = &survey,
                          .classes = (const char *const *)classes,
                          .value_name = "value of a row"};
  span(&rows, &picture);
  const ssne_code code = draw(&picture, &rows, strchr(argv[13], 'p') != NULL, &err);
  if (code != SSNE_OK) fprintf(stderr, "%s\n", err.text);
  ssne_survey_free(&survey);
  ssne_free(&data);
  ssne_free(&names);
  ssne_free(&classes);
  return code;
}
