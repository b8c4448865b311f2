/* Images: whatever begins as a JPEG or a PNG, through decoding and a transform. */
#include "fuzz.h"

#include "shardsne/dataset.h"
#include "shardsne/memory.h"

static void transform(const ssne_image *image) {
  const ssne_transform t = {.channels = 3, .resize = 8, .crop = 8};
  ssne_transform_work work = {0};
  ssne_error err;
  uint8_t out[3 * 8 * 8];
  fuzz_well(ssne_transform_apply(&t, image, 8, 8, &work, out, &err), &err);
  ssne_transform_work_free(&work);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ssne_image image = {0};
  ssne_error err;
  if (fuzz_well(ssne_image_decode(bytes, size, &image, &err), &err)) {
    FUZZ_REQUIRE(image.width > 0 && image.height > 0);
    FUZZ_REQUIRE((size_t)image.width * (size_t)image.height * 3 <= image.capacity);
    transform(&image);
  }
  ssne_image_free(&image);
  return 0;
}
