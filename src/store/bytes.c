#include "store_private.h"

#include <errno.h>
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
