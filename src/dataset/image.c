#include "decode.h"

#include "shardsne/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIXELS_MAX ((int64_t)1 << 28)

/* --- memory that is used again ----------------------------------------------------------- */

ssne_code ssne_buffer_reserve(ssne_buffer *buffer, int64_t size, const char *what,
                              ssne_error *err) {
  if (size >= 0 && (uint64_t)size <= buffer->capacity && buffer->bytes) return SSNE_OK;
  ssne_buffer_free(buffer);
  SSNE_TRY(ssne_alloc(&buffer->bytes, size, 1, what, err));
  buffer->capacity = (size_t)size;
  return SSNE_OK;
}

void ssne_buffer_free(ssne_buffer *buffer) {
  ssne_free(&buffer->bytes);
  buffer->capacity = 0;
}

ssne_code ssne_image_reserve(ssne_image *image, int64_t width, int64_t height, ssne_error *err) {
  if (width > PIXELS_MAX || height > PIXELS_MAX / width)
    return ssne_fail(err, SSNE_USAGE,
                     "%" PRId64 " x %" PRId64 " pixels, more than 2^28; make the image smaller",
                     width, height);
  ssne_buffer pixels = {image->rgb, image->capacity};
  const ssne_code code = ssne_buffer_reserve(&pixels, width * height * 3, "bytes of pixels", err);
  *image = (ssne_image){.rgb = pixels.bytes, .capacity = pixels.capacity};
  if (code) return code;
  image->width = (int)width;
  image->height = (int)height;
  return SSNE_OK;
}

void ssne_image_gray(ssne_image *image) {
  const size_t pixels = (size_t)image->width * (size_t)image->height;
  uint8_t *rgb = image->rgb;
  for (size_t p = 0; p < pixels; p++, rgb += 3) {
    const uint32_t luma = (rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U) >> 16;
    rgb[0] = rgb[1] = rgb[2] = (uint8_t)luma;
  }
}

void ssne_image_free(ssne_image *image) {
  ssne_free(&image->rgb);
  *image = (ssne_image){0};
}

/* --- decoding ---------------------------------------------------------------------------- */

static bool begins_with(const uint8_t *bytes, size_t size, const char *magic, size_t length) {
  return size >= length && memcmp(bytes, magic, length) == 0;
}

static ssne_code refuse(const uint8_t *bytes, size_t size, ssne_error *err) {
  static const struct {
    const char *magic;
    size_t length;
    const char *name;
  } known[] = {{"BM", 2, "BMP"},     {"GIF8", 4, "GIF"},   {"RIFF", 4, "RIFF"},
               {"II*\0", 4, "TIFF"}, {"MM\0*", 4, "TIFF"}, {"P1", 2, "PBM"},
               {"P2", 2, "PGM"},     {"P3", 2, "PPM"},     {"P4", 2, "PBM"},
               {"P5", 2, "PGM"},     {"P6", 2, "PPM"},     {"<", 1, "web page or XML"}};
  if (size == 0) return ssne_fail(err, SSNE_USAGE, "empty file; JPEG, PNG and WebP are read");
  for (size_t k = 0; k < sizeof known / sizeof *known; k++)
    if (begins_with(bytes, size, known[k].magic, known[k].length))
      return ssne_fail(err, SSNE_USAGE, "a %s file; JPEG, PNG and WebP are read", known[k].name);
  return ssne_fail(err, SSNE_USAGE, "neither JPEG, PNG nor WebP by its first bytes");
}

ssne_code ssne_image_decode(const uint8_t *bytes, size_t size, ssne_image *image, ssne_error *err) {
  if (begins_with(bytes, size, "\xff\xd8\xff", 3)) return ssne_jpeg_decode(bytes, size, image, err);
  if (begins_with(bytes, size, "\x89PNG\r\n\x1a\n", 8))
    return ssne_png_decode(bytes, size, image, err);
  if (size >= 12 && begins_with(bytes, size, "RIFF", 4) && memcmp(bytes + 8, "WEBP", 4) == 0)
    return ssne_webp_decode(bytes, size, image, err);
  return refuse(bytes, size, err);
}

/* --- reading ----------------------------------------------------------------------------- */

/* What the system lacks at the moment is no fault of the image. */
static ssne_code code_of(int error) {
  switch (error) {
  case EIO:
  case EMFILE:
  case ENFILE:
  case ENOMEM:
  case ESTALE:
    return SSNE_FAILED;
  default:
    return SSNE_USAGE;
  }
}

static ssne_code read_bytes(int file, ssne_buffer *buffer, size_t *size, ssne_error *err) {
  struct stat about;
  if (fstat(file, &about)) return ssne_fail(err, code_of(errno), "%s", strerror(errno));
  if (!S_ISREG(about.st_mode)) return ssne_fail(err, SSNE_USAGE, "not a regular file");
  SSNE_TRY(ssne_buffer_reserve(buffer, about.st_size, "bytes of an image file", err));
  *size = 0;
  while (*size < (size_t)about.st_size) {
    const ssize_t got = read(file, buffer->bytes + *size, (size_t)about.st_size - *size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ssne_fail(err, code_of(errno), "%s", strerror(errno));
    if (got == 0) break; /* it shrank; the decoder will say whether that matters */
    *size += (size_t)got;
  }
  return SSNE_OK;
}

ssne_code ssne_image_read(const char *path, ssne_buffer *buffer, ssne_image *image,
                          ssne_error *err) {
  /* O_NONBLOCK: a pipe with an image's name must not hold up the job */
  const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return ssne_fail(err, code_of(errno), "%s", strerror(errno));
  size_t size = 0;
  ssne_code code = read_bytes(file, buffer, &size, err);
  close(file);
  if (!code) code = ssne_image_decode(buffer->bytes, size, image, err);
  return code;
}
