#include "shardsne/agree.h"
#include "shardsne/memory.h"
#include "store_private.h"

#include <inttypes.h>
#include <string.h>

/* Of chunks unpacked, for readers that take a row at a time. */
#define CHUNK_CACHE ((size_t)64 << 20)

struct ssne_matrix {
  char *file_name, *name;
  hid_t file, dataset;
  int dimensions;
  hsize_t size[H5S_MAX_RANK];
  int64_t columns;
  int64_t row_bytes;    /* in the file or in memory, whichever is more */
  bool integers, bytes; /* what the elements are */
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
  m->integers = class == H5T_INTEGER;
  m->bytes = H5Tequal(type, H5T_NATIVE_UINT8) > 0;
  H5Tclose(type);
  if (class != H5T_INTEGER && class != H5T_FLOAT)
    return ssne_fail(err, SSNE_USAGE, "%s:%s does not hold numbers", m->file_name, m->name);
  const int64_t widest = (int64_t)(width > sizeof(int64_t) ? width : sizeof(int64_t));
  if (__builtin_mul_overflow(m->columns, widest, &m->row_bytes) || m->row_bytes > SSNE_STORE_PIECE)
    return ssne_fail(err, SSNE_USAGE, "%s:%s has rows of %" PRId64 " elements: more than 1 GiB",
                     m->file_name, m->name, m->columns);
  return SSNE_OK;
}

static ssne_code open_dataset(ssne_matrix *m, ssne_error *err) {
  if (!is_dataset(m->file, m->name))
    return ssne_fail(err, SSNE_USAGE, "%s has no dataset %s: `h5ls -r %s` lists what it has",
                     m->file_name, m->name, m->file_name);
  const hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
  if (access >= 0) {
    (void)H5Pset_chunk_cache(access, H5D_CHUNK_CACHE_NSLOTS_DEFAULT, CHUNK_CACHE, 1.0);
    m->dataset = H5Dopen2(m->file, m->name, access);
    H5Pclose(access);
  }
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

static herr_t read_rows(const ssne_matrix *m, int64_t first, int64_t rows, hid_t type, void *out) {
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
    result = H5Dread(m->dataset, type, memory, space, H5P_DEFAULT, out);
  const hid_t why = H5Eget_current_stack(); /* each call that follows would clear it */
  if (space >= 0) H5Sclose(space);
  if (memory >= 0) H5Sclose(memory);
  (void)H5Eset_current_stack(why);
  return result;
}

/* Reads elements as `type` of `size` bytes. */
static ssne_code read_as(ssne_matrix *matrix, int64_t first, int64_t rows, hid_t type, int64_t size,
                         void *out, ssne_error *err) {
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
    char *place = (char *)out + done * matrix->columns * size;
    if (read_rows(matrix, first + done, now, type, place) < 0)
      return ssne_hdf5_fail(matrix->file_name, err, "reading rows %" PRId64 " to %" PRId64 " of %s",
                            first + done, first + done + now - 1, matrix->name);
    done += now;
  }
  return SSNE_OK;
}

ssne_code ssne_matrix_read_float(ssne_matrix *matrix, int64_t first, int64_t rows, float *out,
                                 ssne_error *err) {
  return read_as(matrix, first, rows, H5T_NATIVE_FLOAT, sizeof *out, out, err);
}

ssne_code ssne_matrix_read_bytes(ssne_matrix *matrix, int64_t first, int64_t rows, uint8_t *out,
                                 ssne_error *err) {
  if (!matrix->bytes)
    return ssne_fail(err, SSNE_USAGE,
                     "%s:%s: its elements are no 8-bit unsigned integers (uint8), as those of "
                     "images are: store them so, 0 to 255",
                     matrix->file_name, matrix->name);
  return read_as(matrix, first, rows, H5T_NATIVE_UINT8, 1, out, err);
}

ssne_code ssne_matrix_read_int(ssne_matrix *matrix, int64_t first, int64_t rows, int32_t *out,
                               ssne_error *err) {
  int64_t *wide = NULL, i = 0;
  const int64_t count = rows * matrix->columns;
  if (!matrix->integers)
    return ssne_fail(err, SSNE_USAGE, "%s:%s: its elements are no integers, as labels are",
                     matrix->file_name, matrix->name);
  SSNE_TRY(ssne_alloc(&wide, count, sizeof *wide, "integers", err));
  ssne_code code = read_as(matrix, first, rows, H5T_NATIVE_INT64, sizeof *wide, wide, err);
  for (; i < count && !code && wide[i] >= INT32_MIN && wide[i] <= INT32_MAX; i++)
    out[i] = (int32_t)wide[i];
  if (!code && i < count)
    code = ssne_fail(err, SSNE_USAGE, "%s:%s: row %" PRId64 ": %" PRId64 " is no 32-bit integer",
                     matrix->file_name, matrix->name, first + i / matrix->columns, wide[i]);
  ssne_free(&wide);
  return code;
}

int ssne_matrix_shape(const ssne_matrix *matrix, int64_t shape[4]) {
  for (int d = 0; d < 4; d++) shape[d] = d < matrix->dimensions ? (int64_t)matrix->size[d] : 0;
  return matrix->dimensions;
}

bool ssne_matrix_in_run_file(const ssne_matrix *matrix) {
  char *format = NULL;
  ssne_error unused;
  const bool is =
      ssne_attribute_read(matrix->file, matrix->file_name, "format", &format, &unused) == SSNE_OK &&
      format && strcmp(format, SSNE_STORE_FORMAT) == 0;
  ssne_free(&format);
  return is;
}

void ssne_matrix_close(ssne_matrix **matrix) {
  if (!*matrix) return;
  if ((*matrix)->dataset >= 0) H5Dclose((*matrix)->dataset);
  if ((*matrix)->file >= 0) H5Fclose((*matrix)->file);
  free_matrix(matrix);
}
