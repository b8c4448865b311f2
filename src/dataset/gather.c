#include "gather.h"

#include "shardsne/files.h"
#include "shardsne/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

ssne_code ssne_grow(void *array, int64_t *room, int64_t used, int64_t more, size_t size,
                    const char *what, ssne_error *err) {
  if (used + more <= *room) return SSNE_OK;
  const int64_t wanted = 2 * (used + more) + 1024;
  void *old = NULL, *grown = NULL;
  SSNE_TRY(ssne_alloc(&grown, wanted, size, what, err));
  memcpy(&old, array, sizeof old);
  if (old) memcpy(grown, old, (size_t)used * size);
  ssne_free(array);
  memcpy(array, &grown, sizeof grown);
  *room = wanted;
  return SSNE_OK;
}

bool ssne_is_image_name(const char *name) {
  static const char *const known[] = {".jpg", ".jpeg", ".png",  ".ppm", ".bmp",
                                      ".pgm", ".tif",  ".tiff", ".webp"};
  const char *extension = strrchr(name, '.');
  if (!extension) return false;
  for (size_t k = 0; k < sizeof known / sizeof *known; k++)
    if (strcasecmp(extension, known[k]) == 0) return true;
  return false;
}

int ssne_compare_paths(const char *a, int64_t a_folder, const char *b, int64_t b_folder) {
  const int folders = memcmp(a, b, (size_t)(a_folder < b_folder ? a_folder : b_folder));
  if (folders) return folders;
  if (a_folder != b_folder) return a_folder < b_folder ? -1 : 1;
  return strcmp(a + a_folder, b + b_folder);
}

/* --- samples ----------------------------------------------------------------------------- */

static ssne_code make_room(gather *g, int64_t name, int64_t label, ssne_error *err) {
  ssne_samples *s = g->out;
  int64_t room = g->rows_room; /* the same for all three */
  SSNE_TRY(ssne_grow(&s->name_offset, &room, s->count, 1, sizeof(int64_t), "file names", err));
  room = g->rows_room;
  SSNE_TRY(ssne_grow(&s->label, &room, s->count, 1, sizeof(int32_t), "labels", err));
  SSNE_TRY(ssne_grow(&g->label_text, &g->rows_room, s->count, 1, sizeof(int64_t), "labels", err));
  SSNE_TRY(ssne_grow(&g->line, &g->line_room, s->count, 1, sizeof(int64_t), "labels", err));
  SSNE_TRY(ssne_grow(&s->names, &g->names_room, s->names_size, name, 1, "characters of file names",
                     err));
  return ssne_grow(&g->text, &g->text_room, g->text_size, label, 1, "characters of labels", err);
}

ssne_code ssne_gather_add(gather *g, const char *name, const char *label, int64_t line,
                          const ssne_place *place, ssne_error *err) {
  ssne_samples *s = g->out;
  const size_t length = strlen(name) + 1, said = label ? strlen(label) + 1 : 0;
  if (length > GATHER_LONGEST_NAME)
    return ssne_fail(err, SSNE_USAGE, "a name of %zu bytes, more than %d: %.60s...", length - 1,
                     GATHER_LONGEST_NAME - 1, name);
  SSNE_TRY(make_room(g, (int64_t)length, (int64_t)said, err));
  if (place) {
    SSNE_TRY(ssne_grow(&s->place, &g->places_room, s->count, 1, sizeof *place, "samples", err));
    s->place[s->count] = *place;
  }
  memcpy(s->names + s->names_size, name, length);
  if (label) memcpy(g->text + g->text_size, label, said);
  s->name_offset[s->count] = s->names_size;
  g->label_text[s->count] = label ? g->text_size : -1;
  g->line[s->count] = line;
  s->label[s->count] = -1;
  s->names_size += (int64_t)length;
  g->text_size += (int64_t)said;
  s->count++;
  return SSNE_OK;
}

void ssne_gather_end(gather *g, bool failed) {
  ssne_free(&g->label_text);
  ssne_free(&g->line);
  ssne_free(&g->text);
  if (failed) ssne_samples_free(g->out);
}

/* --- labels ------------------------------------------------------------------------------ */

static bool is_integer(const char *text, int32_t *value) {
  char *end = NULL;
  if (!strchr("+-0123456789", *text) || !*text) return false;
  errno = 0;
  const long long number = strtoll(text, &end, 10);
  *value = (int32_t)number;
  return *end == 0 && errno == 0 && number >= -1 && number <= INT32_MAX;
}

static ssne_code refuse(const gather *g, int64_t row, const char *source, const char *line_word,
                        const char *what, ssne_error *err) {
  const char *name = g->out->names + g->out->name_offset[row];
  if (line_word)
    return ssne_fail(err, SSNE_USAGE, "%s, %s %" PRId64 " (%s): %s", source, line_word,
                     g->line[row], name, what);
  return ssne_fail(err, SSNE_USAGE, "%s: %s: %s", source, name, what);
}

