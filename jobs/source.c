#include "source.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/input.h"
#include "shardsne/memory.h"

#include <string.h>

static ssne_code open_set(ssne_store *store, ssne_set set, source *out, ssne_error *err) {
  ssne_set_shape shape;
  out->store = store;
  out->set = set;
  SSNE_TRY(ssne_store_shape(store, set, &shape, err));
  if (!shape.exists)
    return ssne_fail(err, SSNE_USAGE,
                     "the run file holds no features of its own: give --features, or run "
                     "`shardsne extract` first");
  out->rows = shape.rows;
  out->columns = shape.columns;
  return SSNE_OK;
}

ssne_code source_open_store(ssne_store *store, source *out, ssne_error *err) {
  *out = (source){.store = NULL};
  return open_set(store, SSNE_SET_FEATURES, out, err);
}

static ssne_code open_npy(const char *path, MPI_Comm comm, source *out, ssne_error *err) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  ssne_code code = SSNE_OK;
  if (rank == 0) code = ssne_npy_open(path, &out->npy, err);
  SSNE_TRY_ALL(comm, code, err);
  SSNE_TRY(ssne_broadcast(&out->npy, sizeof out->npy, 0, comm, err));
  out->path = path;
  out->rows = out->npy.rows;
  out->columns = out->npy.columns;
  return SSNE_OK;
}

ssne_code source_open(const char *name, MPI_Comm comm, source *out, ssne_error *err) {
  *out = (source){.store = NULL};
  char *file = NULL;
  const char *dataset = NULL;
  ssne_code code = ssne_agree(comm, ssne_split_dataset(name, &file, &dataset, err), err);
  if (code == SSNE_OK)
    code = dataset
               ? ssne_matrix_open(file, dataset, comm, &out->matrix, &out->rows, &out->columns, err)
               : open_npy(name, comm, out, err);
  ssne_free(&file);
  return code;
}

/* Collective: opens anew what is the set `set` of the run file `file`. */
static ssne_code open_run_file(const char *file, ssne_set set, MPI_Comm comm, source *out,
                               ssne_error *err) {
  source_close(out);
  *out = (source){.owned = true};
  SSNE_TRY(ssne_store_open(file, false, comm, &out->store, NULL, err));
  return ssne_agree(comm, open_set(out->store, set, out, err), err);
}

ssne_code source_open_features(const char *name, MPI_Comm comm, source *out, ssne_error *err) {
  char *file = NULL;
  const char *dataset = NULL;
  int output = -1;
  SSNE_TRY(source_open(name, comm, out, err));
  ssne_code code = ssne_agree(comm, ssne_split_dataset(name, &file, &dataset, err), err);
  for (int i = 0; i < SSNE_FEATURE_SETS && dataset && code == SSNE_OK; i++)
    if (strcmp(dataset, ssne_store_name(ssne_features_set(i))) == 0) output = i;
  bool is = output >= 0 && ssne_matrix_in_run_file(out->matrix);
  if (code == SSNE_OK) code = ssne_broadcast(&is, sizeof is, 0, comm, err);
  if (code == SSNE_OK && is) code = open_run_file(file, ssne_features_set(output), comm, out, err);
  ssne_free(&file);
  return code;
}

static ssne_code read_rows(source *s, int64_t first, int64_t rows, float *out, ssne_error *err) {
  if (s->store) return ssne_store_read_written(s->store, s->set, first, rows, out, err);
  if (s->matrix) return ssne_matrix_read_float(s->matrix, first, rows, out, err);
  return ssne_npy_read_float(s->path, &s->npy, first, rows, out, err);
}

ssne_code source_read(source *s, const selection *chosen, const ssne_partition *p, float *out,
                      ssne_error *err) {
  for (int64_t done = 0; done < p->own_rows;) {
    const int64_t row = p->first_row + done;
    const int64_t rows = selection_run(chosen, row, p->own_rows - done);
    SSNE_TRY(read_rows(s, selection_to_file(chosen, row), rows, out + done * s->columns, err));
    done += rows;
  }
  return SSNE_OK;
}

ssne_code source_read_int(source *s, int64_t first, int64_t rows, int32_t *out, ssne_error *err) {
  if (s->matrix) return ssne_matrix_read_int(s->matrix, first, rows, out, err);
  return ssne_npy_read_int(s->path, &s->npy, first, rows, out, err);
}

void source_close(source *s) {
  ssne_error unused; /* nothing was written */
  if (s->owned) (void)ssne_store_close(&s->store, &unused);
  ssne_matrix_close(&s->matrix);
}
