/* Options: from the command line, from a file, to the record and back. */
#include "check.h"

#include "shardsne/memory.h"
#include "shardsne/options.h"

#include <math.h>
#include <string.h>

typedef struct settings {
  bool loud;
  int64_t count;
  double rate;
  char *name, *mode;
  double triple[3];
} settings;

static const ssne_option table[] = {
    {"loud", SSNE_OPTION_FLAG, offsetof(settings, loud), NULL, "say more", NULL, 0, 0, false,
     false},
    {"count", SSNE_OPTION_INTEGER, offsetof(settings, count), "N", "how many", NULL, 1, 10, false,
     true},
    {"rate", SSNE_OPTION_REAL, offsetof(settings, rate), "R", "how fast", NULL, 0, 100, true, true},
    {"name", SSNE_OPTION_TEXT, offsetof(settings, name), "S", "of whom", NULL, 0, 0, false, true},
    {"mode", SSNE_OPTION_CHOICE, offsetof(settings, mode), "M", "which way", "up|down", 0, 0, false,
     true},
    {"triple", SSNE_OPTION_TRIPLE, offsetof(settings, triple), "A,B,C", "three", NULL, 0, 0, false,
     true},
};

static ssne_option_group group_of(settings *s) {
  return (ssne_option_group){"Settings", table, 6, s};
}

static ssne_code parse(settings *s, int argc, const char **argv, const char **word,
                       ssne_error *err) {
  const ssne_option_group group = group_of(s);
  int words = 0;
  return ssne_options_parse(&group, 1, argc, (char **)argv, word, 1, &words, err);
}

static void test_command_line(void) {
  settings s = {.count = 5, .rate = 1};
  const ssne_option_group group = group_of(&s);
  const char *word = NULL;
  ssne_error err;
  const char *good[] = {"x",      "--loud", "--count=7", "--rate", "auto",     "word",
                        "--name", "a b'",   "--mode",    "down",   "--triple", "1,-2,3e-1"};
  CHECK_OK(parse(&s, 12, good, &word, &err), &err);
  CHECK(s.loud && s.count == 7 && isnan(s.rate) && strcmp(s.name, "a b'") == 0);
  CHECK(strcmp(s.mode, "down") == 0 && s.triple[1] == -2 && s.triple[2] == 0.3);
  CHECK(word && strcmp(word, "word") == 0);
  const struct {
    const char *argv[3], *says;
  } bad[] = {{{"x", "--cuont", "3"}, "did you mean `count`?"},
             {{"x", "--zzzzzzzzzz", "3"}, "--help lists them"},
             {{"x", "--count", "11"}, "from 1 to 10"},
             {{"x", "--count", "2.5"}, "not an integer"},
             {{"x", "--count", ""}, "not an integer"},
             {{"x", "--count", "99999999999999999999"}, "not an integer"},
             {{"x", "--rate", "nan"}, "not a number"},
             {{"x", "--rate", "1e3"}, "from 0 to 100"},
             {{"x", "--mode", "sideways"}, "none of up|down"},
             {{"x", "--mode", "u"}, "none of up|down"},
             {{"x", "--triple", "1,2"}, "three numbers"},
             {{"x", "--triple", "1,2,3,4"}, "three numbers"},
             {{"x", "-c", "3"}, "two dashes"},
             {{"x", "one", "two"}, "do not know what to do with `two`"},
             {{"x", "--name", ""}, "its value S is empty"},
             {{"x", "one", "--name"}, "its value S is missing"}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    err.text[0] = 0;
    CHECK(parse(&s, 3, (const char **)bad[i].argv, &word, &err) == SSNE_USAGE);
    CHECK(strstr(err.text, bad[i].says) != NULL);
    if (!strstr(err.text, bad[i].says)) fprintf(stderr, "  it says: %s\n", err.text);
  }
  ssne_options_free(&group, 1);
}

static ssne_code read_bytes(settings *s, const char *bytes, size_t size, ssne_error *err) {
  const ssne_option_group group = group_of(s);
  FILE *file = fopen("options.tmp", "w");
  CHECK(file != NULL);
  if (!file) return SSNE_FAILED;
  CHECK(fwrite(bytes, 1, size, file) == size);
  fclose(file);
  const ssne_code code = ssne_options_read(&group, 1, "options.tmp", err);
  remove("options.tmp");
  return code;
}

