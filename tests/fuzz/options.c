/* Options, as the program has them: from a configuration file (the first byte is 0), or from a
 * command line (any other; words end in zeros). */
#include "fuzz.h"

#include "options.h"

#include "shardsne/memory.h"

#define GROUPS 7
#define WORDS 64

/* What was taken is recorded, and the record is found equal to what it was made of. */
static void record(const ssne_option_group *groups) {
  char *json = NULL;
  ssne_error err;
  FUZZ_REQUIRE(fuzz_well(ssne_options_to_json(groups, GROUPS, false, &json, &err), &err));
  FUZZ_REQUIRE(fuzz_well(ssne_options_compare(groups, GROUPS, json, "run.h5", "stop", &err), &err));
  ssne_free(&json);
}

static void check_values(const all_options *o) {
  int64_t limit = 0;
  double width = 0, height = 0;
  ssne_error err;
  const extract_options *x = &o->extract;
  FUZZ_REQUIRE(x->crop >= 0 && x->crop <= 65535 && x->resize >= 0 && x->resize <= 65535);
  FUZZ_REQUIRE(x->batch >= 1 && x->batch <= 65536);
  for (int i = 0; i < o->embed.perplexity.count; i++)
    FUZZ_REQUIRE(o->embed.perplexity.value[i] >= 1);
  if (fuzz_well(options_max_bad(x->max_bad, 1000, &limit, &err), &err)) FUZZ_REQUIRE(limit >= 0);
  if (fuzz_well(options_size(o->render.size, &width, &height, &err), &err))
    FUZZ_REQUIRE(width >= 0.5 && width <= 200 && height >= 0.5 && height <= 200);
}

static ssne_code parse_words(const ssne_option_group *groups, fuzz_bytes *b, ssne_error *err) {
  char *argv[WORDS] = {NULL};
  const char *word = NULL;
  int argc = 1, words = 0;
  while (argc < WORDS && b->left > 0) argv[argc++] = fuzz_text(b);
  const ssne_code code = ssne_options_parse(groups, GROUPS, argc, argv, &word, 1, &words, err);
  for (int i = 1; i < argc; i++) free(argv[i]);
  return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  all_options o;
  ssne_error err;
  fuzz_bytes b = {bytes, size};
  FUZZ_REQUIRE(options_defaults(&o, &err) == SSNE_OK);
  const ssne_option_group groups[GROUPS] = {
      common_group(&o), output_group(&o), extract_group(&o), embed_input_group(&o),
      embed_group(&o),  render_group(&o), export_group(&o)};
  const ssne_code code = fuzz_byte(&b)
                             ? parse_words(groups, &b, &err)
                             : ssne_options_read(groups, GROUPS, fuzz_file(b.at, b.left), &err);
  if (fuzz_well(code, &err)) {
    check_values(&o);
    record(groups);
  }
  options_free_all(&o);
  return 0;
}
