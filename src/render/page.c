#include "shardsne/page.h"

#include "format.h"
#include "page_text.h"
#include "publish.h"
#include "shardsne/memory.h"
#include "shardsne/render.h"
#include "shardsne/text.h"
#include "sheet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Thumbnails' sides in pixels: of a thousand, of some thousands, of more. */
#define SIDES 3
static const struct {
  int64_t most;
  int side;
} sides[SIDES] = {{2000, 96}, {6000, 64}, {INT64_MAX, 48}};

bool ssne_page_is(const char *path) {
  return ssne_format_is(path, ".html") || ssne_format_is(path, ".htm");
}

/* --- text -------------------------------------------------------------------------------- */

/* `text` as valid UTF-8, to be freed with ssne_free. */
static ssne_code clean(const char *text, char **out, ssne_error *err) {
  const int64_t room = 4 * (int64_t)strlen(text) + 1;
  SSNE_TRY(ssne_alloc(out, room, 1, "characters", err));
  ssne_text_utf8(text, *out, (size_t)room);
  return SSNE_OK;
}

/* A string of JSON that may stand in a <script>: without < there is neither its end nor a comment.
 */
static ssne_code write_json(FILE *file, const char *text, ssne_error *err) {
  char *valid = NULL;
  SSNE_TRY(clean(text, &valid, err));
  fputc('"', file);
  for (const char *s = valid; *s; s++) {
    const unsigned char c = (unsigned char)*s;
    if (c < 0x20 || c == 0x7f || strchr("\"\\<>&'", c))
      fprintf(file, "\\u%04x", c);
    else
      fputc(c, file);
  }
  fputc('"', file);
  ssne_free(&valid);
  return SSNE_OK;
}

/* Text of an HTML element. */
static ssne_code write_html(FILE *file, const char *text, ssne_error *err) {
  char *valid = NULL;
  SSNE_TRY(clean(text, &valid, err));
  for (const char *s = valid; *s; s++) {
    const unsigned char c = (unsigned char)*s;
    if (strchr("<>&\"'", c))
      fprintf(file, "&#%d;", c);
    else
      fputc(c < 0x20 || c == 0x7f ? ' ' : c, file);
  }
  ssne_free(&valid);
  return SSNE_OK;
}

static void write_base64(FILE *file, const void *data, size_t size) {
  static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const uint8_t *bytes = data;
  for (size_t i = 0; i < size; i += 3) {
    const size_t left = size - i;
    const uint32_t three = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                           (left > 2 ? bytes[i + 2] : 0);
    const char text[4] = {digit[three >> 18], digit[three >> 12 & 63],
                          left > 1 ? digit[three >> 6 & 63] : '=',
                          left > 2 ? digit[three & 63] : '='};
    fwrite(text, 1, sizeof text, file);
  }
}

/* --- thumbnails -------------------------------------------------------------------------- */

typedef struct thumbnails {
  int64_t sheets;
  uint8_t *size;            /* [count, 2] width and height of each; 0: none */
  int *cell;                /* [sheets] */
  uint8_t *pixels;          /* room for one sheet's */
  ssne_small_image *images; /* [SSNE_SHEET_MOST] of one sheet */
} thumbnails;

static int side_of(const ssne_page *page) {
  int i = 0;
  while (page->count > sides[i].most) i++;
  return sides[i].side;
}

static ssne_code allocate(const ssne_page *page, thumbnails *t, ssne_error *err) {
  const int64_t room = page->images ? (int64_t)side_of(page) * side_of(page) * 3 : 0;
  t->sheets = page->images ? (page->count + SSNE_SHEET_MOST - 1) / SSNE_SHEET_MOST : 0;
  SSNE_TRY(ssne_alloc(&t->size, 2 * page->count, 1, "sizes of thumbnails", err));
  SSNE_TRY(ssne_alloc(&t->cell, t->sheets, sizeof *t->cell, "sizes of thumbnails", err));
  SSNE_TRY(ssne_alloc(&t->images, SSNE_SHEET_MOST, sizeof *t->images, "thumbnails", err));
  SSNE_TRY(ssne_alloc(&t->pixels, SSNE_SHEET_MOST * room, 1, "bytes of thumbnails", err));
  for (int i = 0; i < SSNE_SHEET_MOST; i++) t->images[i].rgb = t->pixels + i * room;
  return SSNE_OK;
}

static ssne_code write_sheet(const ssne_page *page, thumbnails *t, int64_t number, FILE *file,
                             ssne_error *err) {
  const int64_t first = number * SSNE_SHEET_MOST, left = page->count - first;
  const int count = left < SSNE_SHEET_MOST ? (int)left : SSNE_SHEET_MOST;
  unsigned char *jpeg = NULL;
  size_t size = 0;
  SSNE_TRY(page->images(page->context, first, count, side_of(page), false, t->images, err));
  for (int i = 0; i < count; i++) {
    t->size[2 * (first + i)] = (uint8_t)t->images[i].width;
    t->size[2 * (first + i) + 1] = (uint8_t)t->images[i].height;
  }
  t->cell[number] = ssne_sheet_cell(t->images, count);
  if (t->cell[number] == 0) return SSNE_OK;
  SSNE_TRY(ssne_sheet_encode(t->images, count, t->cell[number], &jpeg, &size, err));
  fprintf(file, "<script type=\"text/plain\" id=\"sheet-%" PRId64 "\">", number);
  write_base64(file, jpeg, size);
  fputs("</script>\n", file);
  free(jpeg);
  return SSNE_OK;
}