static ssne_code check_label(const gather *g, int64_t row, bool names, const char *source,
                             const char *line_word, ssne_error *err) {
  const char *text = g->text + g->label_text[row];
  char what[512];
  if (g->label_text[row] < 0 || !*text)
    return refuse(
        g, row, source, line_word,
        "no label, though others have one; write -1 (or, among names, `unknown`) where it "
        "is not known",
        err);
  int32_t value;
  if (is_integer(text, &value) != names) return SSNE_OK;
  snprintf(what, sizeof what,
           names ? "the label `%.100s` is a number, and those before it are names: give all as "
                   "numbers%s"
                 : "the label `%.100s` is no number from -1 to 2147483647, as those before it are: "
                   "give all as numbers%s",
           text,
           line_word ? ", or call the column `class` in a header line to take all as names"
                     : ", or all as names");
  return refuse(g, row, source, line_word, what, err);
}

static int by_text(const void *a, const void *b, void *text) {
  return strcmp((char *)text + *(const int64_t *)a, (char *)text + *(const int64_t *)b);
}

/* Sorted, each once; the class names of the samples. */
static ssne_code set_classes(gather *g, int64_t *order, ssne_error *err) {
  ssne_samples *s = g->out;
  memcpy(order, g->label_text, (size_t)s->count * sizeof *order);
  qsort_r(order, (size_t)s->count, sizeof *order, by_text, g->text);
  int64_t classes = 0;
  for (int64_t i = 0; i < s->count; i++)
    if (i == 0 || by_text(&order[i], &order[classes - 1], g->text) != 0) {
      order[classes++] = order[i];
      s->classes_size += (int64_t)strlen(g->text + order[i]) + 1;
    }
  SSNE_TRY(ssne_alloc(&s->classes, s->classes_size, 1, "characters of class names", err));
  SSNE_TRY(ssne_alloc(&s->class_offset, classes, sizeof(int64_t), "class names", err));
  char *end = s->classes;
  for (int64_t c = 0; c < classes; c++) {
    s->class_offset[c] = end - s->classes;
    end = stpcpy(end, g->text + order[c]) + 1;
  }
  s->class_count = classes;
  for (int64_t i = 0; i < s->count; i++) {
    int64_t low = 0, high = classes - 1; /* the class is one of these */
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (by_text(&order[middle], &g->label_text[i], g->text) < 0)
        low = middle + 1;
      else
        high = middle;
    }
    s->label[i] = (int32_t)low;
  }
  return SSNE_OK;
}

ssne_code ssne_gather_check(const gather *g, int64_t from, bool names, const char *source,
                            const char *line_word, ssne_label_kind *kind, ssne_error *err) {
  int64_t with = 0;
  int32_t value;
  *kind = SSNE_LABELS_NONE;
  for (int64_t i = from; i < g->out->count; i++) with += g->label_text[i] >= 0;
  if (with == 0) return SSNE_OK;
  bool named = names;
  if (!names && g->label_text[from] >= 0)
    named = !is_integer(g->text + g->label_text[from], &value);
  for (int64_t i = from; i < g->out->count; i++)
    if (g->label_text[i] < 0 || !g->text[g->label_text[i]] || !names)
      SSNE_TRY(check_label(g, i, named, source, line_word, err));
  *kind = named ? SSNE_LABELS_NAMES : SSNE_LABELS_NUMBERS;
  return SSNE_OK;
}

ssne_code ssne_gather_assign(gather *g, ssne_label_kind kind, ssne_error *err) {
  ssne_samples *s = g->out;
  int64_t *order = NULL;
  int32_t value;
  s->labels = kind;
  if (kind == SSNE_LABELS_NAMES) {
    SSNE_TRY(ssne_alloc(&order, s->count, sizeof *order, "labels", err));
    const ssne_code code = set_classes(g, order, err);
    ssne_free(&order);
    return code;
  }
  for (int64_t i = 0; i < s->count && kind == SSNE_LABELS_NUMBERS; i++)
    if (is_integer(g->text + g->label_text[i], &value)) s->label[i] = value;
  return SSNE_OK;
}

/* --- files ------------------------------------------------------------------------------- */

ssne_code ssne_read_whole(const char *path, int64_t most, char **text, int64_t *size,
                          ssne_error *err) {
  int file = -1;
  int64_t length = 0;
  *text = NULL;
  SSNE_TRY(ssne_open_regular(path, &file, &length, NULL, err));
  ssne_code code = SSNE_OK;
  if (length > most)
    code = ssne_fail(err, SSNE_USAGE, "%" PRId64 " bytes, more than %" PRId64, length, most);
  if (!code) code = ssne_alloc(text, length + 1, 1, "characters of a file", err);
  if (!code) code = ssne_read_at(file, *text, length, 0, err);
  close(file);
  if (size) *size = length;
  if (code == SSNE_OK) return SSNE_OK;
  ssne_free(text);
  return ssne_fail_in(err, "%s", path);
}
