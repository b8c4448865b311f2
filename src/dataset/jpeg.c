#include "decode.h"

#include <setjmp.h>
#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>

/* Each scan of a progressive file passes over the whole picture, and a short file may claim any
 * number of them. Encoders write about ten. */
#define MOST_SCANS 500

typedef struct reader {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  char message[JMSG_LENGTH_MAX]; /* of what ended the decoding */
  jmp_buf failed;
} reader;

/* --- libjpeg's errors -------------------------------------------------------------------- */

static void on_error(j_common_ptr jpeg) {
  reader *r = jpeg->client_data;
  jpeg->err->format_message(jpeg, r->message);
  longjmp(r->failed, 1);
}

/* Pillow too lets damaged data pass, with what libjpeg makes of it, but no file that ends early. */
static void on_message(j_common_ptr jpeg, int level) {
  reader *r = jpeg->client_data;
  if (level >= 0 || jpeg->err->msg_code != JWRN_JPEG_EOF) return;
  snprintf(r->message, sizeof r->message, "truncated");
  longjmp(r->failed, 1);
}

static void on_progress(j_common_ptr jpeg) {
  reader *r = jpeg->client_data;
  if (r->jpeg.input_scan_number <= MOST_SCANS) return;
  snprintf(r->message, sizeof r->message, "more than %d scans", MOST_SCANS);
  longjmp(r->failed, 1);
}

/* --- pixels ------------------------------------------------------------------------------ */

static int scaled(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8; /* a * b / 255, rounded */
}

/* Files hold CMYK inverted, as Adobe's programs write it; Pillow takes all of them to. */
static void rgb_from_cmyk(const uint8_t *cmyk, int width, uint8_t *rgb) {
  for (int x = 0; x < width; x++, cmyk += 4, rgb += 3) {
    const int white = cmyk[3]; /* 255 - K */
    for (int c = 0; c < 3; c++) {
      const int value = white - scaled(255 - cmyk[c], white);
      rgb[c] = (uint8_t)(value < 0 ? 0 : value);
    }
  }
}

static void read_rows(reader *r, ssne_image *image) {
  struct jpeg_decompress_struct *jpeg = &r->jpeg;
  const size_t stride = (size_t)image->width * 3;
  JSAMPARRAY cmyk = NULL;
  if (jpeg->out_color_space == JCS_CMYK)
    cmyk = jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, jpeg->output_width * 4, 1);
  while (jpeg->output_scanline < jpeg->output_height) {
    uint8_t *row = image->rgb + jpeg->output_scanline * stride;
    jpeg_read_scanlines(jpeg, cmyk ? cmyk : &row, 1); /* one, or it does not return */
    if (cmyk) rgb_from_cmyk(cmyk[0], image->width, row);
  }
}

/* libjpeg's errors come back here. Nothing that is needed after one is a local of this function. */
static ssne_code decode(reader *r, const uint8_t *bytes, size_t size, ssne_image *image,
                        ssne_error *err) {
  if (setjmp(r->failed)) return ssne_fail(err, SSNE_USAGE, "JPEG: %s", r->message);
  jpeg_create_decompress(&r->jpeg);
  r->progress.progress_monitor = on_progress;
  r->jpeg.progress = &r->progress;
  jpeg_mem_src(&r->jpeg, bytes, size);
  jpeg_read_header(&r->jpeg, TRUE);
  const int channels = r->jpeg.num_components;
  if (channels != 1 && channels != 3 && channels != 4)
    return ssne_fail(err, SSNE_USAGE, "JPEG of %d channels; those of 1, 3 and 4 are read",
                     channels);
  SSNE_TRY(ssne_image_reserve(image, r->jpeg.image_width, r->jpeg.image_height, err));
  r->jpeg.out_color_space = channels == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&r->jpeg);
  read_rows(r, image);
  jpeg_finish_decompress(&r->jpeg); /* reads on to the end marker */
  return SSNE_OK;
}

ssne_code ssne_jpeg_decode(const uint8_t *bytes, size_t size, ssne_image *image, ssne_error *err) {
  reader r = {.message = ""};
  r.jpeg.err = jpeg_std_error(&r.errors);
  r.jpeg.client_data = &r;
  r.errors.error_exit = on_error;
  r.errors.emit_message = on_message;
  const ssne_code code = decode(&r, bytes, size, image, err);
  jpeg_destroy_decompress(&r.jpeg);
  return code;
}
