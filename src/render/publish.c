#include "publish.h"

#include "shardsne/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssne_code write_all(int file, const uint8_t *bytes, int64_t length, const char *path,
                           ssne_error *err) {
  while (length > 0) {
    const ssize_t written = write(file, bytes, (size_t)length);
    if (written < 0 && errno != EINTR)
      return ssne_fail(err, SSNE_FAILED, "cannot write %s: %s", path, strerror(errno));
    if (written > 0) {
      bytes += written;
      length -= written;
    }
  }
  if (fsync(file) == 0) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED, "cannot write %s: %s", path, strerror(errno));
}

ssne_code ssne_publish(const char *path, const uint8_t *bytes, int64_t length, ssne_error *err) {
  char *partial = NULL;
  const int64_t size = (int64_t)strlen(path) + 32;
  SSNE_TRY(ssne_alloc(&partial, size, 1, "characters", err));
  snprintf(partial, (size_t)size, "%s.%ld.partial", path, (long)getpid());
  const int file = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  ssne_code code = SSNE_OK;
  if (file < 0) {
    code = ssne_fail(err, SSNE_FAILED, "cannot write %s: %s", path, strerror(errno));
    goto done;
  }
  code = write_all(file, bytes, length, path, err);
  if (close(file) != 0 && code == SSNE_OK)
    code = ssne_fail(err, SSNE_FAILED, "cannot write %s: %s", path, strerror(errno));
  if (code == SSNE_OK && rename(partial, path) != 0)
    code = ssne_fail(err, SSNE_FAILED, "cannot replace %s: %s", path, strerror(errno));
  if (code != SSNE_OK) (void)unlink(partial); /* the failure before it is the one to tell */
done:
  ssne_free(&partial);
  return code;
}

ssne_code ssne_publish_written(const char *path, ssne_publish_writer *write, void *context,
                               ssne_error *err) {
  char *bytes = NULL;
  size_t size = 0;
  FILE *file = open_memstream(&bytes, &size);
  if (!file) return ssne_fail(err, SSNE_FAILED, "out of memory for %s", path);
  ssne_code code = write(context, file, err);
  const bool failed = ferror(file) != 0;
  if ((fclose(file) != 0 || failed) && code == SSNE_OK)
    code = ssne_fail(err, SSNE_FAILED, "out of memory for %s", path);
  if (code == SSNE_OK) code = ssne_publish(path, (const uint8_t *)bytes, (int64_t)size, err);
  free(bytes);
  return code;
}
