/* Animated PNG (ISO/IEC 15948:2024): PNGs of one size and kind as the frames of one. */
#ifndef SSNE_RENDER_APNG_H
#define SSNE_RENDER_APNG_H

#include "shardsne/status.h"
#include <stdint.h>
#include <stdio.h>

typedef struct ssne_apng {
  FILE *file;
  int64_t frames; /* in all */
  int64_t written;
  uint32_t sequence;  /* number of the next chunk of the animation */
  uint8_t header[13]; /* of the first frame */
} ssne_apng;

/* Adds the whole PNG `bytes` [length] as the next of the frames, shown for `milliseconds`. */
ssne_code ssne_apng_add(ssne_apng *apng, const uint8_t *bytes, int64_t length, int milliseconds,
                        ssne_error *err);

/* After the last frame. */
void ssne_apng_end(ssne_apng *apng);

#endif
