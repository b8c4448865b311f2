#include "shardsne/options.h"
#include "shardsne/memory.h"
#include "shardsne/text.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LONGEST_NAME 64
#define HELP_COLUMN 29 /* where the text of an option begins */
#define HELP_WIDTH 80

/* --- finding an option ------------------------------------------------------------------- */

typedef struct found {
  const ssne_option *option;
  void *value; /* where the value is kept */
} found;

static void *place_of(const ssne_option_group *group, const ssne_option *option) {
  return (char *)group->values + option->offset;
}

static found find(const ssne_option_group *groups, int count, const char *name, size_t length) {
  for (int g = 0; g < count; g++)
    for (int i = 0; i < groups[g].count; i++) {
      const ssne_option *option = &groups[g].table[i];
      if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
        return (found){option, place_of(&groups[g], option)};
    }
  return (found){NULL, NULL};
}

/* Levenshtein's distance: insertions, deletions and replacements that lead from a to b. */
static int edit_distance(const char *a, const char *b) {
  int row[LONGEST_NAME + 1];
  const int length = (int)strnlen(b, LONGEST_NAME);
  for (int j = 0; j <= length; j++) row[j] = j;
  for (int i = 1; a[i - 1] && i <= LONGEST_NAME; i++) {
    int corner = row[0];
    row[0] = i;
    for (int j = 1; j <= length; j++) {
      const int replaced = corner + (a[i - 1] != b[j - 1]);
      const int other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
      corner = row[j];
      row[j] = replaced < other ? replaced : other;
    }
  }
  return row[length];
}

static ssne_code unknown(const ssne_option_group *groups, int count, const char *name,
                         const char *where, ssne_error *err) {
  const char *nearest = NULL;
  int least = LONGEST_NAME;
  for (int g = 0; g < count; g++)
    for (int i = 0; i < groups[g].count; i++) {
      const int distance = edit_distance(name, groups[g].table[i].name);
      if (distance < least) {
        least = distance;
        nearest = groups[g].table[i].name;
      }
    }
  if (nearest && least <= (int)strlen(nearest) / 2)
    return ssne_fail(err, SSNE_USAGE, "%s: no option is called `%s`; did you mean `%s`?", where,
                     name, nearest);
  return ssne_fail(err, SSNE_USAGE, "%s: no option is called `%s`; --help lists them", where, name);
}

/* --- values from text -------------------------------------------------------------------- */

static bool parse_real(const char *text, double *value) {
  char *end = NULL;
  *value = strtod(text, &end);
  return end != text && *end == 0 && isfinite(*value);
}

static ssne_code set_integer(const ssne_option *o, int64_t *value, const char *text,
                             const char *where, ssne_error *err) {
  char *end = NULL;
  errno = 0;
  const long long number = strtoll(text, &end, 10);
  if (end == text || *end || errno || (double)number < o->low || (double)number > o->high)
    return ssne_fail(err, SSNE_USAGE, "%s: `%s` is not an integer from %.0f to %.0f", where, text,
                     o->low, o->high);
  *value = number;
  return SSNE_OK;
}

static ssne_code set_real(const ssne_option *o, double *value, const char *text, const char *where,
                          ssne_error *err) {
  double number = NAN;
  if (o->automatic && strcmp(text, "auto") == 0) {
    *value = NAN;
    return SSNE_OK;
  }
  if (!parse_real(text, &number) || number < o->low || number > o->high)
    return ssne_fail(err, SSNE_USAGE, "%s: `%s` is not a number from %g to %g%s", where, text,
                     o->low, o->high, o->automatic ? ", nor `auto`" : "");
  *value = number;
  return SSNE_OK;
}

