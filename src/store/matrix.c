#include "shardsne/agree.h"
#include "shardsne/memory.h"
#include "store_private.h"

#include <inttypes.h>
#include <string.h>

struct ssne_matrix {
  char *file_name, *name;
  hid_t file, dataset;
  int dimensions;
  hsize_t size[H5S_MAX_RANK];
  int64_t columns;
  int64_t row_bytes; /* in the file or in memory, whichever is more */
};

static void free_matrix(ssne_matrix **matrix) {
  if (!*matrix) return;
  ssne_free(&(*matrix)->file_name);
  ssne_free(&(*matrix)->name);
  ssne_free(matrix);
}

static ssne_code make_matrix(const char *file, const char *dataset, ssne_matrix **out,
                             ssne_error *err) {
  SSNE_TRY(ssne_alloc(out, 1, sizeof **out, "matrices", err));
  (*out)->file = (*out)->dataset = SSNE_NO_ID;
  ssne_code code = ssne_copy_text(&(*out)->file_name, file, err);
  if (code == SSNE_OK) code = ssne_copy_text(&(*out)->name, dataset, err);
  if (code != SSNE_OK) free_matrix(out);
  return code;
}

static bool is_dataset(hid_t file, const char *name) {
  const hid_t object = H5Oopen(file, name, H5P_DEFAULT);
  const bool is = object >= 0 && H5Iget_type(object) == H5I_DATASET;
  if (object >= 0) H5Oclose(object);
  H5Eclear2(H5E_DEFAULT);
  return is;
}

static ssne_code take_shape(ssne_matrix *m, ssne_error *err) {
  const hid_t space = H5Dget_space(m->dataset);
  const int dimensions = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
  const bool known = dimensions >= 0 && H5Sget_simple_extent_dims(space, m->size, NULL) >= 0;
  if (space >= 0) H5Sclose(space);
  if (!known) return ssne_hdf5_fail(m->file_name, err, "asking for the shape of %s", m->name);
  if (dimensions == 0)
    return ssne_fail(err, SSNE_USAGE, "%s:%s is a single value: rows of numbers are needed",
                     m->file_name, m->name);
  m->dimensions = dimensions;
  m->columns = 1;
  for (int i = 1; i < dimensions; i++)
    if (m->size[i] > INT64_MAX ||
        __builtin_mul_overflow(m->columns, (int64_t)m->size[i], &m->columns))
      return ssne_fail(err, SSNE_USAGE, "%s:%s has rows of more elements than can be counted",
                       m->file_name, m->name);
  return SSNE_OK;
}

static ssne_code take_type(ssne_matrix *m, ssne_error *err) {
  const hid_t type = H5Dget_type(m->dataset);
  if (type < 0) return ssne_hdf5_fail(m->file_name, err, "asking for the type of %s", m->name);
  const H5T_class_t class = H5Tget_class(type);
  const size_t width = H5Tget_size(type);
  H5Tclose(type);
  if (class != H5T_INTEGER && class != H5T_FLOAT)
    return ssne_fail(err, SSNE_USAGE, "%s:%s does not hold numbers", m->file_name, m->name);
  const int64_t widest = (int64_t)(width > sizeof(float) ? width : sizeof(float));
  if (__builtin_mul_overflow(m->columns, widest, &m->row_bytes) || m->row_bytes > SSNE_STORE_PIECE)
    return ssne_fail(err, SSNE_USAGE, "%s:%s has rows of %" PRId64 " elements: more than 1 GiB",
                     m->file_name, m->name, m->columns);
  return SSNE_OK;
}

static ssne_code open_dataset(ssne_matrix *m, ssne_error *err) {
  if (!is_dataset(m->file, m->name))
    return ssne_fail(err, SSNE_USAGE, "%s has no dataset %s: `h5ls -r %s` lists what it has",
                     m->file_name, m->name, m->file_name);
  m->dataset = H5Dopen2(m->file, m->name, H5P_DEFAULT);
  if (m->dataset < 0) return ssne_hdf5_fail(m->file_name, err, "opening %s", m->name);
  SSNE_TRY(take_shape(m, err));
  return take_type(m, err);
}

ssne_code ssne_matrix_open(const char *file, const char *dataset, MPI_Comm comm, ssne_matrix **out,
                           int64_t *rows, int64_t *columns, ssne_error *err) {
  *out = NULL;
  ssne_code code = make_matrix(file, dataset, out, err);
  ssne_matrix *m = *out;
  if (code == SSNE_OK) code = ssne_hdf5_open(file, false, &m->file, err);
  if (code == SSNE_OK) code = open_dataset(m, err);
  code = ssne_agree(comm, code, err);
  if (code != SSNE_OK) {
    ssne_matrix_close(out);
    return code;
  }
  *rows = (int64_t)m->size[0];
  *columns = m->columns;
  return SSNE_OK;
}

static herr_t read_rows(const ssne_matrix *m, int64_t first, int64_t rows, float *out) {
  hsize_t start[H5S_MAX_RANK] = {0}, count[H5S_MAX_RANK];
  const hsize_t elements = (hsize_t)rows * (hsize_t)m->columns;
  herr_t result = -1;
  memcpy(count, m->size, sizeof count);
  start[0] = (hsize_t)first;
  count[0] = (hsize_t)rows;
  const hid_t memory = H5Screate_simple(1, &elements, NULL);
  const hid_t space = H5Dget_space(m->dataset);
  if (memory >= 0 && space >= 0 &&
      H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0)
    result = H5Dread(m->dataset, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, out);
  const hid_t why = H5Eget_current_stack(); /* each call that follows would clear it */
  if (space >= 0) H5Sclose(space);
  if (memory >= 0) H5Sclose(memory);
  (void)H5Eset_current_stack(why);
  return result;
}

ssne_code ssne_matrix_read_float(ssne_matrix *matrix, int64_t first, int64_t rows, float *out,
                                 ssne_error *err) {
  const int64_t all = (int64_t)matrix->size[0];
  if (first < 0 || rows < 0 || first > all || rows > all - first)
    return ssne_fail(err, SSNE_FAILED,
                     "%s:%s: %" PRId64 " rows from row %" PRId64 " on are not all among its "
                     "%" PRId64,
                     matrix->file_name, matrix->name, rows, first, all);
  if (matrix->columns == 0) return SSNE_OK;
  const int64_t at_once = SSNE_STORE_PIECE / matrix->row_bytes;
  for (int64_t done = 0; done < rows;) {
    const int64_t now = rows - done < at_once ? rows - done : at_once;
    if (read_rows(matrix, first + done, now, out + done * matrix->columns) < 0)
      return ssne_hdf5_fail(matrix->file_name, err, "reading rows %" PRId64 " to %" PRId64 " of %s",
                            first + done, first + done + now - 1, matrix->name);
    done += now;
  }
  return SSNE_OK;
}

void ssne_matrix_close(ssne_matrix **matrix) {
  if (!*matrix) return;
  if ((*matrix)->dataset >= 0) H5Dclose((*matrix)->dataset);
  if ((*matrix)->file >= 0) H5Fclose((*matrix)->file);
  free_matrix(matrix);
}
