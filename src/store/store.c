#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the handle -------------------------------------------------------------------------- */

static ssne_code partial_path(const char *path, char **out, ssne_error *err) {
  const size_t length = strlen(path);
  SSNE_TRY(ssne_alloc(out, (int64_t)length + (int64_t)sizeof ".partial", 1, "characters", err));
  memcpy(*out, path, length);
  memcpy(*out + length, ".partial", sizeof ".partial");
  return SSNE_OK;
}

static void free_store(ssne_store **store) {
  if (!*store) return;
  if ((*store)->comm != MPI_COMM_NULL) MPI_Comm_free(&(*store)->comm);
  ssne_structure_free(&(*store)->structure);
  ssne_free(&(*store)->path);
  ssne_free(&(*store)->open_path);
  ssne_free(store);
}

/* Not collective: a store without communicator or file. */
static ssne_code make_store(const char *path, bool partial, bool writable, ssne_store **out,
                            ssne_error *err) {
  SSNE_TRY(ssne_alloc(out, 1, sizeof **out, "run files", err));
  ssne_store *s = *out;
  s->comm = MPI_COMM_NULL;
  s->file = -1;
  s->writable = writable;
  s->piece = SSNE_STORE_PIECE;
  ssne_code code = ssne_copy_text(&s->path, path, err);
  if (code == SSNE_OK)
    code =
        partial ? partial_path(path, &s->open_path, err) : ssne_copy_text(&s->open_path, path, err);
  if (code != SSNE_OK) free_store(out);
  return code;
}

/* Collective. */
static ssne_code new_store(const char *path, bool partial, bool writable, MPI_Comm comm,
                           ssne_store **out, ssne_error *err) {
  ssne_code code = ssne_agree(comm, make_store(path, partial, writable, out, err), err);
  if (code == SSNE_OK) {
    ssne_store *s = *out;
    code = ssne_mpi_check(MPI_Comm_dup(comm, &s->comm), "MPI_Comm_dup", err);
    if (code == SSNE_OK) {
      MPI_Comm_rank(s->comm, &s->rank);
      MPI_Comm_size(s->comm, &s->ranks);
    }
  }
  if (code != SSNE_OK) free_store(out);
  return code;
}

ssne_code ssne_store_must_write(const ssne_store *store, ssne_error *err) {
  if (store->writable) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED, "%s was opened to be read, not written", store->open_path);
}

/* --- what a run file is ------------------------------------------------------------------ */

static herr_t write_version(hid_t file) {
  const int32_t version = SSNE_STORE_FORMAT_VERSION;
  const hid_t space = H5Screate(H5S_SCALAR);
  if (space < 0) return -1;
  const hid_t attribute =
      H5Acreate2(file, "format_version", H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Sclose(space);
  if (attribute < 0) return -1;
  const herr_t result = H5Awrite(attribute, H5T_NATIVE_INT32, &version);
  return H5Aclose(attribute) < 0 ? -1 : result;
}

/* 0 where the file has none, or it is not one number. */
static int32_t read_version(hid_t file) {
  int32_t version = 0;
  if (H5Aexists(file, "format_version") <= 0) return 0;
  const hid_t attribute = H5Aopen(file, "format_version", H5P_DEFAULT);
  const hid_t space = attribute < 0 ? SSNE_NO_ID : H5Aget_space(attribute);
  if (space >= 0 && H5Sget_simple_extent_npoints(space) == 1 &&
      H5Aread(attribute, H5T_NATIVE_INT32, &version) < 0)
    version = 0;
  if (space >= 0) H5Sclose(space);
  if (attribute >= 0) H5Aclose(attribute);
  H5Eclear2(H5E_DEFAULT);
  return version;
}

static ssne_code check_format(hid_t file, const char *path, ssne_error *err) {
  char *format = NULL;
  SSNE_TRY(ssne_attribute_read(file, path, "format", &format, err));
  const bool ours = format && strcmp(format, SSNE_STORE_FORMAT) == 0;
  ssne_free(&format);
  const int32_t version = read_version(file);
  if (!ours || version < 1)
    return ssne_fail(err, SSNE_USAGE,
                     "%s is an HDF5 file, but not a run file of shardsne (its `format` is not "
                     "\"%s\")",
                     path, SSNE_STORE_FORMAT);
  if (version > SSNE_STORE_FORMAT_VERSION)
    return ssne_fail(err, SSNE_USAGE,
                     "%s has version %" PRId32 " of the run file's format, this program knows "
                     "versions up to %d: use a newer shardsne",
                     path, version, SSNE_STORE_FORMAT_VERSION);
  return SSNE_OK;
}

/* --- creating and opening ---------------------------------------------------------------- */

static bool path_exists(const char *path) {
  struct stat facts;
  return stat(path, &facts) == 0;
}

bool ssne_store_exists(const char *path, bool partial) {
  char *name = NULL;
  ssne_error unused;
  if (!partial) return path_exists(path);
  if (partial_path(path, &name, &unused) != SSNE_OK) return false;
  const bool exists = path_exists(name);
  ssne_free(&name);
  return exists;
}

static ssne_code delete_one(const char *path, ssne_error *err) {
  if (unlink(path) != 0 && errno != ENOENT)
    return ssne_fail(err, SSNE_FAILED, "%s: cannot be removed: %s", path, strerror(errno));
  return ssne_journal_forget(path, err);
}

ssne_code ssne_store_delete(const char *path, bool unfinished_too, ssne_error *err) {
  char *name = NULL;
  SSNE_TRY(partial_path(path, &name, err));
  ssne_code code = unfinished_too ? delete_one(name, err) : SSNE_OK;
  if (code == SSNE_OK) code = delete_one(path, err);
  ssne_free(&name);
  return code;
}

/* What ssne_store_publish would only find at the end. */
static ssne_code check_target(const char *path, ssne_error *err) {
  struct stat facts;
  if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode))
    return ssne_fail(err, SSNE_USAGE, "%s is a folder: give the name of a file", path);
  return SSNE_OK;
}

