/* Inputs recognised by their bytes: lists, tars, IDX, CIFAR's files, .npy arrays of images, as the
 * first byte says (which gives the file a name that goes with it). */
#include "fuzz.h"

#include "shardsne/input.h"

#define MOST 1000 /* samples looked at */

static void check_samples(const ssne_input *input, const ssne_samples *s, int64_t size) {
  ssne_input_reader reader = {.opened = 0};
  ssne_error err;
  int64_t names = 0;
  for (int64_t i = 0; i < s->count; i++) {
    FUZZ_REQUIRE(s->name_offset[i] == names);
    names += (int64_t)strlen(s->names + names) + 1;
    FUZZ_REQUIRE(s->label[i] >= -1);
    FUZZ_REQUIRE(s->labels != SSNE_LABELS_NAMES || s->label[i] < s->class_count);
    if (s->place) FUZZ_REQUIRE(s->place[i].offset >= 0 && s->place[i].size >= 0 && size >= 0);
    if (s->place && i < MOST)
      (void)fuzz_well(
          ssne_input_read(input, s->names + s->name_offset[i], &s->place[i], &reader, &err), &err);
  }
  FUZZ_REQUIRE(names == s->names_size);
  ssne_input_reader_free(&reader);
}

/* The parts together have as many samples as the whole. */
static void check_parts(const ssne_input *input, int64_t count) {
  ssne_error err;
  for (int part = 0; part < 3; part++) {
    ssne_samples s;
    FUZZ_REQUIRE(fuzz_well(ssne_input_scan(input, part, 3, &s, &err), &err));
    count -= s.count;
    ssne_samples_free(&s);
  }
  FUZZ_REQUIRE(count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ssne_input *input = NULL;
  ssne_samples samples;
  ssne_error err;
  char named[128];
  if (size == 0) return 0;
  const char *path = fuzz_file(bytes + 1, size - 1);
  snprintf(named, sizeof named, "%s%s", path, bytes[0] % 2 ? ".bin" : "");
  FUZZ_REQUIRE(bytes[0] % 2 == 0 || rename(path, named) == 0);
  if (fuzz_well(ssne_input_open(named, NULL, NULL, &input, &err), &err)) {
    if (fuzz_well(ssne_input_scan(input, 0, 1, &samples, &err), &err)) {
      if (fuzz_well(ssne_input_hold(input, 0, samples.count < MOST ? samples.count : MOST, &err),
                    &err))
        check_samples(input, &samples, (int64_t)size);
      check_parts(input, samples.count);
      ssne_samples_free(&samples);
    }
    ssne_input_close(&input);
  }
  if (bytes[0] % 2) (void)unlink(named);
  return 0;
}
