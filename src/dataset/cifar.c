/* CIFAR-10 and CIFAR-100 in their binary form: one or two bytes of labels, then 32 x 32 pixels of
 * red, of green and of blue. */
#include "decode.h"
#include "formats.h"
#include "gather.h"

#include "shardsne/files.h"
#include "shardsne/memory.h"
#include "shardsne/partition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIDE 32
#define PIXELS ((int64_t)3 * SIDE * SIDE)
#define NAMES_MOST (1 << 16)

/* Bytes of labels before the pixels: the last of them counts (CIFAR-100's fine label). */
static int64_t record_bytes(const ssne_input *input) {
  return input->header + PIXELS;
}

static int class_count(const ssne_input *input) {
  return input->header == 1 ? 10 : 100;
}

bool ssne_cifar_is_file(const char *path, int64_t size) {
  const size_t length = strlen(path);
  return size > 0 && length > 4 && strcmp(path + length - 4, ".bin") == 0 &&
         (size % (PIXELS + 1) == 0 || size % (PIXELS + 2) == 0);
}

/* How many bytes of labels the files have; all the same. */
static ssne_code take_size(ssne_input *input, const char *path, int64_t size, ssne_error *err) {
  const bool ten = size % (PIXELS + 1) == 0, hundred = size % (PIXELS + 2) == 0;
  if (size == 0 || (!ten && !hundred))
    return ssne_fail(err, SSNE_USAGE,
                     "%s: %" PRId64 " bytes are neither records of 3073 (CIFAR-10) nor of 3074 "
                     "(CIFAR-100): truncated, or something else",
                     path, size);
  if (ten && hundred)
    return ssne_fail(err, SSNE_USAGE, "%s: %" PRId64 " bytes could be CIFAR-10 or CIFAR-100", path,
                     size);
  const int64_t header = ten ? 1 : 2;
  if (input->containers > 0 && input->header != header)
    return ssne_fail(err, SSNE_USAGE, "%s: of CIFAR-%d, other files in the folder are not", path,
                     ten ? 10 : 100);
  input->header = header;
  input->rows += size / (PIXELS + header);
  return SSNE_OK;
}

ssne_code ssne_cifar_open_file(ssne_input *input, const char *path, ssne_error *err) {
  int file = -1;
  int64_t size = 0;
  SSNE_TRY(ssne_open_regular(path, &file, &size, NULL, err));
  close(file);
  SSNE_TRY(take_size(input, path, size, err));
  input->width = input->height = SIDE;
  input->channels = 3;
  input->planar = true;
  input->format = &ssne_cifar_format;
  return ssne_input_add(input, path, err);
}

ssne_code ssne_cifar_open_folder(ssne_input *input, const char *folder, bool *is, ssne_error *err) {
  static const char *const names[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                      "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin",
                                      "train.bin",        "test.bin"};
  char path[GATHER_LONGEST_NAME];
  struct stat about;
  for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
    if (snprintf(path, sizeof path, "%s/%s", folder, names[n]) >= (int)sizeof path) break;
    if (stat(path, &about) == 0 && S_ISREG(about.st_mode))
      SSNE_TRY(ssne_cifar_open_file(input, path, err));
  }
  *is = input->containers > 0;
  return SSNE_OK;
}

/* --- classes ----------------------------------------------------------------------------- */

/* The names beside the files: a line each, in the order of the labels. */
static ssne_code take_names(const ssne_input *input, char *text, const char *path,
                            ssne_samples *out, ssne_error *err) {
  int64_t room = 0;
  SSNE_TRY(ssne_alloc(&out->classes, (int64_t)strlen(text) + 1, 1, "class names", err));
  SSNE_TRY(ssne_grow(&out->class_offset, &room, 0, class_count(input) + 1, sizeof(int64_t),
                     "class names", err));
  char *rest = NULL, *end = out->classes;
  for (const char *line = strtok_r(text, "\r\n", &rest); line;
       line = strtok_r(NULL, "\r\n", &rest)) {
    if (out->class_count == class_count(input)) break;
    out->class_offset[out->class_count++] = end - out->classes;
    end = stpcpy(end, line) + 1;
  }
  out->classes_size = end - out->classes;
  out->labels = SSNE_LABELS_NAMES;
  out->classes_fixed = true;
  if (out->class_count == class_count(input)) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE, "%s: %" PRId64 " names for %d classes", path, out->class_count,
                   class_count(input));
}

