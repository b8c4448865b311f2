#include "sheet.h"

#include "shardsne/memory.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#define BLOCK 16   /* pixels of a JPEG's unit with halved colours */
#define QUALITY 82 /* of 100 */

int ssne_sheet_cell(const ssne_small_image *images, int count) {
  int side = 0;
  for (int i = 0; i < count; i++) {
    if (images[i].width > side) side = images[i].width;
    if (images[i].height > side) side = images[i].height;
  }
  return (side + BLOCK - 1) / BLOCK * BLOCK;
}

/* Edges are repeated to the end of the block, which then has no edge to encode. */
static void place(const ssne_small_image *image, int cell, int64_t stride, uint8_t *out) {
  for (int y = 0; y < cell && image->width > 0; y++) {
    const int from = y < image->height ? y : image->height - 1;
    const uint8_t *in = image->rgb + (int64_t)from * image->width * 3;
    memcpy(out + y * stride, in, (size_t)image->width * 3);
    for (int x = image->width; x < cell; x++)
      memcpy(out + y * stride + (int64_t)x * 3, in + (int64_t)(image->width - 1) * 3, 3);
  }
}

typedef struct writer {
  struct jpeg_compress_struct jpeg;
  struct jpeg_error_mgr errors;
  char message[JMSG_LENGTH_MAX];
  jmp_buf failed;
  unsigned char *bytes;
  unsigned long size;
} writer;

static void on_error(j_common_ptr jpeg) {
  writer *w = jpeg->client_data;
  jpeg->err->format_message(jpeg, w->message);
  longjmp(w->failed, 1);
}

/* libjpeg's errors come back here. Nothing that is needed after one is a local of this function. */
static ssne_code encode(writer *w, uint8_t *rgb, int width, int height, ssne_error *err) {
  if (setjmp(w->failed))
    return ssne_fail(err, SSNE_FAILED, "thumbnails cannot be made a JPEG: %s", w->message);
  jpeg_create_compress(&w->jpeg);
  jpeg_mem_dest(&w->jpeg, &w->bytes, &w->size);
  w->jpeg.image_width = (JDIMENSION)width;
  w->jpeg.image_height = (JDIMENSION)height;
  w->jpeg.input_components = 3;
  w->jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&w->jpeg);
  jpeg_set_quality(&w->jpeg, QUALITY, TRUE);
  w->jpeg.optimize_coding = TRUE;
  jpeg_start_compress(&w->jpeg, TRUE);
  while (w->jpeg.next_scanline < w->jpeg.image_height) {
    uint8_t *row = rgb + (int64_t)w->jpeg.next_scanline * width * 3;
    jpeg_write_scanlines(&w->jpeg, &row, 1);
  }
  jpeg_finish_compress(&w->jpeg);
  return SSNE_OK;
}

ssne_code ssne_sheet_encode(const ssne_small_image *images, int count, int cell,
                            unsigned char **jpeg, size_t *size, ssne_error *err) {
  const int columns = count < SSNE_SHEET_ROW ? count : SSNE_SHEET_ROW;
  const int rows = (count + SSNE_SHEET_ROW - 1) / SSNE_SHEET_ROW;
  const int64_t stride = (int64_t)columns * cell * 3;
  uint8_t *rgb = NULL;
  writer w = {.message = ""};
  SSNE_TRY(ssne_alloc(&rgb, stride * rows * cell, 1, "bytes of thumbnails", err));
  memset(rgb, 0x80, (size_t)(stride * rows * cell));
  for (int i = 0; i < count; i++)
    place(&images[i], cell, stride,
          rgb + (int64_t)(i / SSNE_SHEET_ROW) * cell * stride +
              (int64_t)(i % SSNE_SHEET_ROW) * cell * 3);
  w.jpeg.err = jpeg_std_error(&w.errors);
  w.jpeg.client_data = &w;
  w.errors.error_exit = on_error;
  const ssne_code code = encode(&w, rgb, columns * cell, rows * cell, err);
  jpeg_destroy_compress(&w.jpeg);
  ssne_free(&rgb);
  if (code != SSNE_OK) free(w.bytes);
  *jpeg = code == SSNE_OK ? w.bytes : NULL;
  *size = code == SSNE_OK ? w.size : 0;
  return code;
}
