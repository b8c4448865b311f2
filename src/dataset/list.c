/* A list of images: CSV or TSV (RFC 4180), a path and perhaps a label in each row. */
#include "formats.h"
#include "gather.h"

#include "shardsne/memory.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#define LIST_MOST ((int64_t)1 << 36)
#define MOST_FIELDS 256

typedef struct list {
  const char *source;
  char *at;     /* what is not yet read; fields are cut out of the text in place */
  int64_t line; /* of `at`, counted from 1 */
  char separator;
  int path, label; /* columns; label -1: there is none */
  bool names;      /* the header says that labels are names */
} list;

typedef struct row {
  char *field[MOST_FIELDS];
  int fields;
  int64_t line;
} row;

/* --- fields ------------------------------------------------------------------------------ */

static ssne_code fail_at(const list *l, int64_t line, const char *what, ssne_error *err) {
  return ssne_fail(err, SSNE_USAGE, "%s, line %" PRId64 ": %s", l->source, line, what);
}

/* The text between quotes, doubled ones made single, moved to the front; `at` is behind. */
static ssne_code take_quoted(list *l, char **field, ssne_error *err) {
  const int64_t began = l->line;
  char *from = l->at + 1, *to = l->at;
  *field = to;
  for (; *from; from++) {
    if (*from == '"' && from[1] != '"') break;
    if (*from == '"') from++;
    l->line += *from == '\n';
    *to++ = *from;
  }
  if (!*from) return fail_at(l, began, "a quote that is not closed", err);
  l->at = from + 1;
  if (*l->at && *l->at != l->separator && *l->at != '\n' && *l->at != '\r')
    return fail_at(l, l->line, "text behind a closing quote; a quote within quotes is doubled",
                   err);
  *to = 0;
  return SSNE_OK;
}

static ssne_code take_plain(list *l, char **field, ssne_error *err) {
  const char stops[] = {l->separator, '\n', 0};
  *field = l->at;
  l->at += strcspn(l->at, stops);
  if (l->at > *field && l->at[-1] == '\r' && *l->at != l->separator) l->at--;
  if (!memchr(*field, '\r', (size_t)(l->at - *field))) return SSNE_OK;
  return fail_at(
      l, l->line,
      "a carriage return (CR) without a line feed; if lines end so, convert the file, say "
      "with tr '\\r' '\\n'",
      err);
}

/* The next row, empty lines passed over; no fields behind the last. */
static ssne_code take_row(list *l, row *r, ssne_error *err) {
  while (*l->at == '\n' || (*l->at == '\r' && l->at[1] == '\n')) l->line += *l->at++ == '\n';
  *r = (row){.line = l->line};
  bool more = *l->at != 0;
  while (more) {
    if (r->fields == MOST_FIELDS) return fail_at(l, r->line, "more than 256 columns", err);
    char **field = &r->field[r->fields++];
    if (*l->at == '"')
      SSNE_TRY(take_quoted(l, field, err));
    else
      SSNE_TRY(take_plain(l, field, err));
    more = *l->at == l->separator && *l->at;
    char *end = l->at; /* of the field; closed once the character there has been looked at */
    if (more) {
      l->at++;
    } else {
      if (*l->at == '\r') l->at++;
      if (*l->at == '\n') l->line++, l->at++;
    }
    *end = 0;
  }
  return SSNE_OK;
}

/* --- columns ----------------------------------------------------------------------------- */

static bool is_one_of(const char *text, const char *const *words) {
  for (; *words; words++)
    if (strcasecmp(text, *words) == 0) return true;
  return false;
}

/* Whether the row is a header, in which one of these names stands for paths; sets the columns. */
static bool take_header(list *l, const row *r) {
  static const char *const paths[] = {"path", "file", "filename", "file_name", "image", NULL};
  static const char *const labels[] = {"label", "target", "class", NULL};
  int path = -1, label = -1;
  for (int f = r->fields - 1; f >= 0; f--) {
    if (is_one_of(r->field[f], paths)) path = f;
    if (is_one_of(r->field[f], labels)) label = f;
  }
  if (path < 0) return false;
  l->path = path;
  l->label = label;
  l->names = label >= 0 && strcasecmp(r->field[label], "class") == 0;
  return true;
}

static ssne_code set_columns(list *l, const row *r, ssne_error *err) {
  if (r->fields > 2)
    return fail_at(l, r->line,
                   "more than two columns, and no header line that names `path` and `label`", err);
  l->path = 0;
  l->label = r->fields == 2 ? 1 : -1;
  return SSNE_OK;
}

static ssne_code add_row(list *l, const row *r, int columns, gather *g, ssne_error *err) {
  if (r->fields != columns) {
    ssne_error why;
    (void)ssne_fail(&why, SSNE_USAGE, "%d column%s, the first line has %d", r->fields,
                    r->fields == 1 ? "" : "s", columns);
    return fail_at(l, r->line, why.text, err);
  }
  if (!*r->field[l->path]) return fail_at(l, r->line, "no path", err);
  if (ssne_gather_add(g, r->field[l->path], l->label < 0 ? NULL : r->field[l->label], r->line, NULL,
                      err))
    return ssne_fail_in(err, "%s, line %" PRId64, l->source, r->line);
  return SSNE_OK;
}

static ssne_code read_rows(list *l, gather *g, ssne_error *err) {
  row r;
  SSNE_TRY(take_row(l, &r, err));
  const int columns = r.fields;
  if (take_header(l, &r)) {
    if (columns == 2 && l->label < 0)
      return fail_at(l, 1, "which column has the labels is not clear: call it `label` or `class`",
                     err);
    SSNE_TRY(take_row(l, &r, err));
  } else {
    SSNE_TRY(set_columns(l, &r, err));
  }
  while (r.fields > 0) {
    SSNE_TRY(add_row(l, &r, columns, g, err));
    SSNE_TRY(take_row(l, &r, err));
  }
  if (g->out->count == 0) return ssne_fail(err, SSNE_USAGE, "%s: no images", l->source);
  ssne_label_kind kind = SSNE_LABELS_NONE;
  SSNE_TRY(ssne_gather_check(g, 0, l->names, l->source, "line", &kind, err));
  return ssne_gather_assign(g, kind, err);
}

/* --- the list ---------------------------------------------------------------------------- */

/* Part 0 reads it all. */
static ssne_code scan_list(const ssne_input *input, int part, int parts, ssne_samples *out,
                           ssne_error *err) {
  char *text = NULL;
  int64_t size = 0;
  gather g = {.out = out};
  (void)parts;
  if (part > 0) return SSNE_OK;
  SSNE_TRY(ssne_read_whole(input->source, LIST_MOST, &text, &size, err));
  list l = {.source = input->source, .at = text, .line = 1, .separator = ','};
  if (strncmp(text, "\xef\xbb\xbf", 3) == 0) l.at += 3; /* as spreadsheets begin UTF-8 */
  if (memchr(l.at, '\t', strcspn(l.at, "\n"))) l.separator = '\t';
  ssne_code code = SSNE_OK;
  if (strlen(text) != (size_t)size)
    code = ssne_fail(err, SSNE_USAGE, "%s: a zero byte at %zu: not a text", l.source, strlen(text));
  if (!code) code = read_rows(&l, &g, err);
  ssne_gather_end(&g, code != SSNE_OK);
  ssne_free(&text);
  return code;
}

const input_format ssne_list_format = {"list", scan_list, ssne_input_read_file};
