/* Whatever is wrong with a file or a call: one line on every rank, the right code, and nobody
 * waits. */
#include "check.h"
#include "folder.h"
#include "store_private.h"

#include "shardsne/memory.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* An error that every rank got, with these words in it. */
static void expect(const folder *f, ssne_code code, ssne_code wanted, const ssne_error *err,
                   const char *words) {
  int codes[2] = {(int)code, -(int)code}, most[2];
  MPI_Allreduce(codes, most, 2, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  CHECK(most[0] == (int)wanted && most[1] == -(int)wanted);
  if (code == SSNE_OK) return;
  CHECK(strstr(err->text, words) != NULL);
  CHECK(strchr(err->text, '\n') == NULL);
  if (!strstr(err->text, words)) fprintf(stderr, "rank %d: %s\n", f->rank, err->text);
}

static void expect_open(const folder *f, const char *path, ssne_code wanted, const char *words) {
  ssne_error err;
  ssne_store *s = NULL;
  for (int writable = 0; writable < 2; writable++) {
    const ssne_code code = ssne_store_open(path, writable, MPI_COMM_WORLD, &s, NULL, &err);
    CHECK(!s);
    expect(f, code, wanted, &err, words);
  }
}

static void expect_create(const folder *f, const char *path, const char *words) {
  ssne_error err;
  ssne_store *s = NULL;
  const ssne_code code = ssne_store_create(path, MPI_COMM_WORLD, &s, &err);
  CHECK(!s);
  expect(f, code, SSNE_USAGE, &err, words);
}

static void test_create(const folder *f) {
  char path[128];
  expect_create(f, folder_file(f, "none/run.h5", path), "No such file or directory");
  expect_create(f, f->path, "is a folder");
  folder_file(f, "blocked.h5.partial", path);
  if (f->rank == 0) CHECK(mkdir(path, 0777) == 0);
  MPI_Barrier(MPI_COMM_WORLD);
  expect_create(f, folder_file(f, "blocked.h5", path), "Is a directory");
  if (geteuid() == 0) return; /* root may write anywhere but here */
  folder_file(f, "locked", path);
  if (f->rank == 0) CHECK(mkdir(path, 0555) == 0);
  MPI_Barrier(MPI_COMM_WORLD);
  expect_create(f, folder_file(f, "locked/run.h5", path), "Permission denied");
}

/* On rank 0: a file of text, an HDF5 file that is another's, one of a later version. */
static void write_text(const char *path) {
  FILE *file = fopen(path, "w");
  CHECK(file != NULL);
  if (!file) return;
  for (int i = 0; i < 1000; i++) fprintf(file, "no HDF5 here\n");
  CHECK(fclose(file) == 0);
}

static void write_hdf5(const char *path, const char *format, int version) {
  const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t space = H5Screate(H5S_SCALAR);
  CHECK(file >= 0 && space >= 0);
  if (format) {
    const hid_t number =
        H5Acreate2(file, "format_version", H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(H5Awrite(number, H5T_NATIVE_INT, &version) >= 0);
    CHECK(ssne_attribute_write(file, "format", format) >= 0);
    H5Aclose(number);
  }
  H5Sclose(space);
  CHECK(H5Fclose(file) >= 0);
}

/* A run file whose /labels are of another type. */
static void write_strange(const char *path) {
  write_hdf5(path, SSNE_STORE_FORMAT, 1);
  const hsize_t size = 3;
  const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(1, &size, NULL);
  const hid_t labels =
      H5Dcreate2(file, "labels", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  CHECK(labels >= 0);
  H5Dclose(labels);
  H5Sclose(space);
  CHECK(H5Fclose(file) >= 0);
}

static void test_open(const folder *f) {
  char path[128];
  expect_open(f, folder_file(f, "missing.h5", path), SSNE_USAGE, "no such run file");
  expect_open(f, f->path, SSNE_USAGE, "is a folder");
  folder_file(f, "text.h5", path);
  if (f->rank == 0) write_text(path);
  expect_open(f, path, SSNE_USAGE, "is not an HDF5 file");
  if (f->rank == 0) CHECK(truncate(path, 0) == 0);
  expect_open(f, path, SSNE_USAGE, "is not an HDF5 file");
  if (f->rank == 0) write_hdf5(path, NULL, 0);
  expect_open(f, path, SSNE_USAGE, "not a run file of shardsne");
  if (f->rank == 0) write_hdf5(path, "something else", 1);
  expect_open(f, path, SSNE_USAGE, "not a run file of shardsne");
  if (f->rank == 0) write_hdf5(path, SSNE_STORE_FORMAT, 2);
  expect_open(f, path, SSNE_USAGE, "use a newer shardsne");
  if (f->rank == 0) write_strange(path);
  expect_open(f, path, SSNE_USAGE, "/labels has not the type");
}

/* On rank 0: a run file whose attribute `host` is three texts of a fixed width, `user` three of
 * variable length, and whose `empty` has no value at all. */
static void write_texts(const char *path) {
  char fixed[3][32] = {"one", "two", "three"};
  const char *const variable[3] = {"one", "two", "three"};
  const hsize_t count = 3;
  write_hdf5(path, SSNE_STORE_FORMAT, 1);
  const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t three = H5Screate_simple(1, &count, NULL), none = H5Screate(H5S_NULL);
  const hid_t type = H5Tcopy(H5T_C_S1), text = H5Tcopy(H5T_C_S1);
  CHECK(H5Tset_size(type, 32) >= 0 && H5Tset_size(text, H5T_VARIABLE) >= 0);
  const hid_t host = H5Acreate2(file, "host", type, three, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t user = H5Acreate2(file, "user", text, three, H5P_DEFAULT, H5P_DEFAULT);
  const hid_t empty = H5Acreate2(file, "empty", type, none, H5P_DEFAULT, H5P_DEFAULT);
  CHECK(H5Awrite(host, type, fixed) >= 0 && H5Awrite(user, text, variable) >= 0);
  H5Aclose(host), H5Aclose(user), H5Aclose(empty);
  H5Tclose(type), H5Tclose(text);
  H5Sclose(three), H5Sclose(none);
  CHECK(H5Fclose(file) >= 0);
}

/* --- datasets that HDF5 finds in order, and that no run file has -------------------------- */

typedef enum how { PLAIN, UNWRITTEN, CHUNKED, ELSEWHERE, SOFT_LINK, OTHER_FILE } how;

/* On rank 0: a run file whose `name` has this size and is kept like this. */
static void write_dataset(const char *path, const char *name, hsize_t rows, hsize_t columns,
                          how kept) {
  const hsize_t size[2] = {rows, columns}, chunk[2] = {1, 1};
  write_hdf5(path, SSNE_STORE_FORMAT, 1);
  const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t space = H5Screate_simple(2, size, NULL), list = H5Pcreate(H5P_DATASET_CREATE);
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  CHECK(file >= 0 && space >= 0 && H5Pset_create_intermediate_group(links, 1) >= 0);
  if (kept != UNWRITTEN) CHECK(H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY) >= 0);
  if (kept == CHUNKED) CHECK(H5Pset_chunk(list, 2, chunk) >= 0);
  if (kept == ELSEWHERE) CHECK(H5Pset_external(list, "elsewhere.raw", 0, H5F_UNLIMITED) >= 0);
  if (kept == SOFT_LINK) {
    CHECK(H5Lcreate_soft("/dataset", file, name, links, H5P_DEFAULT) >= 0);
    name = "/dataset";
  }
  if (kept == OTHER_FILE) {
    CHECK(H5Lcreate_external("other.h5", "/x", file, name, links, H5P_DEFAULT) >= 0);
  } else {
    const hid_t set = H5Dcreate2(file, name, H5T_IEEE_F32LE, space, links, list, H5P_DEFAULT);
    CHECK(set >= 0);
    H5Dclose(set);
  }
  H5Pclose(links), H5Pclose(list), H5Sclose(space);
  CHECK(H5Fclose(file) >= 0);
}

static void test_datasets(const folder *f) {
  static const struct {
    const char *name;
    hsize_t rows, columns;
    how kept;
    const char *words; /* NULL: it is opened */
  } cases[] = {{"/features", 4, 3, PLAIN, NULL},
               {"/features", 0, 3, PLAIN, NULL},
               {"/embedding/normalized", 4, 2, PLAIN, NULL},
               {"/embedding/normalized", 4, 500, PLAIN, "has not the type or the dimensions"},
               {"/embedding/coordinates", 4, 1, PLAIN, "has not the type or the dimensions"},
               {"/features", 4, 0, PLAIN, "has not the type or the dimensions"},
               {"/features", (hsize_t)1 << 60, 2, UNWRITTEN, "has not the type or the dimensions"},
               {"/features", 2, (hsize_t)1 << 40, UNWRITTEN, "has not the type or the dimensions"},
               {"/features", (hsize_t)1 << 40, 2, UNWRITTEN, "not in one piece and whole"},
               {"/features", 4, 3, CHUNKED, "not in one piece and whole"},
               {"/features", 4, 3, ELSEWHERE, "not in one piece and whole"},
               {"/features", 4, 3, SOFT_LINK, "is a link"},
               {"/features", 4, 3, OTHER_FILE, "is a link"},
               {"/embedding/normalized", 4, 2, OTHER_FILE, "is a link"}};
  ssne_error err;
  ssne_store *s = NULL;
  char path[128];
  folder_file(f, "datasets.h5", path);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (f->rank == 0)
      write_dataset(path, cases[i].name, cases[i].rows, cases[i].columns, cases[i].kept);
    MPI_Barrier(MPI_COMM_WORLD);
    if (cases[i].words) {
      expect_open(f, path, SSNE_USAGE, cases[i].words);
    } else {
      CHECK_OK(ssne_store_open(path, false, MPI_COMM_WORLD, &s, NULL, &err), &err);
      CHECK_OK(ssne_store_close(&s, &err), &err);
    }
    MPI_Barrier(MPI_COMM_WORLD);
  }
}

/* An attribute that is not one text is none: many would be written past the memory for one. */
static void test_texts(const folder *f) {
  static const char *const names[] = {"host", "user", "empty", "format_version"};
  ssne_error err;
  ssne_store *s = NULL;
  char path[128], *value = NULL;
  folder_file(f, "texts.h5", path);
  if (f->rank == 0) write_texts(path);
  MPI_Barrier(MPI_COMM_WORLD);
  CHECK_OK(ssne_store_open(path, false, MPI_COMM_WORLD, &s, NULL, &err), &err);
  if (!s) return;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    CHECK_OK(ssne_store_get_text(s, names[i], &value, &err), &err);
    CHECK(!value);
    ssne_free(&value);
  }
  CHECK_OK(ssne_store_close(&s, &err), &err);
}

static void test_truncated(const folder *f) {
  ssne_error err;
  ssne_store *s = NULL;
  char path[128];
  struct stat facts;
  folder_file(f, "truncated.h5", path);
  CHECK_OK(ssne_store_create(path, MPI_COMM_WORLD, &s, &err), &err);
  CHECK_OK(ssne_store_define(s, SSNE_SET_FEATURES, 1000, 8, 0, &err), &err);
  CHECK_OK(ssne_store_publish(&s, &err), &err);
  CHECK(stat(path, &facts) == 0 && facts.st_size > 32000);
  MPI_Barrier(MPI_COMM_WORLD);
  for (off_t size = facts.st_size - 1; size > 0; size /= 2) {
    if (f->rank == 0) CHECK(truncate(path, size) == 0);
    const ssne_code code = ssne_store_open(path, true, MPI_COMM_WORLD, &s, NULL, &err);
    expect(f, code, size > 48 ? SSNE_FAILED : code, &err, path);
    CHECK(code != SSNE_OK && !s);
    if (size > 48) CHECK(strstr(err.text, "truncated") != NULL);
  }
}

/* Calls that make no sense, and one rank's failure, which all must hear of. */
static void test_calls(const folder *f) {
  ssne_error err;
  ssne_store *s = NULL;
  char path[128];
  float rows[16] = {0};
  folder_file(f, "calls.h5", path);
  CHECK_OK(ssne_store_create(path, MPI_COMM_WORLD, &s, &err), &err);
  if (!s) return;
  const int64_t many = INT64_MAX / 2;
  const bool last = f->rank == f->ranks - 1;
  expect(f, ssne_store_define(s, SSNE_SET_LABELS, 4, 2, 0, &err), SSNE_FAILED, &err, "/labels");
  expect(f, ssne_store_define(s, SSNE_SET_LABELS, last ? -1 : 4, 1, 0, &err), SSNE_FAILED, &err,
         "-1 rows");
  expect(f, ssne_store_define(s, SSNE_SET_CLASSES, 4, 1, 0, &err), SSNE_FAILED, &err, "/classes");
  expect(f, ssne_store_define(s, SSNE_SET_FEATURES, many, 4, 0, &err), SSNE_FAILED, &err, "more");
  expect(f, ssne_store_define(s, SSNE_SET_FEATURES, (int64_t)1 << 40, 64, 0, &err), SSNE_FAILED,
         &err, "file system has");
  expect(f, ssne_store_set_text(s, "host", last && f->ranks > 1 ? "b" : "a", &err),
         f->ranks > 1 ? SSNE_FAILED : SSNE_OK, &err, "different values");
  expect(f, ssne_store_write(s, SSNE_SET_FEATURES, 0, 1, rows, &err), SSNE_FAILED, &err,
         "has no /features");
  CHECK_OK(ssne_store_define(s, SSNE_SET_FEATURES, 4, 4, 0, &err), &err);
  const int64_t wrong[][2] = {{-1, 1}, {0, 5}, {4, 1}, {5, 0}, {0, -1}, {1, INT64_MAX}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    const int64_t first = wrong[i][0], count = wrong[i][1];
    expect(f, ssne_store_read(s, SSNE_SET_FEATURES, first, count, rows, &err), SSNE_FAILED, &err,
           "are not all in /features, which has 4");
  }
  CHECK_OK(ssne_store_read(s, SSNE_SET_FEATURES, 4, 0, rows, &err), &err);
  CHECK_OK(ssne_store_publish(&s, &err), &err);
}

static void test_read_only(const folder *f) {
  ssne_error err;
  ssne_store *s = NULL;
  char path[128], digest[SSNE_DIGEST_LENGTH];
  float rows[4] = {0};
  folder_file(f, "calls.h5", path);
  CHECK_OK(ssne_store_open(path, false, MPI_COMM_WORLD, &s, NULL, &err), &err);
  if (!s) return;
  const char *const words = "opened to be read";
  expect(f, ssne_store_write(s, SSNE_SET_FEATURES, 0, 1, rows, &err), SSNE_FAILED, &err, words);
  expect(f, ssne_store_remove(s, SSNE_SET_FEATURES, &err), SSNE_FAILED, &err, words);
  expect(f, ssne_store_define(s, SSNE_SET_LABELS, 1, 1, 0, &err), SSNE_FAILED, &err, words);
  expect(f, ssne_store_set_text(s, "a", "b", &err), SSNE_FAILED, &err, words);
  expect(f, ssne_store_digest(s, SSNE_SET_LABELS, digest, &err), SSNE_FAILED, &err,
         "has no /labels");
  CHECK_OK(ssne_store_close(&s, &err), &err);
}

/* The system lets rank 0 write no further, as with a quota that free space says nothing of. */
static void test_refused(const folder *f) {
  ssne_error err;
  ssne_store *s = NULL;
  char path[128];
  struct rlimit usual, limit;
  CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && getrlimit(RLIMIT_FSIZE, &usual) == 0);
  CHECK_OK(ssne_store_create(folder_file(f, "refused.h5", path), MPI_COMM_WORLD, &s, &err), &err);
  if (!s) return;
  limit = usual;
  limit.rlim_cur = 50000;
  if (f->rank == 0) CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  expect(f, ssne_store_define(s, SSNE_SET_LABELS, 4, 1, 0, &err), SSNE_FAILED, &err,
         "cannot be written: File too large");
  expect(f, ssne_store_set_text(s, "a", "b", &err), SSNE_FAILED, &err, "File too large");
  CHECK_OK(ssne_store_flush(s, &err), &err);
  if (f->rank == 0) CHECK(setrlimit(RLIMIT_FSIZE, &usual) == 0);
  CHECK_OK(ssne_store_define(s, SSNE_SET_LABELS, 4, 1, 0, &err), &err);
  CHECK_OK(ssne_store_set_text(s, "a", "b", &err), &err);
  CHECK_OK(ssne_store_publish(&s, &err), &err);
  CHECK_OK(ssne_store_open(path, false, MPI_COMM_WORLD, &s, NULL, &err), &err);
  CHECK_OK(ssne_store_close(&s, &err), &err);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  const folder f = folder_make();
  test_create(&f);
  test_open(&f);
  test_datasets(&f);
  test_texts(&f);
  test_truncated(&f);
  test_calls(&f);
  test_read_only(&f);
  test_refused(&f);
  folder_remove(&f);
  MPI_Finalize();
  return check_result();
}
