/* Decoders that give up: each step of decoding may find the file bad. */
#include "fault.h"

#include <stdio.h>

#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

static bool fails(const char *call) {
  return fault_strikes(FAULT_DECODE, call, NULL) != FAULT_NONE;
}

/* Does not return, as the handler of a JPEG error must not. */
static void give_up_jpeg(j_decompress_ptr jpeg) {
  jpeg->err->msg_code = JERR_EMPTY_IMAGE;
  jpeg->err->error_exit((j_common_ptr)jpeg);
}

static void give_up_png(png_const_structrp png) {
  void *address = dlsym(RTLD_DEFAULT, "png_error");
  void (*error)(png_const_structrp, png_const_charp) = NULL;
  __builtin_memcpy(&error, &address, sizeof error);
  error(png, "damaged on purpose");
}

int jpeg_read_header(j_decompress_ptr jpeg, boolean require_image) {
  FAULT_REAL(jpeg_read_header)
  if (fails("jpeg_read_header")) give_up_jpeg(jpeg);
  return real(jpeg, require_image);
}

boolean jpeg_start_decompress(j_decompress_ptr jpeg) {
  FAULT_REAL(jpeg_start_decompress)
  if (fails("jpeg_start_decompress")) give_up_jpeg(jpeg);
  return real(jpeg);
}

JDIMENSION jpeg_read_scanlines(j_decompress_ptr jpeg, JSAMPARRAY lines, JDIMENSION most) {
  FAULT_REAL(jpeg_read_scanlines)
  if (fails("jpeg_read_scanlines")) give_up_jpeg(jpeg);
  return real(jpeg, lines, most);
}

boolean jpeg_finish_decompress(j_decompress_ptr jpeg) {
  FAULT_REAL(jpeg_finish_decompress)
  if (fails("jpeg_finish_decompress")) give_up_jpeg(jpeg);
  return real(jpeg);
}

png_structp png_create_read_struct(png_const_charp version, png_voidp data, png_error_ptr error,
                                   png_error_ptr warning) {
  FAULT_REAL(png_create_read_struct)
  return fails("png_create_read_struct") ? NULL : real(version, data, error, warning);
}

void png_read_info(png_structrp png, png_inforp info) {
  FAULT_REAL(png_read_info)
  if (fails("png_read_info")) give_up_png(png);
  real(png, info);
}

void png_read_row(png_structrp png, png_bytep row, png_bytep display) {
  FAULT_REAL(png_read_row)
  if (fails("png_read_row")) give_up_png(png);
  real(png, row, display);
}

void png_read_end(png_structrp png, png_inforp info) {
  FAULT_REAL(png_read_end)
  if (fails("png_read_end")) give_up_png(png);
  real(png, info);
}
