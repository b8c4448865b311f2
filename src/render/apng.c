#include "apng.h"
#include "png_bytes.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>

/* A chunk of `head` (of the animation) and `data`, either of which may be empty. */
static void write_chunk(FILE *file, const char *type, const uint8_t *head, uint32_t head_length,
                        const uint8_t *data, uint32_t length) {
  uint8_t number[4];
  uLong sum = crc32(0, (const Bytef *)type, 4);
  if (head_length > 0) sum = crc32(sum, head, head_length);
  if (length > 0) sum = crc32(sum, data, length);
  ssne_put_be32(number, head_length + length);
  fwrite(number, 1, 4, file);
  fwrite(type, 1, 4, file);
  if (head_length > 0) fwrite(head, 1, head_length, file);
  if (length > 0) fwrite(data, 1, length, file);
  ssne_put_be32(number, (uint32_t)sum);
  fwrite(number, 1, 4, file);
}

static void begin(ssne_apng *apng, const uint8_t *png) {
  uint8_t control[8];
  memcpy(apng->header, png + PNG_SIGNATURE + 8, PNG_HEADER);
  fwrite(png, 1, PNG_SIGNATURE, apng->file);
  write_chunk(apng->file, "IHDR", apng->header, PNG_HEADER, NULL, 0);
  ssne_put_be32(control, (uint32_t)apng->frames);
  ssne_put_be32(control + 4, 0); /* again and again */
  write_chunk(apng->file, "acTL", control, sizeof control, NULL, 0);
}

static void write_control(ssne_apng *apng, int milliseconds) {
  uint8_t control[26] = {0}; /* at 0, 0; replaces all */
  ssne_put_be32(control, apng->sequence++);
  memcpy(control + 4, apng->header, 8); /* width and height */
  control[20] = (uint8_t)(milliseconds >> 8);
  control[21] = (uint8_t)milliseconds;
  control[22] = 1000 >> 8;
  control[23] = 1000 & 0xff;
  write_chunk(apng->file, "fcTL", control, sizeof control, NULL, 0);
}

static void write_data(ssne_apng *apng, const uint8_t *data, uint32_t length) {
  uint8_t number[4];
  if (apng->written == 0) { /* the first is what programs show that know no animation */
    write_chunk(apng->file, "IDAT", NULL, 0, data, length);
    return;
  }
  ssne_put_be32(number, apng->sequence++);
  write_chunk(apng->file, "fdAT", number, sizeof number, data, length);
}

ssne_code ssne_apng_add(ssne_apng *apng, const uint8_t *bytes, int64_t length, int milliseconds,
                        ssne_error *err) {
  const bool headed = length > PNG_SIGNATURE + PNG_FRAME + PNG_HEADER &&
                      memcmp(bytes + PNG_SIGNATURE, "\0\0\0\rIHDR", 8) == 0;
  if (headed && apng->written == 0) begin(apng, bytes);
  if (!headed || memcmp(bytes + PNG_SIGNATURE + 8, apng->header, PNG_HEADER) != 0)
    return ssne_fail(err, SSNE_FAILED, "gnuplot drew frames of different kinds");
  write_control(apng, milliseconds);
  for (int64_t at = PNG_SIGNATURE; at + PNG_FRAME <= length;) {
    const int64_t size = ssne_get_be32(bytes + at);
    if (at + PNG_FRAME + size > length) break;
    if (memcmp(bytes + at + 4, "IDAT", 4) == 0) write_data(apng, bytes + at + 8, (uint32_t)size);
    at += PNG_FRAME + size;
  }
  apng->written++;
  return SSNE_OK;
}

void ssne_apng_end(ssne_apng *apng) {
  write_chunk(apng->file, "IEND", NULL, 0, NULL, 0);
}