static ssne_code set_triple(double value[3], const char *text, const char *where, ssne_error *err) {
  double parts[3];
  int used = 0;
  if (sscanf(text, "%lf,%lf,%lf%n", &parts[0], &parts[1], &parts[2], &used) != 3 || text[used] ||
      !isfinite(parts[0]) || !isfinite(parts[1]) || !isfinite(parts[2]))
    return ssne_fail(err, SSNE_USAGE, "%s: `%s` is not three numbers a,b,c", where, text);
  memcpy(value, parts, sizeof parts);
  return SSNE_OK;
}

static ssne_code set_reals(const ssne_option *o, ssne_option_reals *value, const char *text,
                           const char *where, ssne_error *err) {
  ssne_option_reals list = {.count = 0};
  for (const char *at = text;; at++) {
    char *end = NULL;
    const double number = strtod(at, &end);
    if (end == at || (*end && *end != ',') || !(number >= o->low) || !(number <= o->high))
      return ssne_fail(err, SSNE_USAGE,
                       "%s: `%s` is not a number from %g to %g, nor several with commas between",
                       where, text, o->low, o->high);
    if (list.count == SSNE_OPTION_REALS_MOST)
      return ssne_fail(err, SSNE_USAGE, "%s: `%s` holds more than %d numbers", where, text,
                       SSNE_OPTION_REALS_MOST);
    list.value[list.count++] = number;
    at = end;
    if (!*at) break;
  }
  *value = list;
  return SSNE_OK;
}

static ssne_code set_flag(bool *value, const char *text, const char *where, ssne_error *err) {
  static const char *const yes[] = {"yes", "true", "on", "1"}, *const no[] = {"no", "false", "off",
                                                                              "0"};
  for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
    if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
      *value = strcasecmp(text, yes[i]) == 0;
      return SSNE_OK;
    }
  }
  return ssne_fail(err, SSNE_USAGE, "%s: `%s` is neither yes nor no", where, text);
}

static bool is_choice(const char *choices, const char *text) {
  const size_t length = strlen(text);
  for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
    if (strncmp(c, text, length) == 0 && (c[length] == '|' || c[length] == 0)) return length > 0;
  return false;
}

static ssne_code set_text(const ssne_option *o, char **value, const char *text, const char *where,
                          ssne_error *err) {
  if (!*text) return ssne_fail(err, SSNE_USAGE, "%s: its value %s is empty", where, o->value);
  if (o->kind == SSNE_OPTION_CHOICE && !is_choice(o->choices, text))
    return ssne_fail(err, SSNE_USAGE, "%s: `%s` is none of %s", where, text, o->choices);
  ssne_free(value);
  return ssne_copy_text(value, text, err);
}

static ssne_code set_found(found f, const char *text, const char *where, ssne_error *err) {
  switch (f.option->kind) {
  case SSNE_OPTION_FLAG:
    return set_flag(f.value, text, where, err);
  case SSNE_OPTION_INTEGER:
    return set_integer(f.option, f.value, text, where, err);
  case SSNE_OPTION_REAL:
    return set_real(f.option, f.value, text, where, err);
  case SSNE_OPTION_TRIPLE:
    return set_triple(f.value, text, where, err);
  case SSNE_OPTION_REALS:
    return set_reals(f.option, f.value, text, where, err);
  case SSNE_OPTION_TEXT:
  case SSNE_OPTION_CHOICE:
    return set_text(f.option, f.value, text, where, err);
  }
  return SSNE_OK;
}

ssne_code ssne_options_set(const ssne_option_group *groups, int count, const char *name,
                           const char *value, const char *where, ssne_error *err) {
  const found f = find(groups, count, name, strlen(name));
  if (!f.option) return unknown(groups, count, name, where, err);
  return set_found(f, value, where, err);
}

/* --- the configuration file -------------------------------------------------------------- */

typedef struct reading {
  const ssne_option_group *groups;
  int count;
  const char *path;
  FILE *file;
  int line;
  ssne_error *err;
  ssne_code code; /* of the first error; nothing is read after it */
} reading;

