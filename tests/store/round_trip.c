/* What is written comes back: every dataset, any number of rows, attributes, digests. */
#include "check.h"
#include "folder.h"
#include "shardsne/agree.h"
#include "shardsne/memory.h"
#include "shardsne/partition.h"
#include "store_private.h"

#include <math.h>
#include <stddef.h>
#include <xxhash.h>

#define LARGEST 10007

static const int64_t columns_of[SSNE_SET_COUNT] = {5, 1, 2, 3, 4, 5, 6, 7, 1, 1, 1, 1,
                                                   1, 1, 3, 3, 2, 2, 1, 6, 6, 1, 2, 1};
static const int64_t bytes_of[SSNE_SET_COUNT] = {20, 4, 8,  12, 16, 20, 24, 28, 4,  9,  30, 1,
                                                 12, 1, 12, 12, 8,  8,  48, 24, 24, 24, 8,  4};

static bool is_text(int set) {
  return set == SSNE_SET_CLASSES || set == SSNE_SET_SAMPLE_NAMES || set == SSNE_SET_SAMPLE_REASON;
}

static int64_t width_of(int set) {
  return is_text(set) ? bytes_of[set] : 0;
}

/* The value of a row, a function of set and row alone. */
static void make_row(int set, int64_t row, char *out) {
  memset(out, 0, (size_t)bytes_of[set]);
  if (set == SSNE_SET_HISTORY) {
    const double r = (double)row;
    const ssne_history_entry entry = {row + 1, r / 3, r / 7, 12, r * 0.25, r / 5};
    memcpy(out, &entry, sizeof entry);
  } else if (set == SSNE_SET_CHECKPOINT_SLOTS) {
    const ssne_checkpoint_slot slot = {row - 1, row * 2, (double)row / 3};
    memcpy(out, &slot, sizeof slot);
  } else if (is_text(set)) {
    char text[64];
    const int length = snprintf(text, sizeof text, "%d\xc3\xa9%lld", set, (long long)row);
    memcpy(out, text, (size_t)length);
  } else if (bytes_of[set] == 1) {
    *out = (char)(row % 3);
  } else if (set == SSNE_SET_LABELS || set == SSNE_SET_NEIGHBOUR_INDEX ||
             set == SSNE_SET_SNAPSHOT_ITERATION) {
    for (int64_t c = 0; c < columns_of[set]; c++) {
      const int32_t value = (int32_t)(row * 31 + c - 1);
      memcpy(out + 4 * c, &value, sizeof value);
    }
  } else {
    for (int64_t c = 0; c < columns_of[set]; c++) {
      const float value = (float)row / 9 + (float)c;
      memcpy(out + 4 * c, &value, sizeof value);
    }
  }
}

static char *make_rows(int set, int64_t rows) {
  char *all = malloc((size_t)(rows * bytes_of[set]) + 1);
  for (int64_t r = 0; r < rows; r++) make_row(set, r, all + r * bytes_of[set]);
  return all;
}

static ssne_store *create(const char *path) {
  ssne_store *s = NULL;
  ssne_error err;
  CHECK_OK(ssne_store_create(path, MPI_COMM_WORLD, &s, &err), &err);
  return s;
}

static ssne_store *reopen(const char *path, bool writable) {
  ssne_store *s = NULL;
  ssne_error err;
  CHECK_OK(ssne_store_open(path, writable, MPI_COMM_WORLD, &s, NULL, &err), &err);
  return s;
}

/* Each rank writes its blocks of `block` rows. */
static void write_set(ssne_store *s, int set, int64_t rows, int64_t block) {
  ssne_error err;
  const ssne_partition p = ssne_partition_make(rows, block, s->ranks, s->rank);
  char *all = make_rows(set, rows);
  CHECK_OK(ssne_store_define(s, (ssne_set)set, rows, columns_of[set], width_of(set), &err), &err);
  CHECK_OK(ssne_store_write(s, (ssne_set)set, p.first_row, p.own_rows,
                            all + p.first_row * bytes_of[set], &err),
           &err);
  free(all);
}

/* The digest as store.h defines it, from the truth. */
static void digest_truth(const char *all, int64_t rows, int64_t bytes, char text[64]) {
  uint64_t runs[LARGEST / SSNE_DIGEST_ROWS + 1];
  size_t count = 0;
  for (int64_t r = 0; r < rows; r += SSNE_DIGEST_ROWS) {
    const int64_t left = rows - r < SSNE_DIGEST_ROWS ? rows - r : SSNE_DIGEST_ROWS;
    runs[count++] = XXH3_64bits(all + r * bytes, (size_t)(left * bytes));
  }
  const XXH128_hash_t whole = XXH3_128bits(runs, count * sizeof *runs);
  snprintf(text, 64, "%016llx%016llx", (unsigned long long)whole.high64,
           (unsigned long long)whole.low64);
}

