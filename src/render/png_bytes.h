/* PNG (ISO/IEC 15948) as bytes: a signature, then chunks of length, type, data, checksum. */
#ifndef SSNE_RENDER_PNG_BYTES_H
#define SSNE_RENDER_PNG_BYTES_H

#include <stdint.h>

/* Bytes of the signature, of a chunk without its data, and of the data of IHDR, the first chunk. */
enum { PNG_SIGNATURE = 8, PNG_FRAME = 12, PNG_HEADER = 13 };

static inline uint32_t ssne_get_be32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void ssne_put_be32(uint8_t *p, uint32_t value) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> (24 - 8 * i));
}

#endif
