/* Images in tars, read where they lie: class folders inside as in ImageFolder, or WebDataset's
 * key.jpg with key.cls or key.json. libarchive reads the headers; names lead nowhere but into the
 * record. */
#include "decode.h"
#include "formats.h"
#include "gather.h"

#include "shardsne/files.h"
#include "shardsne/memory.h"
#include "shardsne/partition.h"

#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512
#define LABEL_MOST (1 << 20) /* bytes of a file that holds a label */

/* What an entry is in WebDataset's terms, by what follows the first point of its name. */
typedef enum entry_kind {
  ENTRY_IMAGE,
  ENTRY_CLS,
  ENTRY_JSON,
  ENTRY_OTHER_IMAGE, /* behind more than one point: key.depth.png */
  ENTRY_OTHER_LABEL  /* key.depth.json */
} entry_kind;

typedef struct entry {
  int64_t name; /* into `text` */
  int64_t key;  /* characters of the name before that point */
  int64_t offset, size;
  int64_t label; /* into `text`, -1: none */
  entry_kind kind;
} entry;

typedef struct tar {
  const ssne_input *input;
  int64_t number; /* of the container */
  const char *path;
  int file;
  int64_t size; /* of the file */
  char *text;
  entry *entries;
  int64_t count, room, text_size, text_room;
  int64_t ignored, unlabelled;
  bool webdataset;
} tar;

/* --- headers ----------------------------------------------------------------------------- */

