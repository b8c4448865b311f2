#include "shardsne/files.h"
#include "shardsne/memory.h"
#include "store_private.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#define FILL_BYTES ((int64_t)1 << 22)
#define MOST_SUMS ((int64_t)1 << 22) /* checksums in memory at once */

/* A dataset is one piece of the file, so each rank moves its own rows when it has them, by reading
 * and writing bytes, and needs no one else. */

static ssne_code check_rows(const ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                            ssne_error *err) {
  const ssne_store_set *s = &store->structure.sets[set];
  const char *name = ssne_schema_of(set)->name;
  if (!s->shape.exists) return ssne_fail(err, SSNE_FAILED, "%s has no %s", store->open_path, name);
  if (first < 0 || rows < 0 || first > s->shape.rows || rows > s->shape.rows - first)
    return ssne_fail(err, SSNE_FAILED,
                     "%s: %" PRId64 " rows from row %" PRId64 " on are not all in %s, which has "
                     "%" PRId64,
                     store->open_path, rows, first, name, s->shape.rows);
  return SSNE_OK;
}

/* --- moving ------------------------------------------------------------------------------ */

/* Rows of a dataset, or their checksums. */
typedef struct run_of_rows {
  ssne_set set;
  bool sums;
  int64_t first, rows;
} run_of_rows;

static ssne_extent extent_of(const ssne_store *store, const run_of_rows *run) {
  const ssne_store_set *s = &store->structure.sets[run->set];
  const int64_t bytes = run->sums ? SSNE_SUM_BYTES : ssne_set_row_bytes(&s->shape);
  const int64_t begin = (run->sums ? s->sums_place : s->place) + run->first * bytes;
  return (ssne_extent){begin, begin + run->rows * bytes};
}

/* `cause`: of errno; 0: the file ends before the rows do. */
static ssne_code fail_to_move(const ssne_store *store, const run_of_rows *run, const char *how,
                              int cause, ssne_error *err) {
  char sums[SSNE_SUMS_NAME_LENGTH];
  const bool full = cause == ENOSPC || cause == EDQUOT;
  const int64_t last = run->first + run->rows - 1;
  ssne_schema_sums_name(ssne_schema_of(run->set), sums);
  const char *name = run->sums ? sums : ssne_schema_of(run->set)->name;
  if (cause == 0)
    return ssne_fail(err, SSNE_FAILED,
                     "%s is truncated: rows %" PRId64 " to %" PRId64 " of %s are not all there; "
                     "`shardsne repair` brings back what is whole",
                     store->open_path, run->first, last, name);
  return ssne_fail(err, SSNE_FAILED, "%s: %s rows %" PRId64 " to %" PRId64 " of %s failed: %s%s",
                   store->open_path, how, run->first, last, name, strerror(cause),
                   full ? "; make room, then run the same command again" : "");
}

static ssne_code write_rows(const ssne_store *store, run_of_rows run, const void *from,
                            ssne_error *err) {
  const ssne_extent e = extent_of(store, &run);
  if (ssne_bytes_write(store->file, from, e.end - e.first, e.first) == 0) return SSNE_OK;
  return fail_to_move(store, &run, "writing", errno, err);
}

static ssne_code read_rows(const ssne_store *store, run_of_rows run, void *to, ssne_error *err) {
  const ssne_extent e = extent_of(store, &run);
  const int64_t read = ssne_bytes_read(store->file, to, e.end - e.first, e.first);
  if (read == e.end - e.first) return SSNE_OK;
  return fail_to_move(store, &run, "reading", read < 0 ? errno : 0, err);
}

/* --- checksums --------------------------------------------------------------------------- */

/* The low half of the row's XXH3-64; 0 is left to rows that nobody has written. */
static uint32_t sum_of(const char *row, int64_t bytes) {
  const uint32_t sum = (uint32_t)ssne_digest64(row, (size_t)bytes);
  return sum ? sum : 1;
}

static ssne_row_state state_of(uint32_t sum, const char *row, int64_t bytes) {
  if (sum == 0) return SSNE_ROW_UNWRITTEN;
  return sum == sum_of(row, bytes) ? SSNE_ROW_WHOLE : SSNE_ROW_DAMAGED;
}

/* --- a piece of a transfer --------------------------------------------------------------- */

/* Rows that pass at once. What a kill leaves in between is rows without their checksums, or with
 * old ones: damaged, as they are. */
typedef struct transfer {
  ssne_store *store;
  ssne_set set;
  int64_t bytes;    /* of a row */
  uint32_t *sums;   /* of a piece; NULL where the dataset has none */
  const char *from; /* written */
  char *to;         /* or read */
  uint8_t *state;   /* of all rows read; NULL: a damaged one is an error */
  bool all_written; /* and so is one that nobody has written */
} transfer;

