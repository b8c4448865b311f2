#include "selection.h"

#include "shardsne/memory.h"

#include <inttypes.h>
#include <string.h>

#define PIECE ((int64_t)1 << 20)

enum { PENDING = 0, GOOD = 1, BAD = 2 };

selection selection_all(int64_t file_rows) {
  return (selection){.file_rows = file_rows, .rows = file_rows};
}

void selection_free(selection *s) {
  ssne_free(&s->bad);
}

/* Passes over the status of all rows; counts the bad ones in *count, and keeps them in `bad` unless
 * that is NULL. */
static ssne_code find_bad(ssne_store *store, int64_t file_rows, uint8_t *status, int64_t *bad,
                          int64_t *count, ssne_error *err) {
  *count = 0;
  for (int64_t first = 0; first < file_rows; first += PIECE) {
    const int64_t rows = file_rows - first < PIECE ? file_rows - first : PIECE;
    SSNE_TRY(ssne_store_read(store, SSNE_SET_SAMPLE_STATUS, first, rows, status, err));
    for (int64_t r = 0; r < rows; r++) {
      if (status[r] == PENDING)
        return ssne_fail(err, SSNE_FAILED,
                         "row %" PRId64 " has no features yet: finish `shardsne extract` first",
                         first + r);
      if (status[r] == BAD && bad) bad[*count] = first + r;
      *count += status[r] == BAD;
    }
  }
  return SSNE_OK;
}

ssne_code selection_read(ssne_store *store, int64_t file_rows, selection *out, ssne_error *err) {
  *out = selection_all(file_rows);
  uint8_t *status = NULL;
  int64_t count = 0;
  ssne_code code = ssne_alloc(&status, file_rows < PIECE ? file_rows : PIECE, 1, "states", err);
  if (code == SSNE_OK) code = find_bad(store, file_rows, status, NULL, &count, err);
  if (code == SSNE_OK && count > 0) {
    code = ssne_alloc(&out->bad, count, sizeof *out->bad, "bad rows", err);
    if (code == SSNE_OK) code = find_bad(store, file_rows, status, out->bad, &count, err);
  }
  out->rows = file_rows - count;
  ssne_free(&status);
  return code;
}

ssne_code selection_write(const selection *s, ssne_store *store, ssne_error *err) {
  uint8_t *status = NULL;
  const int64_t most = s->file_rows < PIECE ? s->file_rows : PIECE;
  int64_t b = 0;
  ssne_code code = ssne_alloc(&status, most, 1, "states", err);
  for (int64_t first = 0; first < s->file_rows && code == SSNE_OK; first += PIECE) {
    const int64_t left = s->file_rows - first, rows = left < PIECE ? left : PIECE;
    memset(status, GOOD, (size_t)rows);
    for (; b < s->file_rows - s->rows && s->bad[b] < first + rows; b++)
      status[s->bad[b] - first] = BAD;
    code = ssne_store_write(store, SSNE_SET_SAMPLE_STATUS, first, rows, status, err);
  }
  ssne_free(&status);
  return code;
}

/* How many bad rows come before the row'th good one: bad[c] - c good rows lie before bad row c. */
static int64_t bad_before(const selection *s, int64_t row) {
  int64_t low = 0, high = s->file_rows - s->rows;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (s->bad[middle] - middle <= row)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

int64_t selection_to_file(const selection *s, int64_t row) {
  return row + bad_before(s, row);
}

int64_t selection_from_file(const selection *s, int64_t file_row) {
  int64_t low = 0, high = s->file_rows - s->rows; /* bad rows before file_row */
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (s->bad[middle] < file_row)
      low = middle + 1;
    else
      high = middle;
  }
  return file_row - low;
}

int64_t selection_run(const selection *s, int64_t row, int64_t most) {
  const int64_t passed = bad_before(s, row);
  if (passed == s->file_rows - s->rows) return most;
  const int64_t run = s->bad[passed] - (row + passed);
  return run < most ? run : most;
}
