#include "gather.h"

#include "shardsne/files.h"
#include "shardsne/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are read as they lie");

#define HEADER_MAX (1 << 20) /* that of a numeric array has some 100 bytes */
#define CHUNK 8192           /* elements converted at a time */

/* In the order of ssne_element. */
static const struct {
  const char *descr;
  int64_t size;
} elements[] = {{"<f4", 4}, {"<f8", 8}, {"|i1", 1}, {"<i2", 2}, {"<i4", 4},
                {"<i8", 8}, {"|u1", 1}, {"<u2", 2}, {"<u4", 4}, {"<u8", 8}};
#define ELEMENTS ((int)(sizeof elements / sizeof *elements))

/* --- the header: a dictionary as Python writes it ---------------------------------------- */

typedef struct header {
  char descr[8]; /* empty where it is too long to be a number's */
  int64_t rows, columns;
  int dimensions;
  int64_t shape[4];
  bool has_descr, has_order, has_shape, fortran;
} header;

static void skip_spaces(const char **at) {
  while (**at == ' ' || **at == '\n') (*at)++;
}

/* Whether `token` comes next, after spaces; steps over it if so. */
static bool take(const char **at, const char *token) {
  skip_spaces(at);
  const size_t length = strlen(token);
  if (strncmp(*at, token, length) != 0) return false;
  *at += length;
  return true;
}

/* A string in quotes, without escapes; cut short to the empty one where it has no room. */
static bool take_string(const char **at, char *out, size_t room) {
  const char quote = take(at, "'") ? '\'' : '"';
  if (quote == '"' && !take(at, "\"")) return false;
  const char *end = strchr(*at, quote);
  if (!end) return false;
  const size_t length = (size_t)(end - *at);
  snprintf(out, room, "%.*s", length < room ? (int)length : 0, *at);
  *at = end + 1;
  return true;
}

static bool take_count(const char **at, int64_t *out) {
  skip_spaces(at);
  if (**at < '0' || **at > '9') return false;
  for (*out = 0; **at >= '0' && **at <= '9'; (*at)++)
    if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, **at - '0', out))
      return false;
  return true;
}

/* (3,) or (3, 4) or (3, 4, 5): the first is the rows, the product of the others the columns. */
static bool take_shape(const char **at, header *h) {
  if (!take(at, "(") || !take_count(at, &h->rows)) return false;
  h->columns = 1;
  h->dimensions = 1;
  h->shape[0] = h->rows;
  while (take(at, ",")) {
    int64_t side;
    if (take(at, ")")) return true;
    if (!take_count(at, &side) || __builtin_mul_overflow(h->columns, side, &h->columns))
      return false;
    if (h->dimensions < 4) h->shape[h->dimensions] = side;
    h->dimensions++;
  }
  return take(at, ")");
}

/* The value of `key`; false as well for a record type, whose descr is a list. */
static bool take_value(const char **at, const char *key, header *h) {
  if (strcmp(key, "descr") == 0) {
    h->has_descr = true;
    return take_string(at, h->descr, sizeof h->descr);
  }
  if (strcmp(key, "fortran_order") == 0) {
    h->has_order = true;
    h->fortran = take(at, "True");
    return h->fortran || take(at, "False");
  }
  if (strcmp(key, "shape") == 0) {
    h->has_shape = true;
    return take_shape(at, h);
  }
  return false;
}

static bool parse(const char *text, header *h) {
  const char *at = text;
  char key[16];
  if (!take(&at, "{")) return false;
  while (!take(&at, "}")) {
    if (!take_string(&at, key, sizeof key) || !take(&at, ":") || !take_value(&at, key, h))
      return false;
    if (take(&at, ",")) continue;
    if (!take(&at, "}")) return false;
    break;
  }
  skip_spaces(&at);
  return *at == '\0' && h->has_descr && h->has_order && h->has_shape;
}

/* --- opening ----------------------------------------------------------------------------- */

/* Where the header's text begins, and how long it is. */
static ssne_code read_preamble(int file, int64_t *offset, int64_t *length, ssne_error *err) {
  uint8_t lead[12];
  SSNE_TRY(ssne_read_at(file, lead, 10, 0, err));
  if (memcmp(lead, "\x93NUMPY", 6) != 0)
    return ssne_fail(err, SSNE_USAGE, "not a .npy file; write one with numpy.save");
  const int version = lead[6];
  if (version < 1 || version > 3)
    return ssne_fail(err, SSNE_USAGE, ".npy format version %d; 1 to 3 are read", version);
  *offset = version == 1 ? 10 : 12;
  SSNE_TRY(ssne_read_at(file, lead, *offset, 0, err));
  *length = lead[8] | lead[9] << 8;
  if (version > 1) *length |= (int64_t)lead[10] << 16 | (int64_t)lead[11] << 24;
  if (*length > HEADER_MAX)
    return ssne_fail(err, SSNE_USAGE, "a header of %" PRId64 " bytes is no plain array's", *length);
  return SSNE_OK;
}

