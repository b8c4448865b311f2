/* store_driver COMMAND PATH [NUMBER ...]: a small user of the store, for the scripts of this
 * folder.
 *
 *   make PATH ROWS      every dataset, written whole
 *   begin PATH ROWS R   defines features, writes blocks; rank R kills itself half way
 *   resume PATH         writes the blocks that are missing and publishes
 *   storm PATH          changes the file's structure until killed
 *   open PATH           opens for writing, adds an attribute, closes
 *   fill PATH ROWS      defines features and writes them all, however little room there is
 *   define PATH ROWS    defines features, no more
 */
#include "shardsne/agree.h"
#include "shardsne/memory.h"
#include "shardsne/partition.h"
#include "shardsne/store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS 6
#define BLOCK 16

typedef struct driver {
  const char *path;
  int64_t rows;
  int number;
  int rank, ranks;
  ssne_store *store;
} driver;

static void feature_rows(int64_t first, int64_t rows, float *out) {
  for (int64_t i = 0; i < rows * COLUMNS; i++) out[i] = (float)(first * COLUMNS + i) / 8;
}

static ssne_code write_features(driver *d, int64_t first, int64_t rows, ssne_error *err) {
  float *x = NULL;
  SSNE_TRY(ssne_alloc(&x, rows, COLUMNS * sizeof *x, "features", err));
  feature_rows(first, rows, x);
  const ssne_code code = ssne_store_write(d->store, SSNE_SET_FEATURES, first, rows, x, err);
  ssne_free(&x);
  return code;
}

/* --- make -------------------------------------------------------------------------------- */

static ssne_code define_all(driver *d, ssne_error *err) {
  const int64_t n = d->rows;
  ssne_store *s = d->store;
  SSNE_TRY(ssne_store_define(s, SSNE_SET_FEATURES, n, COLUMNS, 0, err));
  SSNE_TRY(ssne_store_define(s, SSNE_SET_LABELS, n, 1, 0, err));
  SSNE_TRY(ssne_store_define(s, SSNE_SET_CLASSES, 2, 1, 8, err));
  SSNE_TRY(ssne_store_define(s, SSNE_SET_SAMPLE_NAMES, n, 1, 16, err));
  SSNE_TRY(ssne_store_define(s, SSNE_SET_SAMPLE_STATUS, n, 1, 0, err));
  SSNE_TRY(ssne_store_define(s, SSNE_SET_SAMPLE_REASON, n, 1, 16, err));
  SSNE_TRY(ssne_store_define(s, SSNE_SET_BLOCK_DONE, (n + BLOCK - 1) / BLOCK, 1, 0, err));
  SSNE_TRY(ssne_store_define(s, SSNE_SET_NEIGHBOUR_INDEX, n, 2, 0, err));
  SSNE_TRY(ssne_store_define(s, SSNE_SET_NEIGHBOUR_DISTANCE, n, 2, 0, err));
  SSNE_TRY(ssne_store_define(s, SSNE_SET_COORDINATES, n, 2, 0, err));
  SSNE_TRY(ssne_store_define(s, SSNE_SET_NORMALIZED, n, 2, 0, err));
  return ssne_store_define(s, SSNE_SET_HISTORY, 3, 1, 0, err);
}

static ssne_code write_row(driver *d, int64_t row, ssne_error *err) {
  ssne_store *s = d->store;
  char name[32] = "";
  const int32_t label = (int32_t)(row % 3) - 1;
  const uint8_t status = row % 5 ? 1 : 2;
  const uint32_t index[2] = {(uint32_t)(row + 1), 4000000000u};
  const float distance[2] = {(float)row, (float)row + 0.5f}, xy[2] = {(float)row, -(float)row};
  snprintf(name, sizeof name, "d\xc3\xa9/%lld", (long long)row);
  SSNE_TRY(write_features(d, row, 1, err));
  SSNE_TRY(ssne_store_write(s, SSNE_SET_LABELS, row, 1, &label, err));
  SSNE_TRY(ssne_store_write(s, SSNE_SET_SAMPLE_NAMES, row, 1, name, err));
  SSNE_TRY(ssne_store_write(s, SSNE_SET_SAMPLE_STATUS, row, 1, &status, err));
  SSNE_TRY(ssne_store_write(s, SSNE_SET_NEIGHBOUR_INDEX, row, 1, index, err));
  SSNE_TRY(ssne_store_write(s, SSNE_SET_NEIGHBOUR_DISTANCE, row, 1, distance, err));
  if (status == 2) {
    char reason[16] = "not a JPEG";
    return ssne_store_write(s, SSNE_SET_SAMPLE_REASON, row, 1, reason, err);
  }
  SSNE_TRY(ssne_store_write(s, SSNE_SET_COORDINATES, row, 1, xy, err));
  return ssne_store_write(s, SSNE_SET_NORMALIZED, row, 1, xy, err);
}

