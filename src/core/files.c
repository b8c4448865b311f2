#include "shardsne/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of one transfer: Linux moves no more than 2 GiB - 4 KiB in one call, others fewer. */
#define MOST_BYTES ((int64_t)1 << 30)

static size_t now_of(int64_t left) {
  return (size_t)(left < MOST_BYTES ? left : MOST_BYTES);
}

int64_t ssne_bytes_read(int fd, void *bytes, int64_t size, int64_t place) {
  int64_t done = 0;
  while (done < size) {
    const ssize_t now = pread(fd, (char *)bytes + done, now_of(size - done), (off_t)(place + done));
    if (now == 0) break;
    if (now < 0 && errno != EINTR) return -1;
    if (now > 0) done += (int64_t)now;
  }
  return done;
}

int ssne_bytes_write(int fd, const void *bytes, int64_t size, int64_t place) {
  for (int64_t done = 0; done < size;) {
    errno = ENOSPC; /* for those who write nothing, and do not say why */
    const ssize_t now =
        pwrite(fd, (const char *)bytes + done, now_of(size - done), (off_t)(place + done));
    if (now <= 0 && errno != EINTR) return -1;
    if (now > 0) done += (int64_t)now;
  }
  return 0;
}

ssne_code ssne_read_at(int file, void *out, int64_t size, int64_t offset, ssne_error *err) {
  const int64_t got = ssne_bytes_read(file, out, size, offset);
  if (got == size) return SSNE_OK;
  if (got < 0) return ssne_fail(err, SSNE_FAILED, "%s", strerror(errno));
  return ssne_fail(err, SSNE_FAILED, "ends at byte %" PRId64 ", too early", offset + got);
}

ssne_code ssne_is_there(const char *path, bool *is, ssne_error *err) {
  struct stat about;
  *is = stat(path, &about) == 0;
  if (*is || errno == ENOENT || errno == ENOTDIR) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE, "%s: %s, so that whether it is there is not known", path,
                   strerror(errno));
}

ssne_code ssne_open_regular(const char *path, int *file, int64_t *size, int64_t *changed,
                            ssne_error *err) {
  struct stat about;
  /* O_NONBLOCK: a pipe of that name must not hold up the job */
  *file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (*file < 0) return ssne_fail(err, SSNE_USAGE, "%s: %s", path, strerror(errno));
  if (fstat(*file, &about) == 0 && S_ISREG(about.st_mode)) {
    if (size) *size = about.st_size;
    if (changed)
      *changed = (int64_t)about.st_mtim.tv_sec * 1000000000 + (int64_t)about.st_mtim.tv_nsec;
    return SSNE_OK;
  }
  close(*file);
  *file = -1;
  return ssne_fail(err, SSNE_USAGE, "%s: not a regular file", path);
}
