#include "shardsne/index.h"

#include "gather.h"

#include "shardsne/files.h"
#include "shardsne/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "SSNEIDX2"
#define PIECE 4096 /* rows converted at a time */

/* A row as it lies in the file. */
typedef struct record {
  ssne_place place;
  int64_t name_end; /* bytes of names up to this row's, included */
  int64_t label;
} record;

static int64_t head_bytes(const ssne_index_head *h) {
  return (int64_t)sizeof *h + h->state_size + h->classes_size;
}

static uint64_t check_of(const ssne_index_head *h, const void *state, const char *classes) {
  const size_t from = offsetof(ssne_index_head, count);
  const uint64_t parts[3] = {ssne_digest64((const char *)h + from, sizeof *h - from),
                             ssne_digest64(state, (size_t)h->state_size),
                             ssne_digest64(classes, (size_t)h->classes_size)};
  return ssne_digest64(parts, sizeof parts);
}

/* --- writing ----------------------------------------------------------------------------- */

static ssne_code write_at(int file, const void *bytes, int64_t size, int64_t offset,
                          ssne_error *err) {
  if (ssne_bytes_write(file, bytes, size, offset) == 0) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED, "%s", strerror(errno));
}

/* Closing may say what writing has not. */
static ssne_code end_writing(int file, const char *path, ssne_code code, ssne_error *err) {
  if (close(file) != 0 && code == SSNE_OK)
    code = ssne_fail(err, SSNE_FAILED, "%s", strerror(errno));
  return code ? ssne_fail_in(err, "%s: cannot be written", path) : SSNE_OK;
}

ssne_code ssne_index_write_head(const char *path, ssne_index_head *head, const void *state,
                                const char *classes, ssne_error *err) {
  memcpy(head->magic, MAGIC, sizeof head->magic);
  head->check = check_of(head, state, classes);
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return ssne_fail(err, SSNE_FAILED, "%s: %s", path, strerror(errno));
  const int64_t at = (int64_t)sizeof *head;
  ssne_code code = write_at(file, head, at, 0, err);
  if (!code) code = write_at(file, state, head->state_size, at, err);
  if (!code) code = write_at(file, classes, head->classes_size, at + head->state_size, err);
  return end_writing(file, path, code, err);
}

static ssne_code write_records(int file, const ssne_index_head *head, const ssne_index_rows *rows,
                               ssne_error *err) {
  record piece[PIECE];
  int64_t name = 0;
  for (int64_t at = 0; at < rows->count;) {
    int64_t n = 0;
    for (; n < PIECE && at + n < rows->count; n++) {
      name += (int64_t)strlen(rows->names + name) + 1;
      piece[n] = (record){rows->place[at + n], rows->first_name + name, rows->label[at + n]};
    }
    SSNE_TRY(write_at(file, piece, n * (int64_t)sizeof *piece,
                      head_bytes(head) + (rows->first + at) * (int64_t)sizeof *piece, err));
    at += n;
  }
  return SSNE_OK;
}

ssne_code ssne_index_write_rows(const char *path, const ssne_index_head *head,
                                const ssne_index_rows *rows, ssne_error *err) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return ssne_fail(err, SSNE_FAILED, "%s: %s", path, strerror(errno));
  const int64_t names = head_bytes(head) + head->count * (int64_t)sizeof(record);
  ssne_code code = write_records(file, head, rows, err);
  if (!code) code = write_at(file, rows->names, rows->names_size, names + rows->first_name, err);
  return end_writing(file, path, code, err);
}

/* --- reading ----------------------------------------------------------------------------- */

static ssne_code fail_damaged(const char *path, ssne_error *err) {
  return ssne_fail(err, SSNE_FAILED, "%s: no index, or a damaged one", path);
}

/* Sizes that are not negative, and add up to the file's. */
static bool has_sizes(const ssne_index_head *h, int64_t size) {
  const int64_t parts[] = {h->classes_size, h->state_size, h->names_size, h->longest_name,
                           h->ignored};
  int64_t left = size - (int64_t)sizeof *h;
  if (h->count < 1 || h->block_rows < 1 || h->count > left / (int64_t)sizeof(record)) return false;
  left -= h->count * (int64_t)sizeof(record);
  for (int i = 0; i < 3; i++) {
    if (parts[i] < 0 || parts[i] > left) return false;
    left -= parts[i];
  }
  return left == 0 && h->longest_name >= 0 && h->longest_name <= h->names_size && h->ignored >= 0 &&
         h->unlabelled >= 0;
}

static bool has_texts(const char *texts, int64_t size) {
  return size == 0 || texts[size - 1] == 0;
}

