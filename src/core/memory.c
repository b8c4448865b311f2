#include "shardsne/memory.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE_PAGE ((size_t)2 << 20)

/* Whether it is heeded makes no difference but for time. */
static void ask_for_large_pages(void *array, size_t bytes) {
#ifdef MADV_HUGEPAGE
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), skipped = -(uintptr_t)array % page;
  if (bytes >= LARGE_PAGE) (void)madvise((char *)array + skipped, bytes - skipped, MADV_HUGEPAGE);
#else
  (void)array;
  (void)bytes;
#endif
}

/* aligned_alloc wants a multiple of the alignment, and an empty array an address. */
static size_t padded(size_t bytes) {
  return (bytes / SSNE_ALIGNMENT + 1) * SSNE_ALIGNMENT;
}

static ssne_code allocate(void *out, int64_t count, size_t size, bool in_large_pages,
                          const char *what, ssne_error *err) {
  void *array = NULL;
  memcpy(out, &array, sizeof array);
  size_t bytes = 0;
  if (count < 0 || __builtin_mul_overflow((size_t)count, size, &bytes) ||
      bytes > SIZE_MAX - SSNE_ALIGNMENT)
    return ssne_fail(err, SSNE_FAILED, "%" PRId64 " %s of %zu bytes: more than can be addressed",
                     count, what, size);
  bytes = padded(bytes);
  array = aligned_alloc(SSNE_ALIGNMENT, bytes);
  if (!array)
    return ssne_fail(err, SSNE_FAILED,
                     "out of memory: %.1f MiB for %" PRId64
                     " %s were refused; use more nodes or fewer ranks a node",
                     (double)bytes / 1048576.0, count, what);
  if (in_large_pages) ask_for_large_pages(array, bytes);
  memset(array, 0, bytes);
  memcpy(out, &array, sizeof array);
  return SSNE_OK; /* cppcheck-suppress memleak; *out has it */
}

ssne_code ssne_alloc(void *out, int64_t count, size_t size, const char *what, ssne_error *err) {
  return allocate(out, count, size, false, what, err);
}

ssne_code ssne_alloc_in_large_pages(void *out, int64_t count, size_t size, const char *what,
                                    ssne_error *err) {
  return allocate(out, count, size, true, what, err);
}

ssne_code ssne_enlarge(void *array, int64_t count, size_t size, const char *what, int64_t *capacity,
                       ssne_error *err) {
  void *now;
  memcpy(&now, array, sizeof now);
  if (now && count <= *capacity) return SSNE_OK;
  *capacity = 0;
  ssne_free(array);
  SSNE_TRY(ssne_alloc(array, count, size, what, err));
  *capacity = count;
  return SSNE_OK;
}

ssne_code ssne_shrink(void *array, int64_t count, size_t size, const char *what, ssne_error *err) {
  const size_t bytes = (size_t)count * size;
  void *address = NULL, *copy = NULL;
  memcpy(&address, array, sizeof address);
  void *left = realloc(address, padded(bytes));
  if (!left) return SSNE_OK; /* the array is as it was */
  memcpy(array, &left, sizeof left);
  /* cppcheck-suppress memleak ; *array has it */
  if ((uintptr_t)left % SSNE_ALIGNMENT == 0) return SSNE_OK;
  const ssne_code code = ssne_alloc(&copy, count, size, what, err);
  if (code == SSNE_OK) memcpy(copy, left, bytes);
  free(left);
  memcpy(array, &copy, sizeof copy);
  return code; /* cppcheck-suppress memleak; *array has it */
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
