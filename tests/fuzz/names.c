/* Class names on their way to gnuplot: whatever they are, the script says the same commands. The
 * first byte chooses the format, names end in zeros. */
#include "fuzz.h"

#include "drawing.h"

#define NAMES 8

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

/* Every label of the script goes on as the program wrote it: half of them are names, half markers.
 */
static void check_script(const char *script, int labels) {
  int names = 0, markers = 0;
  for (const char *line = script; *line; line = strchr(line, '\n') + 1) {
    FUZZ_REQUIRE(strchr(line, '\n'));
    if (strncmp(line, "set label ", 10) != 0) continue;
    double x, y;
    int used = 0;
    const char *rest = skip_text(line + 10);
    FUZZ_REQUIRE(sscanf(rest, " at screen %lf,%lf %n", &x, &y, &used) == 2 && used > 0);
    names += strncmp(rest + used, "left noenhanced font", 20) == 0;
    markers += strncmp(rest + used, "point pointtype 7", 17) == 0;
  }
  FUZZ_REQUIRE(names == labels && markers == labels);
}

static void write_script(const ssne_picture *picture, const char *path, const ssne_legend *legend) {
  const ssne_format *format = NULL;
  ssne_error err;
  char *text = NULL;
  size_t size = 0;
  FUZZ_REQUIRE(ssne_format_choose(path, &format, &err) == SSNE_OK);
  FILE *script = open_memstream(&text, &size);
  FUZZ_REQUIRE(script);
  const ssne_layout layout = ssne_layout_make(picture, 100, legend);
  ssne_script_write(script, picture, format, &layout, legend);
  FUZZ_REQUIRE(fclose(script) == 0 && strlen(text) == size);
  check_script(text, legend->count);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const char *const paths[] = {"a.png", "a.svg", "a.pdf"};
  static ssne_characters none;
  fuzz_bytes b = {bytes, size};
  const uint8_t choice = fuzz_byte(&b);
  char *classes[NAMES];
  const float xy[2] = {0.5f, 0.5f};
  const ssne_picture picture = {.width = 8, .height = 8, .dpi = 100, .xy = xy, .count = 1};
  ssne_legend legend = {.count = NAMES};
  for (int i = 0; i < NAMES; i++) {
    ssne_legend_row *row = &legend.row[i];
    classes[i] = fuzz_text(&b);
    row->marked = true;
    ssne_name_clean(classes[i], row->name);
    FUZZ_REQUIRE(strlen(row->name) < SSNE_NAME_SIZE && ssne_name_width(row->name) >= 0);
    if (choice & 4) ssne_name_restrict(row->name, &none);
    FUZZ_REQUIRE(!(choice & 4) || strlen(classes[i]) == 0 || row->name[0]);
  }
  write_script(&picture, paths[choice % 3], &legend);
  for (int i = 0; i < NAMES; i++) free(classes[i]);
  return 0;
}