/* What the file says of each row. */
static void check_states(ssne_store *s, int set, int64_t rows, int wanted) {
  ssne_error err;
  uint8_t *state = malloc((size_t)rows + 1);
  char *read = malloc((size_t)(rows * bytes_of[set]) + 1);
  int64_t wrong = 0;
  CHECK_OK(ssne_store_examine(s, (ssne_set)set, 0, rows, read, state, &err), &err);
  for (int64_t r = 0; r < rows; r++) wrong += state[r] != wanted;
  CHECK(wrong == 0);
  free(state);
  free(read);
}

static void check_set(ssne_store *s, int set, int64_t rows) {
  ssne_error err;
  ssne_set_shape shape;
  char digest[SSNE_DIGEST_LENGTH], expected[64];
  char *all = make_rows(set, rows), *read = calloc(1, (size_t)(rows * bytes_of[set]) + 1);
  CHECK_OK(ssne_store_shape(s, (ssne_set)set, &shape, &err), &err);
  CHECK(shape.exists && shape.rows == rows && shape.columns == columns_of[set]);
  CHECK(shape.columns * shape.width == bytes_of[set]);
  CHECK_OK(ssne_store_read(s, (ssne_set)set, 0, rows, read, &err), &err);
  CHECK(memcmp(all, read, (size_t)(rows * bytes_of[set])) == 0);
  CHECK_OK(ssne_store_digest(s, (ssne_set)set, digest, &err), &err);
  digest_truth(all, rows, bytes_of[set], expected);
  CHECK(strcmp(digest, expected) == 0);
  check_states(s, set, rows, SSNE_ROW_WHOLE);
  free(all);
  free(read);
}

/* All sets, through a close, at a piece of few bytes so that each transfer is many. */
static void test_sets(const folder *f, int64_t rows, int64_t piece) {
  ssne_error err;
  char path[128];
  folder_file(f, "sets.h5", path);
  ssne_store *s = create(path);
  if (!s) return;
  s->piece = piece;
  for (int set = 0; set < SSNE_SET_COUNT; set++) write_set(s, set, rows, 64);
  CHECK(ssne_store_exists(path, true));
  CHECK_OK(ssne_store_publish(&s, &err), &err);
  CHECK(!s && ssne_store_exists(path, false) && !ssne_store_exists(path, true));
  s = reopen(path, false);
  if (!s) return;
  s->piece = piece;
  for (int set = 0; set < SSNE_SET_COUNT; set++) check_set(s, set, rows);
  CHECK_OK(ssne_store_close(&s, &err), &err);
  MPI_Barrier(MPI_COMM_WORLD);
  if (f->rank == 0) CHECK(unlink(path) == 0);
}

/* Whether all rows have the value of rows that nobody wrote. */
static void check_unwritten(ssne_store *s, int set, int64_t rows) {
  ssne_error err;
  const bool nan = set == SSNE_SET_COORDINATES || set == SSNE_SET_NORMALIZED;
  const size_t bytes = (size_t)(rows * bytes_of[set]);
  char *read = malloc(bytes);
  int64_t wrong = 0;
  memset(read, 7, bytes);
  CHECK_OK(ssne_store_read(s, (ssne_set)set, 0, rows, read, &err), &err);
  for (size_t i = 0; i < bytes && !nan; i++) wrong += read[i] != 0;
  for (size_t i = 0; i < bytes / 4 && nan; i++) wrong += !isnan(((float *)(void *)read)[i]);
  CHECK(wrong == 0);
  const bool summed = s->structure.sets[set].summed;
  CHECK(ssne_store_read_written(s, (ssne_set)set, 0, rows, read, &err) ==
        (summed ? SSNE_FAILED : SSNE_OK));
  if (summed) CHECK(strstr(err.text, "row 0 of ") && strstr(err.text, "was never written"));
  free(read);
  check_states(s, set, rows, set == SSNE_SET_BLOCK_DONE ? SSNE_ROW_WHOLE : SSNE_ROW_UNWRITTEN);
}