static ssne_code read_header(int file, header *h, int64_t *end, ssne_error *err) {
  int64_t offset = 0, length = 0;
  char *text = NULL;
  SSNE_TRY(read_preamble(file, &offset, &length, err));
  SSNE_TRY(ssne_alloc(&text, length + 1, 1, "characters of a header", err));
  ssne_code code = ssne_read_at(file, text, length, offset, err);
  if (!code && (strlen(text) != (size_t)length || !parse(text, h)))
    code =
        ssne_fail(err, SSNE_USAGE, "not the header of an array of numbers with rows: %.120s", text);
  *end = offset + length;
  ssne_free(&text);
  return code;
}

static ssne_code find_element(const char *descr, ssne_element *out, ssne_error *err) {
  for (int e = 0; e < ELEMENTS; e++)
    if (strcmp(descr, elements[e].descr) == 0) {
      *out = (ssne_element)e;
      return SSNE_OK;
    }
  return ssne_fail(err, SSNE_USAGE,
                   "elements of type '%s'; integers, float32 and float64 are read, little-endian: "
                   "save x.astype('<f4')",
                   descr);
}

static ssne_code check(int file, const header *h, ssne_npy *npy, ssne_error *err) {
  SSNE_TRY(find_element(h->descr, &npy->element, err));
  if (h->fortran)
    return ssne_fail(err, SSNE_USAGE, "Fortran order; save numpy.ascontiguousarray(x)");
  int64_t end;
  if (__builtin_mul_overflow(h->rows, h->columns, &end) ||
      __builtin_mul_overflow(end, elements[npy->element].size, &end) ||
      __builtin_add_overflow(end, npy->data_offset, &end))
    return ssne_fail(err, SSNE_USAGE, "%" PRId64 " x %" PRId64 " elements: more than 2^63 bytes",
                     h->rows, h->columns);
  struct stat about;
  if (fstat(file, &about)) return ssne_fail(err, SSNE_USAGE, "%s", strerror(errno));
  if (about.st_size < end)
    return ssne_fail(err, SSNE_USAGE,
                     "%" PRId64 " bytes, %" PRId64 " by its header; it was not written to the end",
                     (int64_t)about.st_size, end);
  npy->rows = h->rows;
  npy->columns = h->columns;
  npy->dimensions = h->dimensions;
  memcpy(npy->shape, h->shape, sizeof npy->shape);
  return SSNE_OK;
}

ssne_code ssne_npy_open(const char *path, ssne_npy *npy, ssne_error *err) {
  int file = -1;
  header h = {.rows = 0};
  *npy = (ssne_npy){0};
  SSNE_TRY(ssne_open_regular(path, &file, NULL, NULL, err));
  ssne_code code = read_header(file, &h, &npy->data_offset, err);
  if (!code) code = check(file, &h, npy, err);
  close(file);
  return code ? ssne_fail_in(err, "%s", path) : SSNE_OK;
}

/* --- reading ----------------------------------------------------------------------------- */

/* Straight from each type to the one wanted, so that a value is rounded once. */
#define CONVERT_CASE(element, from, to)                                                            \
  case element:                                                                                    \
    for (int64_t i = 0; i < count; i++) out[i] = (to)((const from *)in)[i];                        \
    break;

static void convert_to_float(const void *in, ssne_element type, int64_t count, float *out) {
  switch (type) {
    CONVERT_CASE(SSNE_FLOAT32, float, float)
    CONVERT_CASE(SSNE_FLOAT64, double, float)
    CONVERT_CASE(SSNE_INT8, int8_t, float)
    CONVERT_CASE(SSNE_INT16, int16_t, float)
    CONVERT_CASE(SSNE_INT32, int32_t, float)
    CONVERT_CASE(SSNE_INT64, int64_t, float)
    CONVERT_CASE(SSNE_UINT8, uint8_t, float)
    CONVERT_CASE(SSNE_UINT16, uint16_t, float)
    CONVERT_CASE(SSNE_UINT32, uint32_t, float)
    CONVERT_CASE(SSNE_UINT64, uint64_t, float)
  }
}

static void convert_to_double(const void *in, ssne_element type, int64_t count, double *out) {
  switch (type) {
    CONVERT_CASE(SSNE_FLOAT32, float, double)
    CONVERT_CASE(SSNE_FLOAT64, double, double)
    CONVERT_CASE(SSNE_INT8, int8_t, double)
    CONVERT_CASE(SSNE_INT16, int16_t, double)
    CONVERT_CASE(SSNE_INT32, int32_t, double)
    CONVERT_CASE(SSNE_INT64, int64_t, double)
    CONVERT_CASE(SSNE_UINT8, uint8_t, double)
    CONVERT_CASE(SSNE_UINT16, uint16_t, double)
    CONVERT_CASE(SSNE_UINT32, uint32_t, double)
    CONVERT_CASE(SSNE_UINT64, uint64_t, double)
  }
}