static ssne_code write_piece(const transfer *t, int64_t first, int64_t rows, int64_t done,
                             ssne_error *err) {
  const char *from = t->from + done * t->bytes;
  SSNE_TRY(write_rows(t->store, (run_of_rows){t->set, false, first, rows}, from, err));
  if (!t->sums) return SSNE_OK;
  for (int64_t r = 0; r < rows; r++) t->sums[r] = sum_of(from + r * t->bytes, t->bytes);
  return write_rows(t->store, (run_of_rows){t->set, true, first, rows}, t->sums, err);
}

static ssne_code read_piece(const transfer *t, int64_t first, int64_t rows, int64_t done,
                            ssne_error *err) {
  char *to = t->to + done * t->bytes;
  SSNE_TRY(read_rows(t->store, (run_of_rows){t->set, false, first, rows}, to, err));
  if (t->sums)
    SSNE_TRY(read_rows(t->store, (run_of_rows){t->set, true, first, rows}, t->sums, err));
  for (int64_t r = 0; r < rows; r++) {
    const ssne_row_state state =
        t->sums ? state_of(t->sums[r], to + r * t->bytes, t->bytes) : SSNE_ROW_WHOLE;
    if (t->state) t->state[done + r] = (uint8_t)state;
    if (!t->state && (state == SSNE_ROW_DAMAGED || (t->all_written && state == SSNE_ROW_UNWRITTEN)))
      return ssne_fail(err, SSNE_FAILED,
                       "%s: row %" PRId64 " of %s %s: the file was damaged; "
                       "`shardsne verify` shows where, `shardsne repair` keeps what is whole",
                       t->store->open_path, first + r, ssne_schema_of(t->set)->name,
                       state == SSNE_ROW_DAMAGED ? "does not match its checksum"
                                                 : "was never written");
  }
  return SSNE_OK;
}

static ssne_code move_all(transfer *t, int64_t first, int64_t rows, ssne_error *err) {
  ssne_store *store = t->store;
  SSNE_TRY(check_rows(store, t->set, first, rows, err));
  const ssne_store_set *s = &store->structure.sets[t->set];
  t->bytes = ssne_set_row_bytes(&s->shape);
  const int64_t fitting = t->bytes < store->piece ? store->piece / t->bytes : 1;
  const int64_t at_once = fitting < MOST_SUMS ? fitting : MOST_SUMS;
  if (s->summed)
    SSNE_TRY(
        ssne_alloc(&t->sums, at_once < rows ? at_once : rows, sizeof *t->sums, "checksums", err));
  ssne_code code = SSNE_OK;
  for (int64_t done = 0; done < rows && code == SSNE_OK; done += at_once) {
    const int64_t now = rows - done < at_once ? rows - done : at_once;
    code = t->from ? write_piece(t, first + done, now, done, err)
                   : read_piece(t, first + done, now, done, err);
  }
  ssne_free(&t->sums);
  return code;
}

/* --- what others call -------------------------------------------------------------------- */

ssne_code ssne_store_write(ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                           const void *data, ssne_error *err) {
  transfer t = {.store = store, .set = set, .from = data};
  SSNE_TRY(ssne_store_must_write(store, err));
  return move_all(&t, first, rows, err);
}

ssne_code ssne_store_read(ssne_store *store, ssne_set set, int64_t first, int64_t rows, void *data,
                          ssne_error *err) {
  transfer t = {.store = store, .set = set, .to = data};
  return move_all(&t, first, rows, err);
}

ssne_code ssne_store_read_written(ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                                  void *data, ssne_error *err) {
  transfer t = {.store = store, .set = set, .to = data, .all_written = true};
  return move_all(&t, first, rows, err);
}

ssne_code ssne_store_examine(ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                             void *data, uint8_t *state, ssne_error *err) {
  transfer t = {.store = store, .set = set, .to = data, .state = state};
  return move_all(&t, first, rows, err);
}

ssne_code ssne_store_write_unwritten(ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                                     ssne_error *err) {
  const int64_t columns = store->structure.sets[set].shape.columns;
  const int64_t at_once = FILL_BYTES / (columns * (int64_t)sizeof(float)) + 1;
  float *values = NULL;
  SSNE_TRY(ssne_alloc(&values, at_once * columns, sizeof *values, "values", err));
  for (int64_t i = 0; i < at_once * columns; i++) values[i] = NAN;
  ssne_code code = SSNE_OK;
  for (int64_t done = 0; done < rows && code == SSNE_OK; done += at_once) {
    const int64_t now = rows - done < at_once ? rows - done : at_once;
    code = write_rows(store, (run_of_rows){set, false, first + done, now}, values, err);
  }
  ssne_free(&values);
  return code;
}