/* As fgets, but false as well where a zero byte would hide what follows it. */
static bool read_line(reading *r, char *text, int size) {
  int length = 0, c = 0;
  r->line++;
  while (length < size - 1 && c != '\n' && (c = getc(r->file)) != EOF) {
    if (c == 0)
      r->code = ssne_fail(r->err, SSNE_USAGE, "%s:%d: a zero byte: this is no text file", r->path,
                          r->line);
    text[length++] = (char)c;
  }
  text[length] = 0;
  return length > 0 && r->code == SSNE_OK;
}

/* For inih, which would cut long lines, and values at ` ;`, without a word. */
static char *next_line(char *text, int size, void *user) {
  reading *r = user;
  if (r->code != SSNE_OK || !read_line(r, text, size)) return NULL;
  const size_t length = strlen(text);
  const size_t blank = strspn(text, " \t");
  if (length + 1 == (size_t)size && text[length - 1] != '\n')
    r->code = ssne_fail(r->err, SSNE_USAGE, "%s:%d: a line of more than %d characters", r->path,
                        r->line, size - 2);
  else if (text[blank] != ';' && text[blank] != '#' && strstr(text, " ;"))
    r->code = ssne_fail(r->err, SSNE_USAGE,
                        "%s:%d: ` ;` within a line; put comments on lines of their own", r->path,
                        r->line);
  return r->code == SSNE_OK ? text : NULL;
}

static int read_value(void *user, const char *section, const char *name, const char *value) {
  reading *r = user;
  (void)section;
  char where[2 * SSNE_ERROR_LENGTH];
  if (r->code != SSNE_OK) return 0;
  snprintf(where, sizeof where, "%s:%d: %s", r->path, r->line, name);
  if (strcmp(name, "config") == 0)
    r->code = ssne_fail(r->err, SSNE_USAGE, "%s: a configuration file cannot name another", where);
  else
    r->code = ssne_options_set(r->groups, r->count, name, value, where, r->err);
  return r->code == SSNE_OK;
}

ssne_code ssne_options_read(const ssne_option_group *groups, int count, const char *path,
                            ssne_error *err) {
  reading r = {.groups = groups, .count = count, .path = path, .err = err};
  r.file = fopen(path, "r");
  if (!r.file)
    return ssne_fail(err, SSNE_USAGE, "%s: the configuration cannot be read: %s", path,
                     strerror(errno));
  const int result = ini_parse_stream(next_line, &r, read_value, &r);
  const int failed = ferror(r.file);
  fclose(r.file);
  if (r.code != SSNE_OK) return r.code;
  if (failed) return ssne_fail(err, SSNE_FAILED, "%s: reading the configuration failed", path);
  if (result != 0)
    return ssne_fail(err, SSNE_USAGE, "%s:%d: not a line of the form `name = value`", path, result);
  return SSNE_OK;
}

/* --- the command line -------------------------------------------------------------------- */

/* Takes argv[*i], and argv[*i + 1] where that is its value. */
static ssne_code parse_option(const ssne_option_group *groups, int count, int argc, char **argv,
                              int *i, ssne_error *err) {
  const char *name = argv[*i] + 2, *equals = strchr(name, '=');
  const size_t length = equals ? (size_t)(equals - name) : strlen(name);
  char where[LONGEST_NAME + 8];
  snprintf(where, sizeof where, "--%.*s", (int)length, name);
  const found f = find(groups, count, name, length);
  if (!f.option) return unknown(groups, count, where + 2, "command line", err);
  if (f.option->kind == SSNE_OPTION_FLAG && !equals) {
    *(bool *)f.value = true;
    return SSNE_OK;
  }
  if (!equals && *i + 1 >= argc)
    return ssne_fail(err, SSNE_USAGE, "%s: its value %s is missing", where, f.option->value);
  return set_found(f, equals ? equals + 1 : argv[++*i], where, err);
}

