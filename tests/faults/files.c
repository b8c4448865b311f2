/* Calls on files below the folders named. The 64-bit names are the same functions here. */
#include "fault.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void set_cause(fault_way way) {
  errno = way == FAULT_FULL ? ENOSPC : EIO;
}

static fault_way strikes(fault_kind kind, const char *call, int fd) {
  char name[PATH_MAX];
  return fault_is_below(fd, name, sizeof name) ? fault_strikes(kind, call, name) : FAULT_NONE;
}

static fault_way strikes_path(fault_kind kind, const char *call, int at, const char *path) {
  char name[PATH_MAX];
  return fault_path_is_below(at, path, name, sizeof name) ? fault_strikes(kind, call, name)
                                                          : FAULT_NONE;
}

/* --- reading and writing ----------------------------------------------------------------- */

static size_t half(size_t size) {
  return size > 1 ? size / 2 : size;
}

/* How much of `size` bytes is to be transferred; 0 with *fails: none, errno is set. */
static size_t allowed(fault_way way, size_t size, bool *fails) {
  *fails = way == FAULT_ERROR || way == FAULT_FULL;
  if (*fails) set_cause(way);
  return way == FAULT_SHORT || way == FAULT_TORN ? half(size) : size;
}

#define TRANSFER(kind, name, fd, size, ...)                                                        \
  do {                                                                                             \
    FAULT_REAL(name)                                                                               \
    bool fails = false;                                                                            \
    const fault_way way = strikes(kind, #name, fd);                                                \
    size = allowed(way, size, &fails);                                                             \
    if (fails) return -1;                                                                          \
    const ssize_t done = real(__VA_ARGS__);                                                        \
    if (way == FAULT_TORN) fault_kill();                                                           \
    return done;                                                                                   \
  } while (0)

ssize_t read(int fd, void *bytes, size_t size) {
  TRANSFER(FAULT_READ, read, fd, size, fd, bytes, size);
}

ssize_t pread(int fd, void *bytes, size_t size, off_t offset) {
  TRANSFER(FAULT_READ, pread, fd, size, fd, bytes, size, offset);
}

ssize_t pread64(int fd, void *bytes, size_t size, off64_t offset) {
  TRANSFER(FAULT_READ, pread64, fd, size, fd, bytes, size, offset);
}

ssize_t write(int fd, const void *bytes, size_t size) {
  TRANSFER(FAULT_WRITE, write, fd, size, fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset) {
  TRANSFER(FAULT_WRITE, pwrite, fd, size, fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset) {
  TRANSFER(FAULT_WRITE, pwrite64, fd, size, fd, bytes, size, offset);
}

/* A short transfer of several pieces is half of the first. */
#define TRANSFER_PIECES(kind, name, fd, pieces, count, ...)                                        \
  do {                                                                                             \
    FAULT_REAL(name)                                                                               \
    bool fails = false;                                                                            \
    struct iovec first = {NULL, 0};                                                                \
    const fault_way way = strikes(kind, #name, fd);                                                \
    if (way != FAULT_NONE && (count) > 0) {                                                        \
      first = (pieces)[0];                                                                         \
      first.iov_len = allowed(way, first.iov_len, &fails);                                         \
      pieces = &first;                                                                             \
      count = 1;                                                                                   \
    }                                                                                              \
    if (fails) return -1;                                                                          \
    const ssize_t done = real(__VA_ARGS__);                                                        \
    if (way == FAULT_TORN) fault_kill();                                                           \
    return done;                                                                                   \
  } while (0)

ssize_t readv(int fd, const struct iovec *pieces, int count) {
  TRANSFER_PIECES(FAULT_READ, readv, fd, pieces, count, fd, pieces, count);
}

ssize_t preadv(int fd, const struct iovec *pieces, int count, off_t offset) {
  TRANSFER_PIECES(FAULT_READ, preadv, fd, pieces, count, fd, pieces, count, offset);
}

ssize_t preadv64(int fd, const struct iovec *pieces, int count, off64_t offset) {
  TRANSFER_PIECES(FAULT_READ, preadv64, fd, pieces, count, fd, pieces, count, offset);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
  TRANSFER_PIECES(FAULT_WRITE, writev, fd, pieces, count, fd, pieces, count);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) {
  TRANSFER_PIECES(FAULT_WRITE, pwritev, fd, pieces, count, fd, pieces, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset) {
  TRANSFER_PIECES(FAULT_WRITE, pwritev64, fd, pieces, count, fd, pieces, count, offset);
}

/* --- streams: what they do to the file is out of reach, so they fail themselves ------------ */

static bool stream_fails(fault_kind kind, const char *call, FILE *file) {
  const fault_way way = strikes(kind, call, fileno(file));
  if (way != FAULT_ERROR && way != FAULT_FULL) return false;
  file->_flags |= 0x20; /* glibc's mark that ferror() looks for */
  set_cause(way);
  return true;
}

size_t fread(void *restrict bytes, size_t size, size_t count, FILE *restrict file) {
  FAULT_REAL(fread)
  return stream_fails(FAULT_READ, "fread", file) ? 0 : real(bytes, size, count, file);
}

size_t fwrite(const void *restrict bytes, size_t size, size_t count, FILE *restrict file) {
  FAULT_REAL(fwrite)
  return stream_fails(FAULT_WRITE, "fwrite", file) ? 0 : real(bytes, size, count, file);
}

/* Where a full disk shows, as streams write late. */
int fclose(FILE *file) {
  FAULT_REAL(fclose)
  const bool fails = stream_fails(FAULT_WRITE, "fclose", file);
  const int failed = real(file);
  if (!fails) return failed;
  errno = EIO;
  return EOF;
}

/* --- opening ----------------------------------------------------------------------------- */

static bool open_fails(const char *call, int at, const char *path) {
  const fault_way way = strikes_path(FAULT_OPEN, call, at, path);
  if (way != FAULT_NONE) set_cause(way);
  return way != FAULT_NONE;
}

static mode_t mode_of(int flags, va_list more) {
  return flags & (O_CREAT | __O_TMPFILE) ? (mode_t)va_arg(more, unsigned) : 0;
}

#define OPEN(name, at, path, flags, ...)                                                           \
  do {                                                                                             \
    FAULT_REAL(name)                                                                               \
    va_list more;                                                                                  \
    va_start(more, flags);                                                                         \
    const mode_t mode = mode_of(flags, more);                                                      \
    va_end(more);                                                                                  \
    return open_fails(#name, at, path) ? -1 : real(__VA_ARGS__, mode);                             \
  } while (0)

int open(const char *path, int flags, ...) {
  OPEN(open, AT_FDCWD, path, flags, path, flags);
}

int open64(const char *path, int flags, ...) {
  OPEN(open64, AT_FDCWD, path, flags, path, flags);
}

int openat(int at, const char *path, int flags, ...) {
  OPEN(openat, at, path, flags, at, path, flags);
}

int openat64(int at, const char *path, int flags, ...) {
  OPEN(openat64, at, path, flags, at, path, flags);
}

FILE *fopen(const char *restrict path, const char *restrict mode) {
  FAULT_REAL(fopen)
  return open_fails("fopen", AT_FDCWD, path) ? NULL : real(path, mode);
}

FILE *fopen64(const char *restrict path, const char *restrict mode) {
  FAULT_REAL(fopen64)
  return open_fails("fopen64", AT_FDCWD, path) ? NULL : real(path, mode);
}

/* --- changes ----------------------------------------------------------------------------- */

#define CHANGE(name, way, ...)                                                                     \
  do {                                                                                             \
    FAULT_REAL(name)                                                                               \
    const fault_way chosen = way;                                                                  \
    if (chosen == FAULT_NONE) return real(__VA_ARGS__);                                            \
    set_cause(chosen);                                                                             \
    return -1;                                                                                     \
  } while (0)
#define CHANGE_FILE(name, fd, ...) CHANGE(name, strikes(FAULT_CHANGE, #name, fd), __VA_ARGS__)
#define CHANGE_PATH(name, path, ...)                                                               \
  CHANGE(name, strikes_path(FAULT_CHANGE, #name, AT_FDCWD, path), __VA_ARGS__)

int ftruncate(int fd, off_t size) {
  CHANGE_FILE(ftruncate, fd, fd, size);
}

int ftruncate64(int fd, off64_t size) {
  CHANGE_FILE(ftruncate64, fd, fd, size);
}

int fsync(int fd) {
  CHANGE_FILE(fsync, fd, fd);
}

int fdatasync(int fd) {
  CHANGE_FILE(fdatasync, fd, fd);
}

int rename(const char *from, const char *to) {
  CHANGE_PATH(rename, from, from, to);
}

int unlink(const char *path) {
  CHANGE_PATH(unlink, path, path);
}

int remove(const char *path) {
  CHANGE_PATH(remove, path, path);
}

int mkdir(const char *path, mode_t mode) {
  CHANGE_PATH(mkdir, path, path, mode);
}
