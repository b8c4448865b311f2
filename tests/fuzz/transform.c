/* Transforms: images of any width and height, resized and cropped to any size. */
#include "fuzz.h"

#include "shardsne/dataset.h"
#include "shardsne/memory.h"

#define PIXELS 200000 /* of the image, and of the result */

/* Any colours do: what matters is where they are read and written. */
static ssne_image make_image(fuzz_bytes *b) {
  ssne_error err;
  const int width = (int)(fuzz_number(b, 3) % PIXELS) + 1;
  const int height = (int)(fuzz_number(b, 3) % (uint32_t)(PIXELS / width)) + 1;
  ssne_image image = {.width = width, .height = height};
  image.capacity = (size_t)width * (size_t)height * 3;
  FUZZ_REQUIRE(ssne_alloc(&image.rgb, (int64_t)image.capacity, 1, "pixels", &err) == SSNE_OK);
  memset(image.rgb, fuzz_byte(b), image.capacity / 2);
  return image;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  fuzz_bytes b = {bytes, size};
  const ssne_transform t = {
      .resize = (int)fuzz_number(&b, 2), .crop = (int)fuzz_number(&b, 2), .channels = 3};
  ssne_image image = make_image(&b);
  ssne_transform_work work = {0};
  ssne_error err;
  int width = 0, height = 0;
  uint8_t *out = NULL, none[1];
  ssne_transform_size(&t, image.width, image.height, &width, &height);
  FUZZ_REQUIRE(width > 0 && height > 0);
  if (width != 3 || height != 1) /* another size than it was to be */
    FUZZ_REQUIRE(!fuzz_well(ssne_transform_apply(&t, &image, 3, 1, &work, none, &err), &err));
  if ((int64_t)width * height <= PIXELS) {
    const int64_t count = 3 * (int64_t)width * height;
    FUZZ_REQUIRE(ssne_alloc(&out, count, sizeof *out, "numbers", &err) == SSNE_OK);
    fuzz_well(ssne_transform_apply(&t, &image, width, height, &work, out, &err), &err);
  }
  ssne_free(&out);
  ssne_image_free(&image);
  ssne_transform_work_free(&work);
  return 0;
}