bool ssne_tar_begins(const uint8_t *bytes, int64_t size) {
  if (size < BLOCK) return false;
  long sum = 0;
  char stated[9] = "", *end = NULL;
  for (int i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? ' ' : bytes[i];
  memcpy(stated, bytes + 148, 8);
  return bytes[0] && strtol(stated, &end, 8) == sum && end > stated;
}

static ssne_code fail_entry(const tar *t, const char *name, const char *what, ssne_error *err) {
  return ssne_fail(err, SSNE_USAGE, "%s: %s: %s", t->path, name, what);
}

/* The name without "./" or "/" before it, as tar takes it; ".." in one is a name like any other. */
static const char *clean(const char *name) {
  for (;;) {
    if (strncmp(name, "./", 2) == 0)
      name += 2;
    else if (*name == '/')
      name++;
    else
      return name;
  }
}

static entry_kind kind_of(const char *name, int64_t *key) {
  const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
  const char *point = strchr(base, '.');
  if (point == base) point = strchr(base + 1, '.');
  *key = point ? point - name : (int64_t)strlen(name);
  if (!point) return ENTRY_OTHER_IMAGE;
  const char *last = strrchr(point, '.');
  const bool cls = strcasecmp(last, ".cls") == 0, json = strcasecmp(last, ".json") == 0;
  if (last > point) return cls || json ? ENTRY_OTHER_LABEL : ENTRY_OTHER_IMAGE;
  return cls ? ENTRY_CLS : json ? ENTRY_JSON : ENTRY_IMAGE;
}

static bool is_label(const entry *e) {
  return e->kind == ENTRY_CLS || e->kind == ENTRY_JSON;
}

static ssne_code add_text(tar *t, const char *text, int64_t *at, ssne_error *err) {
  const int64_t length = (int64_t)strlen(text) + 1;
  SSNE_TRY(ssne_grow(&t->text, &t->text_room, t->text_size, length, 1, "characters of names", err));
  *at = t->text_size;
  memcpy(t->text + t->text_size, text, (size_t)length);
  t->text_size += length;
  return SSNE_OK;
}

/* Where the data of the entry just reached begin. libarchive takes the header for read once data
 * are asked for, and no data before the call after. */
static ssne_code find_data(const tar *t, struct archive *a, struct archive_entry *header,
                           const char *name, entry *e, ssne_error *err) {
  const void *piece = NULL;
  size_t length = 0;
  la_int64_t ahead = 0;
  e->size = archive_entry_size(header);
  if (archive_entry_sparse_count(header) > 0)
    return fail_entry(t, name, "a sparse file, which is not read in place: make the tar without -S",
                      err);
  if (e->size > 0 && archive_read_data_block(a, &piece, &length, &ahead) < ARCHIVE_WARN)
    return fail_entry(t, name, "cut short: the tar is truncated; copy it anew", err);
  e->offset = archive_filter_bytes(a, 0);
  if (e->size < 0 || e->offset < 0 || e->size > t->size - e->offset)
    return fail_entry(t, name, "reaches beyond the end: the tar is truncated; copy it anew", err);
  return SSNE_OK;
}

static ssne_code add_entry(tar *t, struct archive *a, struct archive_entry *header,
                           ssne_error *err) {
  const char *name = archive_entry_pathname(header);
  entry e = {.label = -1};
  if (!name) name = archive_entry_pathname_utf8(header);
  if (!name) return ssne_fail(err, SSNE_USAGE, "%s: an entry without a name", t->path);
  name = clean(name);
  const mode_t type = archive_entry_filetype(header);
  const bool hard = archive_entry_hardlink(header);
  e.kind = kind_of(name, &e.key);
  if (type == AE_IFDIR) return SSNE_OK;
  const bool other = e.kind == ENTRY_OTHER_LABEL && type == AE_IFREG && !hard;
  if (!is_label(&e) && !other && !ssne_is_image_name(name)) {
    t->ignored++;
    return SSNE_OK;
  }
  if (strlen(name) >= GATHER_LONGEST_NAME)
    return ssne_fail(err, SSNE_USAGE, "%s: a name of %zu bytes, more than %d: %.60s...", t->path,
                     strlen(name), GATHER_LONGEST_NAME - 1, name);
  if (hard)
    return fail_entry(
        t, name, "a hard link, which is not followed: make the tar with tar --hard-dereference",
        err);
  if (type == AE_IFLNK)
    return fail_entry(t, name, "a link, which is not followed: make the tar with tar -h", err);
  if (type != AE_IFREG) return fail_entry(t, name, "not a regular file; leave it out", err);
  SSNE_TRY(find_data(t, a, header, name, &e, err));
  SSNE_TRY(add_text(t, name, &e.name, err));
  SSNE_TRY(ssne_grow(&t->entries, &t->room, t->count, 1, sizeof e, "entries of a tar", err));
  t->entries[t->count++] = e;
  return SSNE_OK;
}

/* Bytes from `from` on that are zeros, up to `most`. */
static ssne_code count_zeros(const tar *t, int64_t from, int64_t most, int64_t *count,
                             ssne_error *err) {
  uint8_t piece[64 * BLOCK];
  for (*count = 0; *count < most;) {
    const int64_t left = most - *count, size = (int64_t)sizeof piece;
    const int64_t now = left < size ? left : size;
    int64_t zeros = 0;
    SSNE_TRY(ssne_read_at(t->file, piece, now, from + *count, err));
    while (zeros < now && piece[zeros] == 0) zeros++;
    *count += zeros;
    if (zeros < now) break;
  }
  return SSNE_OK;
}

/* A tar ends with blocks of zeros: without them something may be missing, and what lies behind them
 * is read neither here nor by WebDataset. */
static ssne_code check_end(const tar *t, int64_t end, ssne_error *err) {
  const int64_t left = t->size - end;
  int64_t zeros = 0;
  if (count_zeros(t, end, left, &zeros, err)) return ssne_fail_in(err, "%s", t->path);
  if (zeros < BLOCK)
    return ssne_fail(err, SSNE_USAGE,
                     "%s: truncated: the blocks that end a tar are missing; copy it anew", t->path);
  if (zeros == left) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE,
                   "%s: goes on at byte %" PRId64
                   ", behind the mark that ends a tar at byte %" PRId64
                   ", as tars put together with cat do: use tar --concatenate, or give the tars as "
                   "several",
                   t->path, end + zeros, end);
}

