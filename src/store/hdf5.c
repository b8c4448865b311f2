#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* What every change of a file's structure wants to find free: HDF5 has no way back from metadata
 * that cannot be written. */
#define ROOM_FOR_METADATA ((int64_t)1 << 16)

/* Datasets begin at a multiple of this, so that no element lies on two pages of a file system. */
#define PAGE 4096

/* --- errors ------------------------------------------------------------------------------ */

typedef struct reason {
  char text[512];
} reason;

/* Keeps the innermost message. */
static herr_t keep(unsigned depth, const H5E_error2_t *entry, void *data) {
  reason *r = data;
  if (depth == 0) snprintf(r->text, sizeof r->text, "%s", entry->desc ? entry->desc : "");
  return 0;
}

/* Free bytes of the file system that holds `path`; -1 where it does not say. */
static int64_t free_space(const char *path) {
  struct statvfs fs;
  if (statvfs(path, &fs) != 0 || fs.f_blocks == 0) return -1;
  return (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
}

ssne_code ssne_hdf5_fail(const char *path, ssne_error *err, const char *format, ...) {
  reason why = {""};
  char what[512];
  if (H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep, &why) < 0 || !why.text[0])
    snprintf(why.text, sizeof why.text, "HDF5 gives no reason");
  H5Eclear2(H5E_DEFAULT);
  va_list args;
  va_start(args, format);
  vsnprintf(what, sizeof what, format, args);
  va_end(args);
  const int64_t left = free_space(path);
  if (left >= 0 && left < ROOM_FOR_METADATA)
    return ssne_fail(err, SSNE_FAILED,
                     "%s: %s failed: No space left on device (%" PRId64
                     " KiB are free; HDF5 says: %s); make room, then run the same command again",
                     path, what, left / 1024, why.text);
  return ssne_fail(err, SSNE_FAILED, "%s: %s failed: %s", path, what, why.text);
}

static void size_text(int64_t bytes, char *text, size_t length) {
  static const char *const unit[] = {"KiB", "MiB", "GiB", "TiB"};
  double size = (double)bytes / 1024.0;
  int u = 0;
  for (; u < 3 && size >= 1024.0; u++) size /= 1024.0;
  snprintf(text, length, "%.1f %s", size, unit[u]);
}

/* Writes `bytes` zeros behind the end of the file and takes them back: a quota, for one, shows in
 * no other way. */
static int try_room(int fd, int64_t bytes) {
  static const char zeros[4096];
  struct stat facts;
  int cause = 0;
  if (fstat(fd, &facts) != 0) return errno;
  for (int64_t done = 0; cause == 0 && done < bytes;) {
    const ssize_t written = pwrite(fd, zeros, sizeof zeros, facts.st_size + (off_t)done);
    if (written > 0)
      done += (int64_t)written;
    else
      cause = written < 0 ? errno : ENOSPC;
  }
  if (cause == 0 && fsync(fd) != 0) cause = errno;
  if (ftruncate(fd, facts.st_size) != 0 && cause == 0) cause = errno;
  return cause;
}

ssne_code ssne_hdf5_room(const char *path, int64_t metadata, int64_t data, const char *what,
                         ssne_error *err) {
  char need[32], have[32];
  const int64_t left = free_space(path), bytes = metadata + ROOM_FOR_METADATA;
  if (left >= 0 && left - bytes < data) {
    size_text(bytes + data, need, sizeof need);
    size_text(left, have, sizeof have);
    return ssne_fail(err, SSNE_FAILED,
                     "%s: %s needs %s, the file system has %s free: make room, or put the file "
                     "elsewhere",
                     path, what, need, have);
  }
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return ssne_fail(err, SSNE_FAILED, "%s: cannot be opened for writing: %s", path,
                     strerror(errno));
  const int cause = try_room(fd, bytes);
  close(fd);
  if (cause == 0) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED,
                   "%s: cannot be written: %s; make room, then run the same command again", path,
                   strerror(cause));
}

/* --- opening ----------------------------------------------------------------------------- */

/* To hear from the system what HDF5 would hide. */
static ssne_code try_open(const char *path, int flags, ssne_error *err) {
  const int fd = open(path, flags | O_CLOEXEC, 0666);
  if (fd < 0)
    return ssne_fail(err, SSNE_USAGE, "%s: cannot be opened%s: %s", path,
                     (flags & O_ACCMODE) == O_RDONLY ? "" : " for writing", strerror(errno));
  close(fd);
  return SSNE_OK;
}