static ssne_code write_all(driver *d, ssne_error *err) {
  for (int64_t row = d->rank; row < d->rows; row += d->ranks) SSNE_TRY(write_row(d, row, err));
  if (d->rank > 0) return SSNE_OK;
  const char classes[2][8] = {"cat", "\xc3\xa9l\xc3\xa9pha"};
  const ssne_history_entry history[3] = {
      {50, 3.5, 1e-3, 12, 0.5, 8}, {100, 2.5, 1e-4, 12, 1, 9}, {150, 1.5, 1e-5, 1, 1.5, 40}};
  SSNE_TRY(ssne_store_write(d->store, SSNE_SET_CLASSES, 0, 2, classes, err));
  return ssne_store_write(d->store, SSNE_SET_HISTORY, 0, 3, history, err);
}

static ssne_code make(driver *d, ssne_error *err) {
  SSNE_TRY(ssne_store_create(d->path, MPI_COMM_WORLD, &d->store, err));
  SSNE_TRY(define_all(d, err));
  SSNE_TRY_ALL(MPI_COMM_WORLD, write_all(d, err), err);
  SSNE_TRY(ssne_store_set_text(d->store, "model", "K\xc3\xb6ln.pt", err));
  SSNE_TRY(ssne_store_set_text(d->store, "empty", "", err));
  return ssne_store_publish(&d->store, err);
}

/* --- begin and resume -------------------------------------------------------------------- */

static ssne_code write_block(driver *d, int64_t block, ssne_error *err) {
  const int64_t first = block * BLOCK, left = d->rows - first;
  const uint8_t done = 1;
  SSNE_TRY(write_features(d, first, left < BLOCK ? left : BLOCK, err));
  return ssne_store_write(d->store, SSNE_SET_BLOCK_DONE, block, 1, &done, err);
}

static ssne_code begin(driver *d, ssne_error *err) {
  const ssne_partition p = ssne_partition_make(d->rows, BLOCK, d->ranks, d->rank);
  SSNE_TRY(ssne_store_create(d->path, MPI_COMM_WORLD, &d->store, err));
  SSNE_TRY(ssne_store_define(d->store, SSNE_SET_FEATURES, d->rows, COLUMNS, 0, err));
  SSNE_TRY(ssne_store_define(d->store, SSNE_SET_BLOCK_DONE, p.blocks, 1, 0, err));
  for (int64_t b = 0; b < p.own_blocks; b++) {
    if (b == p.own_blocks / 2 && d->rank == d->number) (void)raise(SIGKILL);
    SSNE_TRY(write_block(d, p.first_block + b, err));
  }
  MPI_Barrier(MPI_COMM_WORLD); /* until mpirun ends those left over */
  return SSNE_OK;
}

static ssne_code finish(driver *d, const ssne_partition *p, int64_t *kept, ssne_error *err) {
  for (int64_t b = p->first_block; b < p->first_block + p->own_blocks; b++) {
    uint8_t done = 0;
    SSNE_TRY(ssne_store_read(d->store, SSNE_SET_BLOCK_DONE, b, 1, &done, err));
    *kept += done;
    if (!done) SSNE_TRY(write_block(d, b, err));
  }
  return SSNE_OK;
}

