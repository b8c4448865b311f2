#include "shardsne/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static void write_text(XXH128_hash_t hash, char text[SSNE_DIGEST_LENGTH]) {
  snprintf(text, SSNE_DIGEST_LENGTH, "%016" PRIx64 "%016" PRIx64, (uint64_t)hash.high64,
           (uint64_t)hash.low64);
}

uint64_t ssne_digest64(const void *bytes, size_t size) {
  return XXH3_64bits(bytes, size);
}

void ssne_digest_text(const void *bytes, size_t size, char text[SSNE_DIGEST_LENGTH]) {
  write_text(XXH3_128bits(bytes, size), text);
}

static ssne_code digest_stream(FILE *file, const char *path, XXH3_state_t *state,
                               char text[SSNE_DIGEST_LENGTH], ssne_error *err) {
  char piece[65536];
  size_t got = 0;
  XXH3_128bits_reset(state);
  while ((got = fread(piece, 1, sizeof piece, file)) > 0) XXH3_128bits_update(state, piece, got);
  if (ferror(file))
    return ssne_fail(err, SSNE_FAILED, "%s: reading failed: %s", path, strerror(errno));
  write_text(XXH3_128bits_digest(state), text);
  return SSNE_OK;
}

/* A stream of a regular file; a pipe would hold the job up, a device may have no end. */
static ssne_code open_file(const char *path, FILE **out, ssne_error *err) {
  struct stat about = {.st_mode = 0};
  const int handle = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (handle >= 0 && fstat(handle, &about) == 0 && S_ISREG(about.st_mode))
    *out = fdopen(handle, "rb");
  if (*out) return SSNE_OK;
  const int reason = errno;
  if (handle >= 0) close(handle);
  if (about.st_mode && !S_ISREG(about.st_mode))
    return ssne_fail(err, SSNE_USAGE, "%s: not a regular file", path);
  return ssne_fail(err, SSNE_USAGE, "%s: cannot be opened: %s", path, strerror(reason));
}

ssne_code ssne_digest_file(const char *path, char text[SSNE_DIGEST_LENGTH], ssne_error *err) {
  FILE *file = NULL;
  SSNE_TRY(open_file(path, &file, err));
  ssne_code code = SSNE_OK;
  XXH3_state_t *state = XXH3_createState();
  if (!state)
    code = ssne_fail(err, SSNE_FAILED, "out of memory while reading %s", path);
  else
    code = digest_stream(file, path, state, text, err);
  XXH3_freeState(state);
  fclose(file);
  return code;
}
