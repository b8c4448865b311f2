#include "decode.h"

#include <webp/decode.h>

static const char *reason_of(VP8StatusCode status) {
  switch (status) {
  case VP8_STATUS_NOT_ENOUGH_DATA:
  case VP8_STATUS_SUSPENDED:
    return "truncated";
  case VP8_STATUS_UNSUPPORTED_FEATURE:
    return "a feature that is not supported";
  default:
    return "damaged";
  }
}

ssne_code ssne_webp_decode(const uint8_t *bytes, size_t size, ssne_image *image, ssne_error *err) {
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config))
    return ssne_fail(err, SSNE_FAILED, "libwebp is not of the version it was built with");
  VP8StatusCode status = WebPGetFeatures(bytes, size, &config.input);
  if (status == VP8_STATUS_OK && config.input.has_animation)
    return ssne_fail(err, SSNE_USAGE, "WebP: animated; still images are read");
  if (status != VP8_STATUS_OK) return ssne_fail(err, SSNE_USAGE, "WebP: %s", reason_of(status));
  SSNE_TRY(ssne_image_reserve(image, config.input.width, config.input.height, err));
  config.output.colorspace = MODE_RGB; /* without alpha, as of a PNG */
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = image->rgb;
  config.output.u.RGBA.stride = image->width * 3;
  config.output.u.RGBA.size = (size_t)image->width * (size_t)image->height * 3;
  status = WebPDecode(bytes, size, &config);
  WebPFreeDecBuffer(&config.output);
  if (status == VP8_STATUS_OUT_OF_MEMORY)
    return ssne_fail(err, SSNE_FAILED, "out of memory for libwebp's state");
  return status == VP8_STATUS_OK ? SSNE_OK
                                 : ssne_fail(err, SSNE_USAGE, "WebP: %s", reason_of(status));
}