static ssne_code read_text(settings *s, const char *text, ssne_error *err) {
  return read_bytes(s, text, strlen(text), err);
}

static void test_file(void) {
  settings s = {.count = 5};
  const ssne_option_group group = group_of(&s);
  ssne_error err;
  CHECK_OK(read_text(&s, "# comment\n[any]\ncount = 3\nloud = yes\nname = x y # z\n", &err), &err);
  CHECK(s.count == 3 && s.loud && strncmp(s.name, "x y", 3) == 0);
  CHECK(read_text(&s, "count = 3\ncoutn = 4\n", &err) == SSNE_USAGE);
  CHECK(strstr(err.text, "options.tmp") && strstr(err.text, "did you mean `count`"));
  CHECK(read_text(&s, "coutn = 4\ncount = 3\n", &err) == SSNE_USAGE);
  CHECK(strstr(err.text, "options.tmp:1: coutn") && strstr(err.text, "did you mean `count`"));
  CHECK(read_text(&s, "count = 3\nname = a ;b\n", &err) == SSNE_USAGE);
  CHECK(strstr(err.text, "options.tmp:2"));
  CHECK(read_text(&s, "config = other\n", &err) == SSNE_USAGE);
  CHECK(strstr(err.text, "cannot name another"));
  char wide[600] = "name = ";
  memset(wide + 7, 'x', sizeof wide - 8);
  CHECK(read_text(&s, wide, &err) == SSNE_USAGE);
  CHECK(strstr(err.text, "options.tmp:1: a line of more than"));
  CHECK(read_bytes(&s, "count = 3\n\0count = 4\n", 21, &err) == SSNE_USAGE);
  CHECK(strstr(err.text, "options.tmp:2: a zero byte"));
  CHECK(read_bytes(&s, "count = 3\0 or 4", 15, &err) == SSNE_USAGE);
  CHECK(read_text(&s, "count\n", &err) == SSNE_USAGE);
  CHECK(strstr(err.text, "options.tmp:1"));
  CHECK(read_text(&s, "loud = perhaps\n", &err) == SSNE_USAGE);
  CHECK(ssne_options_read(&group, 1, "/nonexistent", &err) == SSNE_USAGE);
  ssne_options_free(&group, 1);
}

static void test_record(void) {
  settings s = {.count = 5, .rate = NAN, .triple = {0.1, 0.2, 1.0 / 3}};
  const ssne_option_group group = group_of(&s);
  ssne_error err;
  char *json = NULL;
  CHECK_OK(ssne_options_set(&group, 1, "name", "quote \" and \xc3\xa9", "test", &err), &err);
  CHECK_OK(ssne_options_to_json(&group, 1, true, &json, &err), &err);
  CHECK_OK(ssne_options_compare(&group, 1, json, "FILE", "start anew", &err), &err);
  s.loud = true; /* not recorded: does not matter */
  CHECK_OK(ssne_options_compare(&group, 1, json, "FILE", "start anew", &err), &err);
  s.count = 6;
  CHECK(ssne_options_compare(&group, 1, json, "FILE", "start anew", &err) == SSNE_USAGE);
  CHECK(strstr(err.text, "FILE") && strstr(err.text, "--count `5`") && strstr(err.text, "`6`") &&
        strstr(err.text, "or start anew"));
  s.count = 5;
  s.rate = 2;
  CHECK(ssne_options_compare(&group, 1, json, "FILE", "start anew", &err) == SSNE_USAGE);
  CHECK(strstr(err.text, "--rate `auto`"));
  CHECK(ssne_options_compare(&group, 1, "no json", "FILE", "start anew", &err) == SSNE_FAILED);
  ssne_free(&json);
  s.rate = NAN;
  CHECK_OK(ssne_options_set(&group, 1, "name", "not UTF-8: \xff\xfe", "test", &err), &err);
  CHECK_OK(ssne_options_to_json(&group, 1, true, &json, &err), &err);
  if (json) CHECK_OK(ssne_options_compare(&group, 1, json, "FILE", "start anew", &err), &err);
  ssne_free(&json);
  ssne_options_free(&group, 1);
}

int main(void) {
  test_command_line();
  test_file();
  test_record();
  return check_result();
}