static ssne_code read_headers(tar *t, struct archive *a, ssne_error *err) {
  struct archive_entry *header = NULL;
  for (;;) {
    const int result = archive_read_next_header(a, &header);
    if (result == ARCHIVE_EOF) return check_end(t, archive_read_header_position(a), err);
    if (result < ARCHIVE_WARN)
      return ssne_fail(err, SSNE_USAGE,
                       "%s: damaged or truncated near byte %" PRId64 " (%s); copy it anew", t->path,
                       (int64_t)archive_filter_bytes(a, 0),
                       archive_error_string(a) ? archive_error_string(a) : "no reason given");
    SSNE_TRY(add_entry(t, a, header, err));
  }
}

static ssne_code list_entries(tar *t, ssne_error *err) {
  struct archive *a = archive_read_new();
  if (!a) return ssne_fail(err, SSNE_FAILED, "out of memory for libarchive's state");
  ssne_code code = SSNE_OK;
  if (archive_read_support_format_tar(a) != ARCHIVE_OK ||
      archive_read_open_fd(a, t->file, (size_t)20 * BLOCK) != ARCHIVE_OK)
    code = ssne_fail(err, SSNE_USAGE, "%s: not a tar: %s", t->path, archive_error_string(a));
  if (!code) code = read_headers(t, a, err);
  archive_read_free(a);
  return code;
}

/* --- labels beside images ------------------------------------------------------------------ */