/* Not collective: a new file under another name, which then replaces what has the right one. */
static ssne_code create_alone(const ssne_store *s, ssne_error *err) {
  char *name = NULL;
  hid_t file = SSNE_NO_ID;
  SSNE_TRY(check_target(s->path, err));
  SSNE_TRY(
      ssne_alloc(&name, (int64_t)(strlen(s->open_path) + sizeof ".new"), 1, "characters", err));
  (void)sprintf(name, "%s.new", s->open_path);
  ssne_code code = ssne_hdf5_create(name, &file, err);
  if (code == SSNE_OK &&
      (ssne_attribute_write(file, "format", SSNE_STORE_FORMAT) < 0 || write_version(file) < 0))
    code = ssne_hdf5_fail(name, err, "writing the format's version");
  if (file >= 0 && H5Fclose(file) < 0 && code == SSNE_OK)
    code = ssne_hdf5_fail(name, err, "closing");
  if (code == SSNE_OK) code = ssne_journal_forget(s->open_path, err);
  if (code == SSNE_OK && rename(name, s->open_path) != 0)
    code = ssne_fail(err, SSNE_USAGE, "%s: cannot be written: %s", s->open_path, strerror(errno));
  if (code != SSNE_OK) (void)unlink(name);
  ssne_free(&name);
  return code;
}

void ssne_store_begin(void) {
  (void)H5dont_atexit();
  (void)H5open(); /* before MPI_Init, else HDF5 has MPI_Finalize end it all the same */
}

ssne_code ssne_store_create(const char *path, MPI_Comm comm, ssne_store **out, ssne_error *err) {
  ssne_error later;
  *out = NULL;
  SSNE_TRY(new_store(path, true, true, comm, out, err));
  ssne_store *s = *out;
  ssne_code code = ssne_agree(s->comm, s->rank == 0 ? create_alone(s, err) : SSNE_OK, err);
  if (code == SSNE_OK) code = ssne_store_open_file(s, NULL, err);
  if (code != SSNE_OK) (void)ssne_store_close(out, &later);
  return code;
}

ssne_code ssne_store_find(const char *path, bool *partial, char **found, ssne_error *err) {
  *partial = !ssne_store_exists(path, false);
  if (!*partial) return ssne_copy_text(found, path, err);
  if (ssne_store_exists(path, true)) return partial_path(path, found, err);
  return ssne_fail(err, SSNE_USAGE,
                   "%s: no such run file, nor one of that name with .partial: check the name",
                   path);
}

/* On rank 0: which file it is. Takes back what a killed run has left half done. */
static ssne_code choose(const char *path, int *is_partial, ssne_error *err) {
  char *found = NULL;
  bool partial = false;
  ssne_code code = ssne_store_find(path, &partial, &found, err);
  if (code == SSNE_OK) code = ssne_journal_roll_back(found, -1, err);
  *is_partial = partial;
  ssne_free(&found);
  return code;
}

