#include "shardsne/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

ssne_code ssne_alloc(void *out, int64_t count, size_t size, const char *what, ssne_error *err) {
  void *array = NULL;
  memcpy(out, &array, sizeof array);
  size_t bytes = 0;
  if (count < 0 || __builtin_mul_overflow((size_t)count, size, &bytes) ||
      bytes > SIZE_MAX - SSNE_ALIGNMENT)
    return ssne_fail(err, SSNE_FAILED, "%" PRId64 " %s of %zu bytes: more than can be addressed",
                     count, what, size);
  /* aligned_alloc wants a multiple of the alignment, and an empty array an address */
  bytes = (bytes / SSNE_ALIGNMENT + 1) * SSNE_ALIGNMENT;
  array = aligned_alloc(SSNE_ALIGNMENT, bytes);
  if (!array)
    return ssne_fail(err, SSNE_FAILED,
                     "out of memory: %.1f MiB for %" PRId64
                     " %s were refused; use more nodes or fewer ranks a node",
                     (double)bytes / 1048576.0, count, what);
  memset(array, 0, bytes);
  memcpy(out, &array, sizeof array);
  return SSNE_OK; /* cppcheck-suppress memleak; *out has it */
}

void ssne_free(void *array) {
  void *address = NULL;
  memcpy(&address, array, sizeof address);
  free(address);
  address = NULL;
  memcpy(array, &address, sizeof address);
}

ssne_code ssne_copy_text(char **out, const char *text, ssne_error *err) {
  const size_t length = strlen(text);
  SSNE_TRY(ssne_alloc(out, (int64_t)length + 1, 1, "characters", err));
  memcpy(*out, text, length);
  return SSNE_OK;
}