/* The oldest layout of HDF5 that holds attributes of any size, so that old readers can follow; a
 * newer one also marks files as open for writing, which a kill would leave behind. */
static herr_t set_layout(hid_t access) {
  if (H5Pset_alignment(access, PAGE, PAGE) < 0) return -1;
  if (H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_LATEST) < 0) return -1;
  return H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
}

/* No lock: the file may lie where there are none, and someone who looks at a file must not stop the
 * job that writes it. */
static hid_t file_access(void) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (access < 0) return access;
  if (set_layout(access) >= 0 && H5Pset_file_locking(access, false, true) >= 0) return access;
  H5Pclose(access);
  return SSNE_NO_ID;
}

/* What HDF5 calls truncated: the end that the file notes lies behind the one it has. */
static ssne_code fail_to_open(const char *path, ssne_error *err) {
  (void)ssne_hdf5_fail(path, err, "opening");
  if (!strstr(err->text, "truncated")) return err->code;
  return ssne_fail(
      err, SSNE_FAILED,
      "%s is truncated: its end is missing; `shardsne repair` brings back what is whole", path);
}

ssne_code ssne_hdf5_open(const char *path, bool writable, hid_t *file, ssne_error *err) {
  struct stat facts;
  *file = SSNE_NO_ID;
  if (stat(path, &facts) != 0)
    return ssne_fail(err, SSNE_USAGE, "%s: cannot be opened: %s", path, strerror(errno));
  if (!S_ISREG(facts.st_mode))
    return ssne_fail(err, SSNE_USAGE, "%s is a folder or a device, not an HDF5 file", path);
  SSNE_TRY(try_open(path, writable ? O_RDWR : O_RDONLY, err));
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  const hid_t access = file_access();
  if (access < 0) return ssne_hdf5_fail(path, err, "setting up HDF5");
  ssne_code code = SSNE_OK;
  const htri_t is_hdf5 = H5Fis_hdf5(path);
  if (is_hdf5 == 0)
    code = ssne_fail(err, SSNE_USAGE, "%s is not an HDF5 file", path);
  else if (is_hdf5 < 0 ||
           (*file = H5Fopen(path, writable ? H5F_ACC_RDWR : H5F_ACC_RDONLY, access)) < 0)
    code = fail_to_open(path, err);
  H5Pclose(access);
  return code;
}

/* Attributes stay in the root's header, however many there are; and that has room for all of them
 * from the start, the room of so many links with names so long: where the file's end is lost, they
 * are not. */
#define ROOM_LINKS 32
#define ROOM_NAME 1000

static hid_t creation(void) {
  const hid_t list = H5Pcreate(H5P_FILE_CREATE);
  if (list < 0) return list;
  if (H5Pset_attr_phase_change(list, 1024, 0) < 0 ||
      H5Pset_link_phase_change(list, ROOM_LINKS, ROOM_LINKS / 2) < 0 ||
      H5Pset_est_link_info(list, ROOM_LINKS, ROOM_NAME) < 0) {
    H5Pclose(list);
    return SSNE_NO_ID;
  }
  return list;
}

ssne_code ssne_hdf5_create(const char *path, hid_t *file, ssne_error *err) {
  *file = SSNE_NO_ID;
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  SSNE_TRY(try_open(path, O_RDWR | O_CREAT | O_TRUNC, err));
  SSNE_TRY(ssne_hdf5_room(path, 0, 0, "a new file", err));
  const hid_t access = file_access(), list = creation();
  ssne_code code = SSNE_OK;
  if (access < 0 || list < 0)
    code = ssne_hdf5_fail(path, err, "setting up HDF5");
  else if ((*file = H5Fcreate(path, H5F_ACC_TRUNC, list, access)) < 0)
    code = ssne_hdf5_fail(path, err, "creating");
  if (access >= 0) H5Pclose(access);
  if (list >= 0) H5Pclose(list);
  return code;
}

void ssne_store_library(char *text, int length) {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  snprintf(text, (size_t)length, "HDF5 %u.%u.%u", major, minor, release);
}