static ssne_code read_names(const ssne_input *input, ssne_samples *out, ssne_error *err) {
  char path[GATHER_LONGEST_NAME], *text = NULL;
  const char *first = input->container[0], *slash = strrchr(first, '/');
  const int folder = slash ? (int)(slash + 1 - first) : 0;
  const int length = snprintf(path, sizeof path, "%.*s%s", folder, first,
                              input->header == 1 ? "batches.meta.txt" : "fine_label_names.txt");
  bool is = false;
  if (length < (int)sizeof path) SSNE_TRY(ssne_is_there(path, &is, err));
  if (!is) return SSNE_OK;
  SSNE_TRY(ssne_read_whole(path, NAMES_MOST, &text, NULL, err));
  const ssne_code code = take_names(input, text, path, out, err);
  ssne_free(&text);
  return code;
}

/* --- rows -------------------------------------------------------------------------------- */

/* Records `first` ... `end - 1` of one file. */
static ssne_code scan_records(const ssne_input *input, int64_t number, int64_t first, int64_t end,
                              gather *g, ssne_error *err) {
  const char *path = input->container[number], *slash = strrchr(path, '/');
  const int64_t bytes = record_bytes(input);
  char name[GATHER_LONGEST_NAME];
  int file = -1;
  SSNE_TRY(ssne_open_regular(path, &file, NULL, NULL, err));
  ssne_code code = SSNE_OK;
  for (int64_t r = first; r < end && !code; r++) {
    const ssne_place place = {number, r * bytes + input->header, PIXELS};
    uint8_t label = 0;
    snprintf(name, sizeof name, "%.4000s/%05" PRId64, slash ? slash + 1 : path, r);
    code = ssne_read_at(file, &label, 1, place.offset - 1, err);
    if (!code && label >= class_count(input))
      code = ssne_fail(err, SSNE_USAGE,
                       "record %" PRId64 " has the label %d, classes are 0 to %d: not a file of "
                       "CIFAR-%d",
                       r, label, class_count(input) - 1, class_count(input));
    if (!code) code = ssne_gather_add(g, name, NULL, 0, &place, err);
    if (!code) g->out->label[g->out->count - 1] = label;
  }
  close(file);
  return code ? ssne_fail_in(err, "%s", path) : SSNE_OK;
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static ssne_code scan_files(const ssne_input *input, int64_t begin, int64_t end, gather *g,
                            ssne_error *err) {
  int64_t before = 0; /* rows of the files before */
  for (int64_t c = 0; c < input->containers && before < end; c++) {
    struct stat about;
    if (stat(input->container[c], &about) != 0)
      return ssne_fail(err, SSNE_FAILED, "%s: it was there before", input->container[c]);
    const int64_t rows = about.st_size / record_bytes(input);
    const int64_t first = begin > before ? least(begin - before, rows) : 0;
    SSNE_TRY(scan_records(input, c, first, least(end - before, rows), g, err));
    before += rows;
  }
  return SSNE_OK;
}

static ssne_code scan_cifar(const ssne_input *input, int part, int parts, ssne_samples *out,
                            ssne_error *err) {
  gather g = {.out = out};
  out->labels = SSNE_LABELS_NUMBERS;
  ssne_code code = part == 0 ? read_names(input, out, err) : SSNE_OK;
  if (!code)
    code = scan_files(input, ssne_share_begin(input->rows, parts, part),
                      ssne_share_begin(input->rows, parts, part + 1), &g, err);
  ssne_gather_end(&g, code != SSNE_OK);
  return code;
}

static ssne_code read_cifar(const ssne_input *input, const char *name, const ssne_place *place,
                            ssne_input_reader *reader, ssne_error *err) {
  uint8_t bytes[PIXELS];
  (void)name;
  SSNE_TRY(ssne_input_use(input, place->file, reader, err));
  SSNE_TRY(ssne_read_at(reader->handle, bytes, PIXELS, place->offset, err));
  return ssne_input_pixels(input, bytes, reader, err);
}

const input_format ssne_cifar_format = {"CIFAR", scan_cifar, read_cifar};
