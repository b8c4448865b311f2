#include "arrays.h"

#include "shardsne/memory.h"
#include "shardsne/store.h"

#include <pthread.h>

/* HDF5 is built without threads: one at a time. */
typedef struct guarded {
  ssne_matrix *matrix;
  pthread_mutex_t lock;
} guarded;

static void close_array(void **array) {
  guarded *g = *array;
  if (!g) return;
  ssne_matrix_close(&g->matrix);
  pthread_mutex_destroy(&g->lock);
  ssne_free(array);
}

static ssne_code open_array(const char *file, const char *dataset, void **array, int *dimensions,
                            int64_t shape[4], ssne_error *err) {
  int64_t rows, columns;
  SSNE_TRY(ssne_alloc(array, 1, sizeof(guarded), "arrays", err));
  guarded *g = *array;
  pthread_mutex_init(&g->lock, NULL);
  const ssne_code code =
      ssne_matrix_open(file, dataset, MPI_COMM_SELF, &g->matrix, &rows, &columns, err);
  if (code)
    close_array(array);
  else
    *dimensions = ssne_matrix_shape(g->matrix, shape);
  return code;
}

static ssne_code read_bytes(void *array, int64_t first, int64_t rows, uint8_t *out,
                            ssne_error *err) {
  guarded *g = array;
  pthread_mutex_lock(&g->lock);
  const ssne_code code = ssne_matrix_read_bytes(g->matrix, first, rows, out, err);
  pthread_mutex_unlock(&g->lock);
  return code;
}

static ssne_code read_int(void *array, int64_t first, int64_t rows, int32_t *out, ssne_error *err) {
  guarded *g = array;
  pthread_mutex_lock(&g->lock);
  const ssne_code code = ssne_matrix_read_int(g->matrix, first, rows, out, err);
  pthread_mutex_unlock(&g->lock);
  return code;
}

const ssne_arrays arrays_of_hdf5 = {open_array, read_bytes, read_int, close_array};