ssne_code ssne_options_parse(const ssne_option_group *groups, int count, int argc, char **argv,
                             const char **words, int max_words, int *word_count, ssne_error *err) {
  *word_count = 0;
  for (int i = 1; i < argc; i++) {
    if (argv[i][0] == '-' && argv[i][1] == '-') {
      SSNE_TRY(parse_option(groups, count, argc, argv, &i, err));
    } else if (argv[i][0] == '-') {
      return ssne_fail(err, SSNE_USAGE,
                       "command line: `%s`: options have two dashes; --help lists them", argv[i]);
    } else if (*word_count == max_words) {
      return ssne_fail(err, SSNE_USAGE, "command line: do not know what to do with `%s`", argv[i]);
    } else {
      words[(*word_count)++] = argv[i];
    }
  }
  return SSNE_OK;
}

/* --- what they are: help, record, comparison --------------------------------------------- */

#define LONGEST_VALUE 16384 /* of a value as text: a path, escaped */

static void list_text(const ssne_option_reals *list, char text[LONGEST_VALUE]) {
  int used = 0;
  for (int i = 0; i < list->count; i++)
    used += snprintf(text + used, (size_t)(LONGEST_VALUE - used), "%s%.15g", i > 0 ? "," : "",
                     list->value[i]);
}

/* The present value as a person would write it, in UTF-8. */
static void value_text(const ssne_option *o, const void *value, char text[LONGEST_VALUE]) {
  const double *reals = value;
  const char *const *chars = value;
  switch (o->kind) {
  case SSNE_OPTION_FLAG:
    snprintf(text, LONGEST_VALUE, "%s", *(const bool *)value ? "yes" : "no");
    break;
  case SSNE_OPTION_INTEGER:
    snprintf(text, LONGEST_VALUE, "%" PRId64, *(const int64_t *)value);
    break;
  case SSNE_OPTION_REAL:
    snprintf(text, LONGEST_VALUE, isnan(*reals) ? "auto" : "%.15g", *reals);
    break;
  case SSNE_OPTION_TRIPLE:
    snprintf(text, LONGEST_VALUE, "%.15g,%.15g,%.15g", reals[0], reals[1], reals[2]);
    break;
  case SSNE_OPTION_REALS:
    list_text(value, text);
    break;
  case SSNE_OPTION_TEXT:
  case SSNE_OPTION_CHOICE:
    ssne_text_utf8(*chars ? *chars : "", text, LONGEST_VALUE);
    break;
  }
}

/* Prints words from column HELP_COLUMN on, none beyond HELP_WIDTH unless alone on its line. */
static void print_wrapped(const char *text) {
  int column = HELP_COLUMN;
  while (*text) {
    const int length = (int)strcspn(text, " ");
    if (column > HELP_COLUMN && column + 1 + length > HELP_WIDTH) {
      printf("\n%*s", HELP_COLUMN, "");
      column = HELP_COLUMN;
    }
    column += printf("%s%.*s", column > HELP_COLUMN ? " " : "", length, text);
    text += length;
    text += strspn(text, " ");
  }
  printf("\n");
}