static ssne_code read_classes(int file, const char *path, const void *state, ssne_index_head *head,
                              char **classes, ssne_error *err) {
  char *kept = NULL;
  SSNE_TRY(ssne_alloc(&kept, head->state_size, 1, "bytes of an index", err));
  ssne_code code = ssne_alloc(classes, head->classes_size + 1, 1, "class names", err);
  if (!code) code = ssne_read_at(file, kept, head->state_size, (int64_t)sizeof *head, err);
  if (!code)
    code = ssne_read_at(file, *classes, head->classes_size,
                        (int64_t)sizeof *head + head->state_size, err);
  if (!code &&
      (check_of(head, kept, *classes) != head->check || !has_texts(*classes, head->classes_size) ||
       !memchr(head->digest, 0, SSNE_DIGEST_LENGTH)))
    code = fail_damaged(path, err);
  if (!code && memcmp(kept, state, (size_t)head->state_size) != 0)
    code = ssne_fail(err, SSNE_FAILED, "%s: of an input that has changed", path);
  ssne_free(&kept);
  if (code) ssne_free(classes);
  return code;
}

ssne_code ssne_index_read_head(const char *path, const void *state, int64_t state_size,
                               ssne_index_head *head, char **classes, ssne_error *err) {
  int file = -1;
  int64_t size = 0;
  *classes = NULL;
  SSNE_TRY(ssne_open_regular(path, &file, &size, NULL, err));
  ssne_code code = ssne_read_at(file, head, (int64_t)sizeof *head, 0, err);
  if (!code && (memcmp(head->magic, MAGIC, sizeof head->magic) != 0 || !has_sizes(head, size)))
    code = fail_damaged(path, err);
  if (!code && head->state_size != state_size)
    code = ssne_fail(err, SSNE_FAILED, "%s: of an input that has changed", path);
  if (!code) code = read_classes(file, path, state, head, classes, err);
  close(file);
  return code;
}

static bool is_place(const ssne_place *p) {
  return p->file >= 0 && p->offset >= 0 && p->size >= 0 && p->size <= INT64_MAX - p->offset;
}

/* Places and labels out of records; names must follow each other. */
static ssne_code read_records(int file, const char *path, const ssne_index_head *head,
                              ssne_index_rows *rows, ssne_error *err) {
  record piece[PIECE], before = {.name_end = 0};
  const int64_t begin = head_bytes(head), width = (int64_t)sizeof(record);
  if (rows->first > 0)
    SSNE_TRY(ssne_read_at(file, &before, width, begin + (rows->first - 1) * width, err));
  if (before.name_end < 0 || before.name_end > head->names_size) return fail_damaged(path, err);
  rows->first_name = before.name_end;
  for (int64_t at = 0; at < rows->count;) {
    const int64_t n = rows->count - at < PIECE ? rows->count - at : PIECE;
    SSNE_TRY(ssne_read_at(file, piece, n * width, begin + (rows->first + at) * width, err));
    for (int64_t i = 0; i < n; i++) {
      if (piece[i].name_end <= before.name_end || piece[i].name_end > head->names_size ||
          piece[i].label < -1 || piece[i].label > INT32_MAX || !is_place(&piece[i].place))
        return fail_damaged(path, err);
      before = piece[i];
      rows->place[at + i] = piece[i].place;
      rows->label[at + i] = (int32_t)piece[i].label;
    }
    at += n;
  }
  rows->names_size = rows->count > 0 ? before.name_end - rows->first_name : 0;
  return SSNE_OK;
}

/* As many names as rows. */
static bool has_names(const ssne_index_rows *rows) {
  int64_t zeros = 0;
  for (int64_t i = 0; i < rows->names_size; i++) zeros += !rows->names[i];
  return zeros == rows->count && has_texts(rows->names, rows->names_size);
}

ssne_code ssne_index_read_rows(const char *path, const ssne_index_head *head, int64_t first,
                               int64_t count, ssne_index_rows *rows, ssne_error *err) {
  int file = -1;
  *rows = (ssne_index_rows){.first = first, .count = count};
  SSNE_TRY(ssne_alloc(&rows->place, count, sizeof *rows->place, "samples", err));
  SSNE_TRY(ssne_alloc(&rows->label, count, sizeof *rows->label, "labels", err));
  SSNE_TRY(ssne_open_regular(path, &file, NULL, NULL, err));
  ssne_code code = read_records(file, path, head, rows, err);
  if (!code) code = ssne_alloc(&rows->names, rows->names_size, 1, "image names", err);
  if (!code)
    code = ssne_read_at(file, rows->names, rows->names_size,
                        head_bytes(head) + head->count * (int64_t)sizeof(record) + rows->first_name,
                        err);
  if (!code && !has_names(rows)) code = fail_damaged(path, err);
  close(file);
  return code;
}