static ssne_code resume(driver *d, ssne_error *err) {
  bool partial = false;
  ssne_set_shape shape;
  int64_t kept = 0, all = 0;
  SSNE_TRY(ssne_store_open(d->path, true, MPI_COMM_WORLD, &d->store, &partial, err));
  SSNE_TRY(ssne_store_shape(d->store, SSNE_SET_FEATURES, &shape, err));
  d->rows = shape.rows;
  const ssne_partition p = ssne_partition_make(d->rows, BLOCK, d->ranks, d->rank);
  SSNE_TRY_ALL(MPI_COMM_WORLD, finish(d, &p, &kept, err), err);
  MPI_Reduce(&kept, &all, 1, MPI_INT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
  if (d->rank == 0) printf("%s, %lld blocks kept\n", partial ? "partial" : "whole", (long long)all);
  return ssne_store_publish(&d->store, err);
}

/* --- storm, open, fill, define ----------------------------------------------------------- */

static ssne_code storm(driver *d, ssne_error *err) {
  SSNE_TRY(ssne_store_create(d->path, MPI_COMM_WORLD, &d->store, err));
  if (d->rank == 0) printf("begun\n");
  fflush(stdout);
  for (int64_t i = 0;; i++) {
    char text[256] = "";
    memset(text, 'x', (size_t)(i % 200));
    SSNE_TRY(ssne_store_set_text(d->store, "state", i % 2 ? "yes" : "no", err));
    SSNE_TRY(ssne_store_set_text(d->store, "options", text, err));
    SSNE_TRY(ssne_store_define(d->store, SSNE_SET_COORDINATES, 10 + i % 1000, 2, 0, err));
    SSNE_TRY(ssne_store_define(d->store, SSNE_SET_HISTORY, 3 + i % 7, 1, 0, err));
  }
}

static ssne_code open_again(driver *d, ssne_error *err) {
  SSNE_TRY(ssne_store_open(d->path, true, MPI_COMM_WORLD, &d->store, NULL, err));
  return ssne_store_set_text(d->store, "opened", "yes", err);
}

static ssne_code define(driver *d, ssne_error *err) {
  SSNE_TRY(ssne_store_create(d->path, MPI_COMM_WORLD, &d->store, err));
  return ssne_store_define(d->store, SSNE_SET_FEATURES, d->rows, COLUMNS, 0, err);
}

static ssne_code write_own(driver *d, ssne_error *err) {
  const ssne_partition p = ssne_partition_make(d->rows, BLOCK, d->ranks, d->rank);
  for (int64_t b = 0; b < p.own_blocks; b++)
    SSNE_TRY(write_features(d, (p.first_block + b) * BLOCK,
                            ssne_partition_block_length(&p, p.first_block + b), err));
  return SSNE_OK;
}

static ssne_code fill(driver *d, ssne_error *err) {
  SSNE_TRY(ssne_store_create(d->path, MPI_COMM_WORLD, &d->store, err));
  SSNE_TRY(ssne_store_define(d->store, SSNE_SET_FEATURES, d->rows, COLUMNS, 0, err));
  if (d->rank == 0) { /* the script takes the room away */
    char go = 0;
    printf("defined\n");
    fflush(stdout);
    if (read(0, &go, 1) != 1) return ssne_fail(err, SSNE_FAILED, "nobody answers");
  }
  MPI_Barrier(MPI_COMM_WORLD);
  return ssne_agree(MPI_COMM_WORLD, write_own(d, err), err);
}

static ssne_code run(driver *d, const char *command, ssne_error *err) {
  static const struct {
    const char *name;
    ssne_code (*run)(driver *, ssne_error *);
  } commands[] = {{"make", make}, {"begin", begin},     {"resume", resume}, {"storm", storm},
                  {"fill", fill}, {"open", open_again}, {"define", define}};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    if (strcmp(command, commands[i].name) == 0) return commands[i].run(d, err);
  return ssne_fail(err, SSNE_USAGE, "no command %s", command);
}

int main(int argc, char **argv) {
  ssne_error err;
  MPI_Init(&argc, &argv);
  if (argc < 3) MPI_Abort(MPI_COMM_WORLD, 2);
  driver d = {.path = argv[2],
              .rows = argc > 3 ? atoll(argv[3]) : 0,
              .number = argc > 4 ? atoi(argv[4]) : 0};
  MPI_Comm_rank(MPI_COMM_WORLD, &d.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &d.ranks);
  const ssne_code code = run(&d, argv[1], &err);
  if (code != SSNE_OK && d.rank == 0) fprintf(stderr, "failed: %s\n", err.text);
  const ssne_code closed = ssne_store_close(&d.store, &err);
  if (closed != SSNE_OK && d.rank == 0) fprintf(stderr, "close failed: %s\n", err.text);
  MPI_Finalize();
  return code;
}
