/* .npy files: the header, and both ways to read the numbers. */
#include "fuzz.h"

#include "shardsne/dataset.h"
#include "shardsne/memory.h"

#define MOST 100000 /* numbers; the file is small, but a dimension may be zero */

static void compare(const char *path, const ssne_npy *npy, const float *floats) {
  ssne_error err;
  int32_t *ints = NULL;
  FUZZ_REQUIRE(ssne_alloc(&ints, npy->rows * npy->columns, sizeof *ints, "ints", &err) == SSNE_OK);
  if (fuzz_well(ssne_npy_read_int(path, npy, 0, npy->rows, ints, &err), &err))
    for (int64_t i = 0; i < npy->rows * npy->columns; i++)
      FUZZ_REQUIRE((float)ints[i] == floats[i]);
  ssne_free(&ints);
}

/* What was read is what is written, and read again. */
static void write_again(const ssne_npy *npy) {
  char *text = NULL;
  size_t size = 0;
  ssne_error err;
  ssne_npy again = {0};
  FILE *stream = open_memstream(&text, &size);
  FUZZ_REQUIRE(stream);
  FUZZ_REQUIRE(ssne_npy_write_header(stream, npy->element, npy->rows, npy->columns, &err) ==
               SSNE_OK);
  FUZZ_REQUIRE(fclose(stream) == 0);
  const int64_t data = (int64_t)size;
  text = realloc(text, size + MOST * 8);
  FUZZ_REQUIRE(text);
  memset(text + size, 0, MOST * 8);
  const char *path = fuzz_file((const uint8_t *)text, size + MOST * 8);
  FUZZ_REQUIRE(fuzz_well(ssne_npy_open(path, &again, &err), &err));
  FUZZ_REQUIRE(again.rows == npy->rows && again.element == npy->element);
  FUZZ_REQUIRE(again.columns == (npy->columns ? npy->columns : 1) && again.data_offset == data);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  const char *path = fuzz_file(bytes, size);
  ssne_npy npy;
  ssne_error err;
  if (!fuzz_well(ssne_npy_open(path, &npy, &err), &err)) return 0;
  FUZZ_REQUIRE(npy.rows >= 0 && npy.columns >= 0 && npy.data_offset <= (int64_t)size);
  if (npy.rows > MOST || npy.rows * npy.columns > MOST) return 0;
  float *floats = NULL;
  const int64_t half = npy.rows / 2;
  FUZZ_REQUIRE(ssne_alloc(&floats, npy.rows * npy.columns, sizeof *floats, "floats", &err) ==
               SSNE_OK);
  FUZZ_REQUIRE(fuzz_well(ssne_npy_read_float(path, &npy, 0, half, floats, &err), &err));
  FUZZ_REQUIRE(fuzz_well(
      ssne_npy_read_float(path, &npy, half, npy.rows - half, floats + half * npy.columns, &err),
      &err));
  FUZZ_REQUIRE(!fuzz_well(ssne_npy_read_float(path, &npy, half, npy.rows + 1, floats, &err), &err));
  compare(path, &npy, floats);
  ssne_free(&floats);
  write_again(&npy);
  return 0;
}
