/* Files as bytes: whole transfers at a place, and opening what is a file indeed. */
#ifndef SHARDSNE_FILES_H
#define SHARDSNE_FILES_H

#include "shardsne/status.h"
#include <stdbool.h>
#include <stdint.h>

/* Bytes read from `place` of a file on: fewer than `size` at its end, -1 (and errno) after an
 * error. */
int64_t ssne_bytes_read(int fd, void *bytes, int64_t size, int64_t place);

/* Writes all of them; -1 (and errno) after an error. */
int ssne_bytes_write(int fd, const void *bytes, int64_t size, int64_t place);

/* Reads `size` bytes at `offset`, all of them. An error says what, not where. */
ssne_code ssne_read_at(int file, void *out, int64_t size, int64_t offset, ssne_error *err);

/* Whether there is anything at `path`, links followed. That this cannot be told, as in a folder
 * that may not be searched, is an error (SSNE_USAGE, with the path). */
ssne_code ssne_is_there(const char *path, bool *is, ssne_error *err);

/* Opens the regular file at `path` to be read, and says how long it is and when it was changed (in
 * nanoseconds; either may be NULL). SSNE_USAGE with the path in words where that cannot be; *file
 * is then -1. */
ssne_code ssne_open_regular(const char *path, int *file, int64_t *size, int64_t *changed,
                            ssne_error *err);

#endif
