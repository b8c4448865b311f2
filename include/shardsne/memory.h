/* Memory: allocation that checks its own arithmetic and says what it was for. */
#ifndef SHARDSNE_MEMORY_H
#define SHARDSNE_MEMORY_H

#include "shardsne/status.h"
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every array begins at a multiple of this many bytes: a cache line, and the widest vector. */
#define SSNE_ALIGNMENT 64

/* Allocates `count` zeroed elements of `size` bytes, aligned to SSNE_ALIGNMENT, and stores the
 * array's address in *(void **)out; a count of 0 gives a valid address as well. Fails (with `what`,
 * a plural such as "neighbour indices", in the message) where count * size overflows or the system
 * has no more; *out is then NULL. The caller frees it with ssne_free. */
ssne_code ssne_alloc(void *out, int64_t count, size_t size, const char *what, ssne_error *err);

/* The same, in pages of 2 MiB where the system gives them to those that ask: for large arrays that
 * are read from one end to the other again and again. Others only take longer to allocate. */
ssne_code ssne_alloc_in_large_pages(void *out, int64_t count, size_t size, const char *what,
                                    ssne_error *err);

/* Makes room for `count` elements in the array whose address is in *(void **)array, which has room
 * for *capacity: where that is less, or there is no array yet, it is freed and allocated anew,
 * zeroed. A failure leaves none and a capacity of 0. */
ssne_code ssne_enlarge(void *array, int64_t count, size_t size, const char *what, int64_t *capacity,
                       ssne_error *err);

/* Gives back what lies beyond the first `count` elements of `size` bytes of the array whose address
 * is in *(void **)array; the array may move. Fails as ssne_alloc does, which takes a system that
 * moves it to a place not aligned and then has no room for a copy; the array is then freed. */
ssne_code ssne_shrink(void *array, int64_t count, size_t size, const char *what, ssne_error *err);

/* Frees the array whose address is in *(void **)array, if any, and sets that to NULL. */
void ssne_free(void *array);

/* A copy of `text`, to be freed with ssne_free, in *out. */
ssne_code ssne_copy_text(char **out, const char *text, ssne_error *err);

#ifdef __cplusplus
}
#endif

#endif