/* Rows never written, in fresh space and in space that held something else before. */
static void test_unwritten(const folder *f) {
  ssne_error err;
  char path[128];
  ssne_store *s = create(folder_file(f, "unwritten.h5", path));
  const int64_t rows[] = {5000, 5000, 4000, 6000, 3};
  for (int round = 0; s && round < 5; round++) {
    for (int set = 0; set < SSNE_SET_COUNT; set++) {
      CHECK_OK(
          ssne_store_define(s, (ssne_set)set, rows[round], columns_of[set], width_of(set), &err),
          &err);
      check_unwritten(s, set, rows[round]);
      MPI_Barrier(MPI_COMM_WORLD);
      write_set(s, set, rows[round], 64);
    }
    CHECK_OK(ssne_store_close(&s, &err), &err);
    s = reopen(path, true);
    for (int set = 0; s && set < SSNE_SET_COUNT; set++) check_set(s, set, rows[round]);
  }
  ssne_set_shape shape;
  CHECK_OK(ssne_store_remove(s, SSNE_SET_HISTORY, &err), &err);
  CHECK_OK(ssne_store_remove(s, SSNE_SET_HISTORY, &err), &err);
  CHECK_OK(ssne_store_shape(s, SSNE_SET_HISTORY, &shape, &err), &err);
  CHECK(!shape.exists);
  CHECK_OK(ssne_store_close(&s, &err), &err);
  CHECK_OK(ssne_store_close(&s, &err), &err);
}

/* A history as it was before the span was kept: its entries are read without, and copied so. */
static void test_old_history(const folder *f) {
  const int64_t width = (int64_t)offsetof(ssne_history_entry, span);
  const ssne_history_entry in = {50, 1.5, 0.25, 12, 3, 77};
  ssne_history_entry out = {.span = -1};
  ssne_set_shape shape = {0};
  ssne_error err;
  char path[128];
  ssne_store *s = create(folder_file(f, "old.h5", path));
  if (!s) return;
  CHECK_OK(ssne_store_define(s, SSNE_SET_HISTORY, 1, 1, width, &err), &err);
  if (f->rank == 0) CHECK_OK(ssne_store_write(s, SSNE_SET_HISTORY, 0, 1, &in, &err), &err);
  CHECK_OK(ssne_store_close(&s, &err), &err);
  s = reopen(path, false);
  CHECK_OK(ssne_store_shape(s, SSNE_SET_HISTORY, &shape, &err), &err);
  CHECK(shape.width == width);
  CHECK_OK(ssne_store_read_written(s, SSNE_SET_HISTORY, 0, 1, &out, &err), &err);
  CHECK(out.iteration == 50 && out.seconds == 3 && out.span == -1);
  CHECK_OK(ssne_store_close(&s, &err), &err);
}

static void check_text(ssne_store *s, const char *name, const char *expected) {
  ssne_error err;
  char *value = NULL;
  CHECK_OK(ssne_store_get_text(s, name, &value, &err), &err);
  CHECK(expected ? value && strcmp(value, expected) == 0 : !value);
  ssne_free(&value);
}

/* Attributes of any length, each replaced by the next; many of them. */
static void test_texts(const folder *f) {
  static const int64_t length[] = {0, 1, 63, 64, 3000, 60000, 70000, 1 << 20, 10, 0, 5};
  ssne_error err;
  char path[128], name[32];
  char *text = calloc(1, (1 << 20) + 1);
  ssne_store *s = create(folder_file(f, "texts.h5", path));
  for (size_t i = 0; s && i < sizeof length / sizeof *length; i++) {
    memset(text, 'a' + (int)i, (size_t)length[i]);
    text[length[i]] = 0;
    CHECK_OK(ssne_store_set_text(s, "other", "K\xc3\xb6ln", &err), &err);
    CHECK_OK(ssne_store_set_text(s, "options", text, &err), &err);
    check_text(s, "options", text);
    CHECK_OK(ssne_store_close(&s, &err), &err);
    s = reopen(path, true);
    check_text(s, "options", text);
    check_text(s, "other", "K\xc3\xb6ln");
    check_text(s, "none", NULL);
  }
  for (int i = 0; s && i < 100; i++) {
    snprintf(name, sizeof name, "name %d", i);
    CHECK_OK(ssne_store_set_text(s, name, name, &err), &err);
  }
  CHECK_OK(ssne_store_close(&s, &err), &err);
  s = reopen(path, false);
  for (int i = 0; s && i < 100; i++) {
    snprintf(name, sizeof name, "name %d", i);
    check_text(s, name, name);
  }
  if (f->rank == 0) check_text(s, "other", "K\xc3\xb6ln"); /* not collective */
  CHECK_OK(ssne_store_close(&s, &err), &err);
  free(text);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  const folder f = folder_make();
  test_sets(&f, 0, 1);
  test_sets(&f, 1, SSNE_STORE_PIECE);
  test_sets(&f, 3, 1);
  test_sets(&f, 130, 100);
  test_sets(&f, LARGEST, 4099);
  test_sets(&f, LARGEST, SSNE_STORE_PIECE);
  test_unwritten(&f);
  test_old_history(&f);
  test_texts(&f);
  folder_remove(&f);
  MPI_Finalize();
  return check_result();
}
