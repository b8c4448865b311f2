/* The record of options in a run file, compared with a command's. */
#include "fuzz.h"

#include "options.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  all_options o;
  ssne_error err;
  fuzz_bytes b = {bytes, size};
  FUZZ_REQUIRE(options_defaults(&o, &err) == SSNE_OK);
  const ssne_option_group groups[] = {extract_group(&o), embed_input_group(&o), embed_group(&o)};
  char *json = fuzz_text(&b);
  (void)fuzz_well(ssne_options_compare(groups, 3, json, "run.h5", "stop", &err), &err);
  free(json);
  options_free_all(&o);
  return 0;
}
