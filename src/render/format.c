#include "format.h"
#include "png_bytes.h"

#include "shardsne/memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* svg's markers grow with the terminal's font, which the script sets to 12; the cairo terminals
 * take a font's size for points of a screen with 96 dots an inch. */
static const ssne_format formats[] = {{".png", "pngcairo", 0, 3, 96.0 / 72},
                                      {".svg", "svg", 96, 4.5, 1},
                                      {".pdf", "pdfcairo", 72, 3, 96.0 / 72}};

bool ssne_format_is(const char *path, const char *extension) {
  const char *dot = strrchr(path, '.');
  return dot && strcasecmp(dot, extension) == 0;
}

ssne_code ssne_format_choose(const char *path, const ssne_format **out, ssne_error *err) {
  for (size_t i = 0; i < COUNT(formats); i++) {
    *out = &formats[i];
    if (ssne_format_is(path, formats[i].extension)) return SSNE_OK;
  }
  return ssne_fail(err, SSNE_USAGE, "%s: a picture's name ends in .png, .svg or .pdf", path);
}

/* --- PNG --- */

enum { PNG_HEADER_END = PNG_SIGNATURE + PNG_FRAME + PNG_HEADER, PNG_DENSITY = PNG_FRAME + 9 };

static bool is_whole_png(const uint8_t *bytes, int64_t length) {
  if (length < PNG_HEADER_END || memcmp(bytes, "\x89PNG\r\n\x1a\n", PNG_SIGNATURE) != 0 ||
      memcmp(bytes + PNG_SIGNATURE, "\0\0\0\rIHDR", 8) != 0)
    return false;
  int64_t at = PNG_SIGNATURE;
  while (at + PNG_FRAME <= length) {
    const uint8_t *type = bytes + at + 4;
    at += PNG_FRAME + (int64_t)ssne_get_be32(bytes + at);
    if (memcmp(type, "IEND", 4) == 0) return at == length;
  }
  return false;
}

static void write_density(uint8_t *chunk, int dpi) {
  const uint32_t per_metre = (uint32_t)lround(dpi / 0.0254);
  static const uint8_t type[4] = {'p', 'H', 'Y', 's'};
  ssne_put_be32(chunk, 9);
  memcpy(chunk + 4, type, sizeof type);
  ssne_put_be32(chunk + 8, per_metre);
  ssne_put_be32(chunk + 12, per_metre);
  chunk[16] = 1; /* the unit is the metre */
  ssne_put_be32(chunk + 17, (uint32_t)crc32(0, chunk + 4, 13));
}

/* Copies the chunks, the new density after the header and none of another. */
static ssne_code set_density(int dpi, uint8_t **bytes, int64_t *length, ssne_error *err) {
  uint8_t *out = NULL;
  SSNE_TRY(ssne_alloc(&out, *length + PNG_DENSITY, 1, "bytes of the picture", err));
  memcpy(out, *bytes, PNG_HEADER_END);
  write_density(out + PNG_HEADER_END, dpi);
  int64_t used = PNG_HEADER_END + PNG_DENSITY;
  for (int64_t at = PNG_HEADER_END, size; at < *length; at += size) {
    size = PNG_FRAME + (int64_t)ssne_get_be32(*bytes + at);
    if (memcmp(*bytes + at + 4, "pHYs", 4) == 0) continue;
    memcpy(out + used, *bytes + at, (size_t)size);
    used += size;
  }
  ssne_free(bytes);
  *bytes = out;
  *length = used;
  return SSNE_OK;
}

/* --- PDF and SVG: text at both ends --- */

static bool begins(const uint8_t *bytes, int64_t length, const char *text) {
  const size_t size = strlen(text);
  return length >= (int64_t)size && memcmp(bytes, text, size) == 0;
}

/* But for the white space after it. */
static bool ends(const uint8_t *bytes, int64_t length, const char *text) {
  while (length > 0 && strchr("\r\n ", bytes[length - 1])) length--;
  const int64_t size = (int64_t)strlen(text);
  return length >= size && memcmp(bytes + length - size, text, (size_t)size) == 0;
}

/* Cairo writes the time of drawing as /CreationDate (D:20261123204324Z). Newer releases pack it
 * away in a compressed object, where it stays. */
static void clear_date(uint8_t *bytes, int64_t length) {
  static const char key[] = "/CreationDate (D:", none[] = "20000101000000";
  uint8_t *found = memmem(bytes, (size_t)length, key, sizeof key - 1);
  if (!found) return;
  uint8_t *date = found + sizeof key - 1;
  if (bytes + length - date > (int64_t)sizeof none) memcpy(date, none, sizeof none - 1);
}

ssne_code ssne_svg_add_halo(uint32_t background, uint8_t **bytes, int64_t *length,
                            ssne_error *err) {
  static const char before[] = "<g id=\"gnuplot_canvas\">";
  char style[160];
  const int added = snprintf(style, sizeof style,
                             "<style>text { paint-order: stroke; stroke: #%06" PRIx32
                             "; stroke-width: 0.25em; stroke-linejoin: round }</style>\n",
                             background);
  uint8_t *out = NULL, *found = memmem(*bytes, (size_t)*length, before, sizeof before - 1);
  if (!found) return SSNE_OK; /* another release: text without a halo */
  const size_t first = (size_t)(found - *bytes), rest = (size_t)*length - first;
  SSNE_TRY(ssne_alloc(&out, *length + added, 1, "bytes of the picture", err));
  memcpy(out, *bytes, first);
  memcpy(out + first, style, (size_t)added);
  memcpy(out + first + added, found, rest);
  ssne_free(bytes);
  *bytes = out;
  *length += added;
  return SSNE_OK;
}

ssne_code ssne_format_finish(const ssne_format *format, int dpi, uint8_t **bytes, int64_t *length,
                             ssne_error *err) {
  const bool png = strcmp(format->extension, ".png") == 0;
  const bool svg = strcmp(format->extension, ".svg") == 0;
  const bool whole = png   ? is_whole_png(*bytes, *length)
                     : svg ? begins(*bytes, *length, "<?xml") && ends(*bytes, *length, "</svg>")
                           : begins(*bytes, *length, "%PDF-") && ends(*bytes, *length, "%%EOF");
  if (!whole)
    return ssne_fail(err, SSNE_FAILED,
                     "gnuplot ended without complaint, but the %s it wrote is not whole: "
                     "is there room in TMPDIR (or /tmp)?",
                     format->extension + 1);
  if (png) return set_density(dpi, bytes, length, err);
  if (!svg) clear_date(*bytes, *length);
  return SSNE_OK;
}