static void print_option(const ssne_option *o, const void *value) {
  char head[128], preset[LONGEST_VALUE], text[LONGEST_VALUE + 1024];
  snprintf(head, sizeof head, "  --%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
  value_text(o, value, preset);
  const bool show = o->kind != SSNE_OPTION_FLAG && preset[0];
  snprintf(text, sizeof text, show ? "%s [%s]" : "%s", o->help, preset);
  printf("%-*s", HELP_COLUMN - 1, head);
  if (strlen(head) > HELP_COLUMN - 2)
    printf("\n%*s", HELP_COLUMN, "");
  else
    printf(" ");
  print_wrapped(text);
}

void ssne_options_help(const ssne_option_group *groups, int count) {
  for (int g = 0; g < count; g++) {
    printf("\n%s:\n", groups[g].title);
    for (int i = 0; i < groups[g].count; i++)
      print_option(&groups[g].table[i], place_of(&groups[g], &groups[g].table[i]));
  }
}

/* The value as its text, so that a comparison is one of what people wrote. */
static int put(json_t *object, const ssne_option *o, const void *value) {
  char text[LONGEST_VALUE];
  value_text(o, value, text);
  return json_object_set_new(object, o->name, json_string(text));
}

ssne_code ssne_options_to_json(const ssne_option_group *groups, int count, bool only_recorded,
                               char **json, ssne_error *err) {
  json_t *object = json_object();
  char *text = NULL;
  int failed = object == NULL;
  for (int g = 0; g < count; g++)
    for (int i = 0; i < groups[g].count && !failed; i++) {
      const ssne_option *o = &groups[g].table[i];
      if (o->recorded || !only_recorded) failed = put(object, o, place_of(&groups[g], o));
    }
  if (!failed) text = json_dumps(object, JSON_PRESERVE_ORDER | JSON_INDENT(1));
  json_decref(object);
  if (!text) return ssne_fail(err, SSNE_FAILED, "out of memory while recording the options");
  const ssne_code code = ssne_copy_text(json, text, err);
  free(text);
  return code;
}

/* To be given back by json_decref. */
static ssne_code load_record(const char *json, const char *path, json_t **made, ssne_error *err) {
  *made = json_loads(json, 0, NULL);
  if (json_is_object(*made)) return SSNE_OK;
  json_decref(*made);
  return ssne_fail(err, SSNE_FAILED, "%s: its record of options is damaged", path);
}

static ssne_code compare_one(const ssne_option *o, const void *value, const json_t *made,
                             const char *path, const char *advice, ssne_error *err) {
  const char *before = json_string_value(json_object_get(made, o->name));
  char text[LONGEST_VALUE];
  value_text(o, value, text);
  if (!before || strcmp(before, text) == 0) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE,
                   "%s was made with --%s `%s`, this command says `%s`: repeat the option, or %s",
                   path, o->name, before, text, advice);
}

ssne_code ssne_options_compare(const ssne_option_group *groups, int count, const char *json,
                               const char *path, const char *advice, ssne_error *err) {
  json_t *made = NULL;
  SSNE_TRY(load_record(json, path, &made, err));
  ssne_code code = SSNE_OK;
  for (int g = 0; g < count && code == SSNE_OK; g++)
    for (int i = 0; i < groups[g].count && code == SSNE_OK; i++) {
      const ssne_option *o = &groups[g].table[i];
      if (o->recorded) code = compare_one(o, place_of(&groups[g], o), made, path, advice, err);
    }
  json_decref(made);
  return code;
}

/* What was not given is recorded as an empty text. */
static bool was_given(const ssne_option *o, const char *value) {
  return o->recorded && value && *value;
}

ssne_code ssne_options_restore(const ssne_option_group *groups, int count, const char *json,
                               const char *path, ssne_error *err) {
  json_t *made = NULL;
  SSNE_TRY(load_record(json, path, &made, err));
  ssne_code code = SSNE_OK;
  for (int g = 0; g < count && code == SSNE_OK; g++)
    for (int i = 0; i < groups[g].count && code == SSNE_OK; i++) {
      const ssne_option *o = &groups[g].table[i];
      const char *value = json_string_value(json_object_get(made, o->name));
      if (was_given(o, value)) code = ssne_options_set(groups, count, o->name, value, path, err);
    }
  json_decref(made);
  return code;
}

void ssne_options_free(const ssne_option_group *groups, int count) {
  for (int g = 0; g < count; g++)
    for (int i = 0; i < groups[g].count; i++) {
      const ssne_option *o = &groups[g].table[i];
      if (o->kind == SSNE_OPTION_TEXT || o->kind == SSNE_OPTION_CHOICE)
        ssne_free(place_of(&groups[g], o));
    }
}
