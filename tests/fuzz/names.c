/* Texts on their way to gnuplot, the names of classes above all: whatever they are, the script says
 * the commands that it says of plain ones. The first byte chooses what is drawn, texts end in
 * zeros. */
#include "fuzz.h"

#include "drawing.h"

#define NAMES 8

typedef struct drawing {
  ssne_picture picture;
  ssne_survey survey;
  uint32_t class_color[NAMES + 1];
  ssne_plan plan;
  ssne_place places[NAMES];
  ssne_bar bar;
} drawing;

/* Steps over one string in single quotes, within which gnuplot knows no escapes. */
static const char *skip_literal(const char *at) {
  FUZZ_REQUIRE(*at == '\'');
  for (at++; *at != '\''; at++) FUZZ_REQUIRE(*at && *at != '\n');
  return at + 1;
}

/* A label's text: literals, with "'" in double quotes between them, joined by dots. */
static const char *skip_text(const char *at) {
  at = skip_literal(at);
  while (strncmp(at, ".\"'\".", 5) == 0) at = skip_literal(at + 5);
  return at;
}

/* Two scripts that differ in nothing but the texts of labels. */
static void compare_scripts(const char *script, const char *plain) {
  static const char label[] = "set label ";
  const size_t length = strlen(label);
  for (bool starts = true; *script; script++, plain++) {
    FUZZ_REQUIRE(*script == *plain);
    if (starts && strncmp(script, label, length) == 0) {
      FUZZ_REQUIRE(strncmp(plain, label, length) == 0);
      script = skip_text(script + length);
      plain = skip_text(plain + length);
      FUZZ_REQUIRE(*script == *plain && *script);
    }
    starts = *script == '\n';
  }
  FUZZ_REQUIRE(*plain == 0);
}

static char *write_script(const drawing *d) {
  char *text = NULL;
  size_t size = 0;
  FILE *script = open_memstream(&text, &size);
  FUZZ_REQUIRE(script);
  ssne_script_write(script, &(ssne_scene){.plan = &d->plan,
                                          .bar = d->plan.with_bar ? &d->bar : NULL,
                                          .points = true,
                                          .places = d->places});
  FUZZ_REQUIRE(fclose(script) == 0 && strlen(text) == size);
  return text;
}

static void take_text(fuzz_bytes *b, bool restricted, bool title, char *out) {
  static const ssne_characters none;
  char *text = fuzz_text(b);
  if (title)
    ssne_title_clean(text, out);
  else
    ssne_name_clean(text, out);
  FUZZ_REQUIRE(strlen(out) < (title ? SSNE_TITLE_SIZE : SSNE_NAME_SIZE));
  FUZZ_REQUIRE(ssne_name_width(out) >= 0);
  if (restricted) ssne_name_restrict(out, &none);
  FUZZ_REQUIRE(!text[0] == !out[0]);
  free(text);
}

static void take_texts(drawing *d, fuzz_bytes *b, bool restricted) {
  ssne_plan *plan = &d->plan;
  for (int i = 0; i < NAMES; i++) {
    take_text(b, restricted, false, plan->named[i].name);
    memcpy(plan->legend.row[i].name, plan->named[i].name, SSNE_NAME_SIZE);
  }
  take_text(b, restricted, true, plan->title);
  take_text(b, restricted, true, plan->value_name);
}

/* Of the same emptiness: what is empty is not drawn. */
static void put_plain_texts(ssne_plan *plan) {
  for (int i = 0; i < NAMES; i++) {
    strcpy(plan->named[i].name, "cat");
    strcpy(plan->legend.row[i].name, "cat");
  }
  if (plan->title[0]) strcpy(plan->title, "animals");
  if (plan->value_name[0]) strcpy(plan->value_name, "size");
}

static void fill(drawing *d, fuzz_bytes *b) {
  static const char *const paths[] = {"a.png", "a.svg", "a.pdf"};
  const uint8_t choice = fuzz_byte(b);
  const bool with_bar = choice & 8;
  ssne_error err;
  d->survey = (ssne_survey){.drawn = 1, .high = {1, 1}};
  d->picture = (ssne_picture){.width = 8,
                              .height = 8,
                              .dpi = 100,
                              .dark = choice & 16,
                              .coloring = with_bar ? SSNE_COLORING_VALUE : SSNE_COLORING_CLASS,
                              .survey = &d->survey,
                              .value_high = 1};
  d->plan.picture = &d->picture;
  FUZZ_REQUIRE(ssne_format_choose(paths[choice % 4 % 3], &d->plan.format, &err) == SSNE_OK);
  d->plan.class_color = d->class_color;
  d->plan.with_bar = with_bar;
  d->plan.legend.count = with_bar ? 0 : NAMES;
  d->plan.named_count = NAMES;
  take_texts(d, b, choice & 4);
  ssne_layout_make(&d->plan);
  ssne_bar_make(&d->plan, NULL, &d->bar);
  for (int i = 0; i < NAMES; i++)
    d->places[i] = (ssne_place){.width = 30, .height = 10, .x = 40.0 * i, .shown = true};
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  fuzz_bytes b = {bytes, size};
  drawing *d = calloc(1, sizeof *d);
  FUZZ_REQUIRE(d);
  fill(d, &b);
  char *script = write_script(d);
  put_plain_texts(&d->plan);
  ssne_bar_make(&d->plan, NULL, &d->bar);
  char *plain = write_script(d);
  compare_scripts(script, plain);
  free(script);
  free(plain);
  free(d);
  return 0;
}