/* Of the elements of the rows from `first` on, those from `at` on: as many as `chunk` takes. */
static ssne_code read_chunk(int file, const ssne_npy *npy, int64_t first, int64_t at, int64_t count,
                            uint64_t *chunk, ssne_error *err) {
  const int64_t size = elements[npy->element].size;
  return ssne_read_at(file, chunk, count * size,
                      npy->data_offset + (first * npy->columns + at) * size, err);
}

static int64_t chunk_count(int64_t left) {
  return left < CHUNK ? left : CHUNK;
}

static ssne_code read_floats(int file, const ssne_npy *npy, int64_t first, int64_t total,
                             float *out, ssne_error *err) {
  uint64_t chunk[CHUNK] = {0};
  for (int64_t at = 0; at < total; at += CHUNK) {
    const int64_t count = chunk_count(total - at);
    SSNE_TRY(read_chunk(file, npy, first, at, count, chunk, err));
    convert_to_float(chunk, npy->element, count, out + at);
  }
  return SSNE_OK;
}

/* Stores integers that fit; returns the place of the first value that is none, or `count`. */
static int64_t narrow(const double *value, int64_t count, int32_t *out) {
  for (int64_t i = 0; i < count; i++) {
    if (!(value[i] >= INT32_MIN && value[i] <= INT32_MAX)) return i;
    out[i] = (int32_t)value[i];
    if (out[i] != value[i]) return i;
  }
  return count;
}

static ssne_code read_ints(int file, const ssne_npy *npy, int64_t first, int64_t total,
                           int32_t *out, ssne_error *err) {
  uint64_t chunk[CHUNK] = {0};
  double value[CHUNK]; /* holds every int32_t exactly, and no other number looks like one in it */
  for (int64_t at = 0; at < total; at += CHUNK) {
    const int64_t count = chunk_count(total - at);
    SSNE_TRY(read_chunk(file, npy, first, at, count, chunk, err));
    convert_to_double(chunk, npy->element, count, value);
    const int64_t good = narrow(value, count, out + at);
    if (good < count)
      return ssne_fail(err, SSNE_FAILED, "row %" PRId64 ": %.17g is no 32-bit integer",
                       first + (at + good) / npy->columns, value[good]);
  }
  return SSNE_OK;
}

static ssne_code open_rows(const char *path, const ssne_npy *npy, int64_t first, int64_t rows,
                           int *file, ssne_error *err) {
  if (first < 0 || rows < 0 || first > npy->rows - rows)
    return ssne_fail(err, SSNE_FAILED, "%s: %" PRId64 " rows from row %" PRId64 " on, of %" PRId64,
                     path, rows, first, npy->rows);
  return ssne_open_regular(path, file, NULL, NULL, err);
}

ssne_code ssne_npy_read_float(const char *path, const ssne_npy *npy, int64_t first, int64_t rows,
                              float *out, ssne_error *err) {
  int file = -1;
  SSNE_TRY(open_rows(path, npy, first, rows, &file, err));
  const ssne_code code = read_floats(file, npy, first, rows * npy->columns, out, err);
  close(file);
  return code ? ssne_fail_in(err, "%s", path) : SSNE_OK;
}

ssne_code ssne_npy_read_int(const char *path, const ssne_npy *npy, int64_t first, int64_t rows,
                            int32_t *out, ssne_error *err) {
  int file = -1;
  SSNE_TRY(open_rows(path, npy, first, rows, &file, err));
  const ssne_code code = read_ints(file, npy, first, rows * npy->columns, out, err);
  close(file);
  return code ? ssne_fail_in(err, "%s", path) : SSNE_OK;
}

/* --- writing ----------------------------------------------------------------------------- */

ssne_code ssne_npy_write_header(void *stream, ssne_element element, int64_t rows, int64_t columns,
                                ssne_error *err) {
  char shape[64], text[256];
  if (columns)
    snprintf(shape, sizeof shape, "(%" PRId64 ", %" PRId64 ")", rows, columns);
  else
    snprintf(shape, sizeof shape, "(%" PRId64 ",)", rows);
  const int used =
      snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
               elements[element].descr, shape);
  const int length = (10 + used + 1 + 63) / 64 * 64 - 10; /* the data begin at a multiple of 64 */
  const uint8_t lead[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)length, 0};
  if (fwrite(lead, sizeof lead, 1, stream) != 1 ||
      fprintf(stream, "%-*s\n", length - 1, text) != length)
    return ssne_fail(err, SSNE_FAILED, "cannot write a .npy header: %s", strerror(errno));
  return SSNE_OK;
}
