/* A file that appears whole or not at all. */
#ifndef SSNE_RENDER_PUBLISH_H
#define SSNE_RENDER_PUBLISH_H

#include "shardsne/status.h"
#include <stdint.h>

/* Writes `bytes` [length] to the file at `path` in one step: whoever looks sees the earlier one or
 * this one. On failure the earlier one stays, and nothing else is left. */
ssne_code ssne_publish(const char *path, const uint8_t *bytes, int64_t length, ssne_error *err);

#endif