/* The member "label" or "cls" of a .json, whose absence *found says. */
static ssne_code read_json(const tar *t, const char *name, const char *text, size_t size,
                           char *label, size_t room, bool *found, ssne_error *err) {
  json_error_t why;
  json_t *all = json_loadb(text, size, 0, &why);
  const json_t *value = json_object_get(all, "label");
  if (!value) value = json_object_get(all, "cls");
  ssne_code code = SSNE_OK;
  *found = value != NULL;
  if (!all)
    code = ssne_fail(err, SSNE_USAGE, "%s: %s: not JSON: %s", t->path, name, why.text);
  else if (!value)
    *label = 0;
  else if (json_is_integer(value))
    snprintf(label, room, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
  else if (json_is_string(value) && json_string_length(value) < room)
    snprintf(label, room, "%s", json_string_value(value));
  else
    code = fail_entry(t, name, "its `label` or `cls` is neither an integer nor a name", err);
  json_decref(all);
  return code;
}

/* The text of a label: all of a .cls, or a member of a .json; *label stays as it is without one. */
static ssne_code read_label(tar *t, const entry *from, int64_t *label, ssne_error *err) {
  const char *name = t->text + from->name;
  char value[1024] = "", *text = NULL;
  bool found = true;
  if (from->size > LABEL_MOST) return fail_entry(t, name, "more than 1 MiB for a label", err);
  SSNE_TRY(ssne_alloc(&text, from->size + 1, 1, "characters of a label", err));
  ssne_code code = ssne_read_at(t->file, text, from->size, from->offset, err);
  if (code) (void)ssne_fail_in(err, "%s: %s", t->path, name);
  size_t length = code ? 0 : strlen(text);
  if (!code && from->kind == ENTRY_JSON) {
    code = read_json(t, name, text, (size_t)from->size, value, sizeof value, &found, err);
  } else if (!code) {
    while (length > 0 && strchr(" \t\r\n", text[length - 1])) text[--length] = 0;
    if (length == 0 || length >= sizeof value)
      code = fail_entry(t, name, "not a label: it is empty or too long", err);
    else
      memcpy(value, text, length + 1);
  }
  ssne_free(&text);
  if (!code && !found) t->unlabelled++;
  return code || !found ? code : add_text(t, value, label, err);
}

static int by_key(const void *a, const void *b, void *text) {
  const entry *x = a, *y = b;
  const char *one = (char *)text + x->name, *two = (char *)text + y->name;
  const int keys = memcmp(one, two, (size_t)(x->key < y->key ? x->key : y->key));
  if (keys) return keys;
  if (x->key != y->key) return x->key < y->key ? -1 : 1;
  if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
  return strcmp(one, two);
}

static bool same_key(const tar *t, const entry *a, const entry *b) {
  return a->key == b->key && memcmp(t->text + a->name, t->text + b->name, (size_t)a->key) == 0;
}

static int64_t end_of_key(const tar *t, int64_t first) {
  int64_t end = first + 1;
  while (end < t->count && same_key(t, &t->entries[first], &t->entries[end])) end++;
  return end;
}

/* Names are there once; but for files that are not read. */
static ssne_code check_names(const tar *t, ssne_error *err) {
  for (int64_t i = 1; i < t->count; i++)
    if (t->entries[i].kind != ENTRY_OTHER_LABEL &&
        strcmp(t->text + t->entries[i - 1].name, t->text + t->entries[i].name) == 0)
      return fail_entry(t, t->text + t->entries[i].name,
                        "there twice; which one counts is not clear: leave one out", err);
  return SSNE_OK;
}

/* One key's entries: a label beside the image, or a .cls of whatever, make the tar one of
 * WebDataset. Where all images have names with further points, no label would be found. */
static ssne_code survey_key(tar *t, int64_t first, int64_t end, ssne_error *err) {
  const entry *of[ENTRY_OTHER_LABEL + 1] = {NULL}; /* the first of each kind */
  for (int64_t i = end - 1; i >= first; i--) of[t->entries[i].kind] = &t->entries[i];
  const entry *image = of[ENTRY_IMAGE], *other = of[ENTRY_OTHER_IMAGE], *label = of[ENTRY_CLS];
  t->webdataset = t->webdataset || label || (image && of[ENTRY_JSON]);
  if (!label) label = of[ENTRY_JSON] ? of[ENTRY_JSON] : of[ENTRY_OTHER_LABEL];
  if (image || !other || !label) return SSNE_OK;
  return ssne_fail(
      err, SSNE_USAGE,
      "%s: %s: WebDataset ends a key at the first point of a name, here `%.*s`, and so "
      "finds no label for it in %s: give names without other points",
      t->path, t->text + other->name, (int)other->key, t->text + other->name,
      t->text + label->name);
}

static ssne_code survey(tar *t, ssne_error *err) {
  SSNE_TRY(check_names(t, err));
  for (int64_t first = 0, end; first < t->count; first = end) {
    end = end_of_key(t, first);
    SSNE_TRY(survey_key(t, first, end, err));
  }
  return SSNE_OK;
}

/* Of one key's entries: the image, and its label if there is one. Images come first, then .cls,
 * then .json. */
static ssne_code join_key(tar *t, int64_t first, int64_t end, ssne_error *err) {
  entry *image = &t->entries[first];
  if (is_label(image))
    return fail_entry(t, t->text + image->name,
                      "a label without an image beside it: add the image, or leave it out", err);
  if (image->kind != ENTRY_IMAGE) return SSNE_OK;
  for (int64_t i = first + 1; i < end; i++) {
    if (t->entries[i].kind == ENTRY_IMAGE)
      return fail_entry(t, t->text + t->entries[i].name,
                        "a second image of its key; which one counts is not clear: leave one out",
                        err);
    if (is_label(&t->entries[i]) && image->label < 0)
      SSNE_TRY(read_label(t, &t->entries[i], &image->label, err));
  }
  return SSNE_OK;
}

/* Of the images, which are in their order: all have labels, or none. */
static ssne_code check_labels(tar *t, ssne_error *err) {
  int64_t labels = 0, without = -1;
  for (int64_t i = t->count - 1; i >= 0; i--)
    if (t->entries[i].label < 0)
      without = i;
    else
      labels++;
  if (labels == 0 || without < 0) return SSNE_OK;
  return fail_entry(t, t->text + t->entries[without].name,
                    "no label beside it, though others have one: add its .cls, or a `label` to its "
                    ".json, or leave it out",
                    err);
}

/* --- order ------------------------------------------------------------------------------- */

static int64_t folder_length(const char *name) {
  const char *slash = strrchr(name, '/');
  return slash ? slash - name : 0;
}

static int by_path(const void *a, const void *b, void *text) {
  const char *one = (char *)text + ((const entry *)a)->name;
  const char *two = (char *)text + ((const entry *)b)->name;
  return ssne_compare_paths(one, folder_length(one), two, folder_length(two));
}

static int by_offset(const void *a, const void *b) {
  const entry *x = a, *y = b;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Characters of the one folder that all class folders lie in, its slash included; 0: none. */
static int64_t common_folder(const tar *t) {
  const char *first = t->count ? t->text + t->entries[0].name : "";
  if (!strchr(first, '/')) return 0;
  const int64_t length = (int64_t)strcspn(first, "/") + 1;
  for (int64_t i = 0; i < t->count; i++) {
    const char *name = t->text + t->entries[i].name;
    if (strncmp(name, first, (size_t)length) != 0 || !strchr(name + length, '/')) return 0;
  }
  return t->count ? length : 0;
}

/* Keeps the entries that `keep` is for; others that are images count as ignored. */
static void keep_images(tar *t, bool in_folders, int64_t skipped) {
  int64_t kept = 0;
  for (int64_t i = 0; i < t->count; i++) {
    const entry *e = &t->entries[i];
    const char *name = t->text + e->name;
    const bool image = t->webdataset ? e->kind == ENTRY_IMAGE : ssne_is_image_name(name);
    if (image && (!in_folders || strchr(name + skipped, '/')))
      t->entries[kept++] = *e;
    else if (!t->webdataset || !is_label(e))
      t->ignored++;
  }
  t->count = kept;
}

/* ImageFolder's order and labels. */
static ssne_code order_folders(tar *t, ssne_error *err) {
  keep_images(t, false, 0);
  const int64_t skipped = common_folder(t);
  if (skipped > 0 && t->input->containers > 1)
    return ssne_fail(err, SSNE_USAGE,
                     "%s: all in it lies below folders in one folder, %.*s: of several tars it is "
                     "not clear whether that is a class; make the tars so that class folders hold "
                     "the images",
                     t->path, (int)skipped - 1, t->text + t->entries[0].name);
  bool classes = false;
  for (int64_t i = 0; i < t->count; i++)
    classes = classes || strchr(t->text + t->entries[i].name + skipped, '/');
  if (classes) keep_images(t, true, skipped);
  if (t->count) qsort_r(t->entries, (size_t)t->count, sizeof(entry), by_path, t->text);
  for (int64_t i = 0; i < t->count && classes; i++) {
    char class[GATHER_LONGEST_NAME];
    const char *name = t->text + t->entries[i].name + skipped;
    snprintf(class, sizeof class, "%.*s", (int)strcspn(name, "/"), name);
    if (i > 0 && strcmp(class, t->text + t->entries[i - 1].label) == 0)
      t->entries[i].label = t->entries[i - 1].label;
    else
      SSNE_TRY(add_text(t, class, &t->entries[i].label, err));
  }
  return SSNE_OK;
}

static int by_class(const void *a, const void *b, void *text) {
  const entry *x = a, *y = b;
  if (x->label < 0 || y->label < 0) return by_path(a, b, text);
  const int classes = strcmp((char *)text + x->label, (char *)text + y->label);
  return classes ? classes : by_path(a, b, text);
}

static ssne_code order_entries(tar *t, ssne_error *err) {
  if (t->count) qsort_r(t->entries, (size_t)t->count, sizeof(entry), by_key, t->text);
  SSNE_TRY(survey(t, err));
  if (!t->webdataset) {
    SSNE_TRY(order_folders(t, err)); /* "a-b" may lie within a class, "a" before it be another */
    if (t->count) qsort_r(t->entries, (size_t)t->count, sizeof(entry), by_class, t->text);
    return SSNE_OK;
  }
  for (int64_t first = 0, end; first < t->count; first = end) {
    end = end_of_key(t, first);
    SSNE_TRY(join_key(t, first, end, err));
  }
  keep_images(t, false, 0);
  if (t->count) qsort(t->entries, (size_t)t->count, sizeof(entry), by_offset);
  return check_labels(t, err);
}

/* --- the samples ------------------------------------------------------------------------- */

/* Names begin with the tar's own, where there are several. */
static ssne_code deliver(tar *t, gather *g, ssne_error *err) {
  char name[2 * GATHER_LONGEST_NAME];
  const char *slash = strrchr(t->path, '/'), *base = slash ? slash + 1 : t->path;
  for (int64_t i = 0; i < t->count; i++) {
    const entry *e = &t->entries[i];
    const ssne_place place = {t->number, e->offset, e->size};
    const bool several = t->input->containers > 1;
    snprintf(name, sizeof name, "%s%s%s", several ? base : "", several ? "/" : "",
             t->text + e->name);
    if (ssne_gather_add(g, name, e->label < 0 ? NULL : t->text + e->label, 0, &place, err))
      return ssne_fail_in(err, "%s", t->path);
  }
  g->out->ignored += t->ignored;
  if (t->count > 0 && t->entries[0].label < 0) g->out->unlabelled += t->unlabelled;
  return SSNE_OK;
}

/* What the labels of a tar are, the rows of which begin at `from`, must be what those of the others
 * are; *kind is -1 before the first. */
static ssne_code agree_kind(const tar *t, const gather *g, int64_t from, int *kind,
                            ssne_error *err) {
  ssne_label_kind own = SSNE_LABELS_NONE;
  if (from == g->out->count) return SSNE_OK; /* no images */
  SSNE_TRY(ssne_gather_check(g, from, !t->webdataset, t->input->source, NULL, &own, err));
  if (*kind < 0) *kind = (int)own;
  return ssne_label_kinds_agree(t->input->source, own, (ssne_label_kind)*kind, err);
}

static ssne_code scan_one(const ssne_input *input, int64_t number, gather *g, int *kind,
                          ssne_error *err) {
  const int64_t from = g->out->count;
  tar t = {.input = input, .number = number, .path = input->container[number], .file = -1};
  SSNE_TRY(ssne_open_regular(t.path, &t.file, &t.size, NULL, err));
  ssne_code code = ssne_input_check_tar(t.path, t.file, t.size, err);
  if (!code) code = list_entries(&t, err);
  if (!code) code = order_entries(&t, err);
  if (!code) code = deliver(&t, g, err);
  if (!code) code = agree_kind(&t, g, from, kind, err);
  close(t.file);
  ssne_free(&t.text);
  ssne_free(&t.entries);
  return code;
}

/* A part has its share of the tars. */
static ssne_code scan_tars(const ssne_input *input, int part, int parts, ssne_samples *out,
                           ssne_error *err) {
  gather g = {.out = out};
  const int64_t end = ssne_share_begin(input->containers, parts, part + 1);
  int kind = -1;
  ssne_code code = SSNE_OK;
  for (int64_t c = ssne_share_begin(input->containers, parts, part); c < end && !code; c++)
    code = scan_one(input, c, &g, &kind, err);
  if (!code)
    code = ssne_gather_assign(&g, kind < 0 ? SSNE_LABELS_NONE : (ssne_label_kind)kind, err);
  ssne_gather_end(&g, code != SSNE_OK);
  return code;
}

static ssne_code read_entry(const ssne_input *input, const char *name, const ssne_place *place,
                            ssne_input_reader *reader, ssne_error *err) {
  (void)name;
  SSNE_TRY(ssne_input_use(input, place->file, reader, err));
  SSNE_TRY(ssne_buffer_reserve(&reader->bytes, place->size, "bytes of an image file", err));
  SSNE_TRY(ssne_read_at(reader->handle, reader->bytes.bytes, place->size, place->offset, err));
  return ssne_image_decode(reader->bytes.bytes, (size_t)place->size, &reader->image, err);
}

const input_format ssne_tar_format = {"tar", scan_tars, read_entry};
