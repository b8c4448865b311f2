/* Matrices in files that others made: every numeric type, layout and number of dimensions. */
#include "check.h"
#include "folder.h"
#include "store_private.h"

#include <math.h>

#define ROWS 11

/* Element i of every dataset: exact in each of the types. */
static int value_of(int64_t i) {
  return (int)(i % 100);
}

static void write_numbers(hid_t file, const char *name, hid_t type, int dimensions,
                          const hsize_t *size, hid_t list) {
  int values[ROWS * 12];
  for (int64_t i = 0; i < ROWS * 12; i++) values[i] = value_of(i);
  const hid_t space = H5Screate_simple(dimensions, size, NULL);
  const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
  CHECK(H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
  H5Dclose(set);
  H5Sclose(space);
}

static void write_half(hid_t file) {
  const hsize_t size[2] = {ROWS, 4};
  const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
  CHECK(H5Tset_fields(half, 15, 10, 5, 0, 10) >= 0 && H5Tset_precision(half, 16) >= 0);
  CHECK(H5Tset_size(half, 2) >= 0 && H5Tset_ebias(half, 15) >= 0);
  write_numbers(file, "half", half, 2, size, H5P_DEFAULT);
  H5Tclose(half);
}

static void write_text(hid_t file) {
  const hsize_t size = ROWS;
  const hid_t text = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &size, NULL);
  CHECK(H5Tset_size(text, 8) >= 0);
  const hid_t set = H5Dcreate2(file, "text", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  CHECK(set >= 0);
  H5Dclose(set);
  H5Sclose(space);
  H5Tclose(text);
}

/* On rank 0, with HDF5's serial driver. */
static void write_file(const char *path) {
  const hsize_t flat[2] = {ROWS, 12}, deep[4] = {ROWS, 3, 2, 2}, chunk[2] = {4, 5};
  const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
  CHECK(H5Pset_chunk(list, 2, chunk) >= 0 && H5Pset_deflate(list, 4) >= 0);
  write_numbers(file, "float", H5T_IEEE_F32LE, 2, flat, H5P_DEFAULT);
  write_numbers(file, "double", H5T_IEEE_F64LE, 2, flat, list);
  write_numbers(file, "big", H5T_IEEE_F64BE, 4, deep, H5P_DEFAULT);
  write_numbers(file, "short", H5T_STD_I16BE, 4, deep, H5P_DEFAULT);
  write_numbers(file, "byte", H5T_STD_U8LE, 2, flat, list);
  write_numbers(file, "long", H5T_STD_I64LE, 1, flat, H5P_DEFAULT);
  const hid_t group = H5Gcreate2(file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  write_numbers(group, "inner", H5T_STD_U32LE, 2, flat, H5P_DEFAULT);
  write_numbers(group, "scalar", H5T_STD_U32LE, 0, flat, H5P_DEFAULT);
  write_half(group);
  write_text(file);
  H5Gclose(group);
  H5Pclose(list);
  CHECK(H5Fclose(file) >= 0);
}

static void check_matrix(const folder *f, const char *path, const char *name, int64_t wanted) {
  ssne_error err;
  ssne_matrix *m = NULL;
  int64_t rows = 0, columns = 0;
  float out[ROWS * 12];
  CHECK_OK(ssne_matrix_open(path, name, MPI_COMM_WORLD, &m, &rows, &columns, &err), &err);
  if (!m) return;
  CHECK(rows == ROWS && columns == wanted);
  for (int64_t first = f->rank; first < ROWS; first++) {
    const int64_t count = (ROWS - first) / 2;
    int64_t wrong = 0;
    CHECK_OK(ssne_matrix_read_float(m, first, count, out, &err), &err);
    for (int64_t i = 0; i < count * columns; i++)
      wrong += out[i] != (float)value_of(first * columns + i);
    CHECK(wrong == 0);
  }
  CHECK(ssne_matrix_read_float(m, ROWS - 1, 2, out, &err) == SSNE_FAILED);
  CHECK(ssne_matrix_read_float(m, -1, 1, out, &err) == SSNE_FAILED);
  ssne_matrix_close(&m);
  CHECK(!m);
  ssne_matrix_close(&m);
}

static void expect_error(const char *path, const char *name, const char *words) {
  ssne_error err = {.code = SSNE_OK};
  ssne_matrix *m = NULL;
  int64_t rows = 0, columns = 0;
  CHECK(ssne_matrix_open(path, name, MPI_COMM_WORLD, &m, &rows, &columns, &err) == SSNE_USAGE);
  CHECK(!m && strstr(err.text, words) != NULL);
  if (!strstr(err.text, words)) fprintf(stderr, "%s\n", err.text);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  const folder f = folder_make();
  char path[128], other[128];
  folder_file(&f, "matrix.h5", path);
  if (f.rank == 0) write_file(path);
  MPI_Barrier(MPI_COMM_WORLD);
  check_matrix(&f, path, "/float", 12);
  check_matrix(&f, path, "double", 12);
  check_matrix(&f, path, "/big", 12);
  check_matrix(&f, path, "/short", 12);
  check_matrix(&f, path, "/byte", 12);
  check_matrix(&f, path, "/long", 1);
  check_matrix(&f, path, "/group/inner", 12);
  check_matrix(&f, path, "/group/half", 4);
  expect_error(path, "/text", "does not hold numbers");
  expect_error(path, "/group", "no dataset /group");
  expect_error(path, "/none/at/all", "no dataset /none/at/all");
  expect_error(path, "/group/scalar", "single value");
  expect_error(folder_file(&f, "none.h5", other), "/x", "No such file");
  expect_error(f.path, "/x", "is a folder");
  folder_remove(&f);
  MPI_Finalize();
  return check_result();
}
