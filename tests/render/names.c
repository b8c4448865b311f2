/* Class names of any bytes become one line that can be shown. */
#include "names.h"
#include "check.h"

#include <string.h>

static void check_clean(const char *name, const char *expected) {
  char out[SSNE_NAME_SIZE];
  ssne_name_clean(name, out);
  CHECK(strcmp(out, expected) == 0);
  if (strcmp(out, expected) != 0) fprintf(stderr, "got `%s`, expected `%s`\n", out, expected);
}

static void test_kept(void) {
  check_clean("", "");
  check_clean("golden retriever", "golden retriever");
  check_clean("`$(x)` 'q' \"d\" \\ @m {/=9 b} %s", "`$(x)` 'q' \"d\" \\ @m {/=9 b} %s");
  check_clean("\u6f22\u5b57 \u05e9\u05dc \U0001f600", "\u6f22\u5b57 \u05e9\u05dc \U0001f600");
}

static void test_replaced(void) {
  check_clean("a\nb\tc\x7f", "a\ufffdb\ufffdc\ufffd");
  check_clean("\xc2\x85\u2028\u202e\u2066", "\ufffd\ufffd\ufffd\ufffd");
  check_clean("\xff\xfe", "\ufffd\ufffd");
  check_clean("caf\xe9", "caf\ufffd");                         /* Latin 1 */
  check_clean("\xc0\xaf", "\ufffd\ufffd");                     /* overlong */
  check_clean("\xed\xa0\x80", "\ufffd\ufffd\ufffd");           /* a surrogate */
  check_clean("\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"); /* past the last */
  check_clean("x\xe6\xbc", "x\ufffd\ufffd");                   /* cut short */
}

#define TEN(c) c c c c c c c c c c

static void test_cut(void) {
  check_clean(TEN("abcd"), TEN("abcd"));
  check_clean(TEN("abcd") "e", "abcdabcdabcdabcdabcdabcdabcdabcdabcdabc\u2026");
  check_clean(TEN("\U0001f600") TEN("\U0001f600") TEN("\U0001f600") TEN("\U0001f600"),
              TEN("\U0001f600") TEN("\U0001f600") TEN("\U0001f600") TEN("\U0001f600"));
}

static void test_width(void) {
  CHECK(ssne_name_width("") == 0);
  CHECK(ssne_name_width("ill") < ssne_name_width("wmm"));
  CHECK(ssne_name_width("\u6f22\u5b57") > 2);
}

static void test_restrict(void) {
  ssne_characters have = {{0}};
  FILE *file = tmpfile();
  CHECK(file != NULL);
  if (!file) return;
  fputs("20-7e a0-ff\n3b1\n", file);
  rewind(file);
  ssne_characters_read(file, &have);
  fclose(file);
  char name[] = "caf\u00e9 \u03b1\u03b2 \u6f22 e\ufe0f";
  ssne_name_restrict(name, &have);
  CHECK(strcmp(name, "caf\u00e9 \u03b1? ? e\ufe0f") == 0);
  CHECK(!ssne_name_is_ascii(name) && ssne_name_is_ascii("plain"));
}

int main(void) {
  test_kept();
  test_replaced();
  test_cut();
  test_width();
  test_restrict();
  return check_result();
}