ssne_code ssne_store_open_lenient(const char *path, bool writable, MPI_Comm comm, bool *lost,
                                  ssne_store **out, bool *partial, ssne_error *err) {
  int rank = 0, is_partial = 0;
  ssne_error later;
  *out = NULL;
  MPI_Comm_rank(comm, &rank);
  SSNE_TRY_ALL(comm, rank == 0 ? choose(path, &is_partial, err) : SSNE_OK, err);
  SSNE_TRY(ssne_broadcast(&is_partial, sizeof is_partial, 0, comm, err));
  if (partial) *partial = is_partial;
  SSNE_TRY(new_store(path, is_partial, writable, comm, out, err));
  const ssne_code code = ssne_store_open_file(*out, lost, err);
  if (code != SSNE_OK) (void)ssne_store_close(out, &later);
  return code;
}

ssne_code ssne_store_open(const char *path, bool writable, MPI_Comm comm, ssne_store **out,
                          bool *partial, ssne_error *err) {
  return ssne_store_open_lenient(path, writable, comm, NULL, out, partial, err);
}

/* On rank 0. */
static ssne_code read_structure(ssne_store *s, bool *lost, ssne_error *err) {
  hid_t file = SSNE_NO_ID;
  SSNE_TRY(ssne_hdf5_open(s->open_path, false, &file, err));
  ssne_code code = check_format(file, s->open_path, err);
  if (code == SSNE_OK) code = ssne_structure_read(s->open_path, file, &s->structure, lost, err);
  H5Fclose(file);
  return code;
}

/* Not collective. That the file is long enough is also how a rank notices that its own node has
 * another file of this name. */
static ssne_code open_rows(ssne_store *s, ssne_error *err) {
  struct stat facts;
  const int64_t end = ssne_structure_end(&s->structure);
  s->file = open(s->open_path, (s->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (s->file < 0 || fstat(s->file, &facts) != 0)
    return ssne_fail(err, SSNE_USAGE,
                     "%s: cannot be opened%s: %s; the file must be within reach of every rank",
                     s->open_path, s->writable ? " for writing" : "", strerror(errno));
  if ((int64_t)facts.st_size >= end) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED,
                   "%s has %" PRId64 " bytes here, and rows up to byte %" PRId64
                   " on rank 0: put it where every rank sees the same files",
                   s->open_path, (int64_t)facts.st_size, end);
}

ssne_code ssne_store_open_file(ssne_store *s, bool *lost, ssne_error *err) {
  SSNE_TRY_ALL(s->comm, s->rank == 0 ? read_structure(s, lost, err) : SSNE_OK, err);
  SSNE_TRY(ssne_structure_share(&s->structure, s->comm, err));
  if (lost) SSNE_TRY(ssne_broadcast(lost, SSNE_SET_COUNT * sizeof *lost, 0, s->comm, err));
  return ssne_agree(s->comm, open_rows(s, err), err);
}

/* --- flushing and closing ---------------------------------------------------------------- */

static ssne_code fail_to_write(const ssne_store *s, ssne_error *err) {
  return ssne_fail(err, SSNE_FAILED, "%s: writing to disk failed: %s", s->open_path,
                   strerror(errno));
}

ssne_code ssne_store_flush(ssne_store *store, ssne_error *err) {
  ssne_code code = SSNE_OK;
  if (store->writable && fsync(store->file) != 0) code = fail_to_write(store, err);
  return ssne_agree(store->comm, code, err);
}

ssne_code ssne_store_close_file(ssne_store *s, ssne_error *err) {
  ssne_code code = SSNE_OK;
  if (s->file >= 0 && close(s->file) != 0) code = fail_to_write(s, err);
  s->file = -1;
  ssne_structure_free(&s->structure);
  return ssne_agree(s->comm, code, err);
}

ssne_code ssne_store_close(ssne_store **store, ssne_error *err) {
  if (!*store) return SSNE_OK;
  const ssne_code code = ssne_store_close_file(*store, err);
  free_store(store);
  return code;
}

static ssne_code rename_file(const ssne_store *s, ssne_error *err) {
  if (s->rank > 0 || strcmp(s->open_path, s->path) == 0) return SSNE_OK;
  SSNE_TRY(ssne_journal_forget(s->path, err)); /* of a file that goes */
  if (rename(s->open_path, s->path) == 0) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED, "%s is complete, but cannot be renamed to %s: %s",
                   s->open_path, s->path, strerror(errno));
}

ssne_code ssne_store_publish(ssne_store **store, ssne_error *err) {
  ssne_code code = ssne_store_flush(*store, err);
  if (code == SSNE_OK) code = ssne_store_close_file(*store, err);
  if (code == SSNE_OK) code = ssne_agree((*store)->comm, rename_file(*store, err), err);
  ssne_error later;
  (void)ssne_store_close(store, &later);
  return code;
}
