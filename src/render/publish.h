/* A file that appears whole or not at all. */
#ifndef SSNE_RENDER_PUBLISH_H
#define SSNE_RENDER_PUBLISH_H

#include "shardsne/status.h"
#include <stdint.h>
#include <stdio.h>

/* Writes `bytes` [length] to the file at `path` in one step: whoever looks sees the earlier one or
 * this one. On failure the earlier one stays, and nothing else is left. */
ssne_code ssne_publish(const char *path, const uint8_t *bytes, int64_t length, ssne_error *err);

/* The same with what `write` writes to a file in memory. */
typedef ssne_code ssne_publish_writer(void *context, FILE *file, ssne_error *err);
ssne_code ssne_publish_written(const char *path, ssne_publish_writer *write, void *context,
                               ssne_error *err);

#endif