/* --- data -------------------------------------------------------------------------------- */

static ssne_code write_names(const char *const *names, int64_t count, FILE *file, ssne_error *err) {
  for (int64_t i = 0; i < count; i++) {
    if (i > 0) fputs(",\n", file);
    SSNE_TRY(write_json(file, names[i], err));
  }
  return SSNE_OK;
}

static ssne_code write_classes(const ssne_page *page, FILE *file, ssne_error *err) {
  fputs("\"classes\":[", file);
  for (int64_t c = 0; page->label && c < page->class_count; c++) {
    char number[32];
    snprintf(number, sizeof number, "class %" PRId64, c);
    fputs(c > 0 ? ",\n{\"name\":" : "{\"name\":", file);
    SSNE_TRY(write_json(file, page->classes ? page->classes[c] : number, err));
    fprintf(file, ",\"color\":\"#%06" PRIx32 "\"}", ssne_palette(c, page->class_count));
  }
  fprintf(file, "],\n\"unknown\":\"#%06" PRIx32 "\"",
          page->label ? SSNE_COLOR_UNKNOWN : ssne_palette(0, 1));
  return SSNE_OK;
}

/* Labels, -1 for unknown, and row numbers, which doubles hold up to 2^53. */
static ssne_code write_numbers(const ssne_page *page, FILE *file, ssne_error *err) {
  int32_t *label = NULL;
  double *row = NULL;
  ssne_code code = ssne_alloc(&label, page->count, sizeof *label, "labels", err);
  if (code == SSNE_OK) code = ssne_alloc(&row, page->count, sizeof *row, "row numbers", err);
  for (int64_t i = 0; i < page->count && code == SSNE_OK; i++) {
    const bool known = page->label && page->label[i] >= 0 && page->label[i] < page->class_count;
    label[i] = known ? page->label[i] : -1;
    row[i] = (double)page->row[i];
  }
  if (code == SSNE_OK) {
    const size_t count = (size_t)page->count;
    fputs(",\n\"xy\":\"", file);
    write_base64(file, page->xy, 2 * count * sizeof *page->xy);
    fputs("\",\n\"label\":\"", file);
    write_base64(file, label, count * sizeof *label);
    fputs("\",\n\"row\":\"", file);
    write_base64(file, row, count * sizeof *row);
    fputc('"', file);
  }
  ssne_free(&label);
  ssne_free(&row);
  return code;
}

static ssne_code write_data(const ssne_page *page, const thumbnails *t, FILE *file,
                            ssne_error *err) {
  fprintf(file,
          "<script type=\"application/json\" id=\"data\">{\"count\":%" PRId64
          ",\"perSheet\":%d,\"perRow\":%d,\n",
          page->count, SSNE_SHEET_MOST, SSNE_SHEET_ROW);
  SSNE_TRY(write_classes(page, file, err));
  SSNE_TRY(write_numbers(page, file, err));
  fputs(",\n\"size\":\"", file);
  write_base64(file, t->size, 2 * (size_t)page->count);
  fputs("\",\n\"cell\":[", file);
  for (int64_t s = 0; s < t->sheets; s++) fprintf(file, s > 0 ? ",%d" : "%d", t->cell[s]);
  fputs("],\n\"names\":", file);
  fputs(page->names ? "[" : "null", file);
  if (page->names) SSNE_TRY(write_names(page->names, page->count, file, err));
  fputs(page->names ? "]}</script>\n" : "}</script>\n", file);
  return SSNE_OK;
}

/* --- the page ---------------------------------------------------------------------------- */

static ssne_code write_filled(const ssne_page *page, const char *word, size_t length, FILE *file,
                              ssne_error *err) {
  if (strncmp(word, "title", length) == 0) return write_html(file, page->title, err);
  if (strncmp(word, "about", length) == 0) return write_html(file, page->about, err);
  if (strncmp(word, "style", length) == 0) fputs(page_css, file);
  if (strncmp(word, "script", length) == 0) fputs(page_js, file);
  if (strncmp(word, "data", length) != 0) return SSNE_OK;
  thumbnails t = {0};
  ssne_code code = allocate(page, &t, err);
  for (int64_t s = 0; s < t.sheets && code == SSNE_OK; s++)
    code = write_sheet(page, &t, s, file, err);
  if (code == SSNE_OK) code = write_data(page, &t, file, err);
  ssne_free(&t.size);
  ssne_free(&t.cell);
  ssne_free(&t.images);
  ssne_free(&t.pixels);
  return code;
}

/* The template, with what @word@ stands for in its place. */
static ssne_code write_page(void *context, FILE *file, ssne_error *err) {
  const ssne_page *page = context;
  for (const char *s = page_html; *s;) {
    const char *end = *s == '@' ? strchr(s + 1, '@') : NULL;
    if (!end) {
      fputc(*s++, file);
      continue;
    }
    SSNE_TRY(write_filled(page, s + 1, (size_t)(end - s - 1), file, err));
    s = end + 1;
  }
  return SSNE_OK;
}

ssne_code ssne_page_write(const ssne_page *page, ssne_error *err) {
  return ssne_publish_written(page->path, write_page, (void *)page, err);
}
