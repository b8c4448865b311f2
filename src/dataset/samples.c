#include "gather.h"

#include "shardsne/memory.h"
#include "shardsne/partition.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- what a scan gathers ----------------------------------------------------------------- */

typedef struct folder {
  int64_t path; /* into `text`; below the folder scanned, whose own is empty */
  int64_t path_length;
  int64_t parent; /* index, -1 for the folder scanned */
  int32_t label;
  dev_t device;
  ino_t inode;
} folder;

typedef struct file {
  int64_t path; /* into `text`; below the folder scanned */
  int64_t folder_length;
  int32_t label;
} file;

typedef struct scan {
  const char *root; /* as the user gave it, for messages */
  int root_handle;
  char *text;
  folder *folders;
  file *files;
  int64_t text_size, text_room;
  int64_t folder_count, folder_room;
  int64_t file_count, file_room;
  int64_t ignored;
  int part, parts; /* of the classes, which is this scan's */
} scan;

/* Appends the path of `name` in the folder `in` to the text. */
static ssne_code add_path(scan *s, int64_t in, const char *name, int64_t *path, int64_t *length,
                          ssne_error *err) {
  const int64_t name_length = (int64_t)strlen(name);
  const int64_t above = in < 0 ? 0 : s->folders[in].path_length;
  SSNE_TRY(ssne_grow(&s->text, &s->text_room, s->text_size, above + name_length + 2, 1,
                     "characters of file names", err));
  char *end = s->text + s->text_size;
  *path = s->text_size;
  if (above) {
    memcpy(end, s->text + s->folders[in].path, (size_t)above);
    end[above] = '/';
    end += above + 1;
  }
  memcpy(end, name, (size_t)name_length + 1);
  *length = end + name_length - (s->text + *path);
  s->text_size += *length + 1;
  return SSNE_OK;
}

static ssne_code add_folder(scan *s, int64_t in, const char *name, ssne_error *err) {
  folder f = {.parent = in, .label = in < 0 ? -1 : s->folders[in].label};
  SSNE_TRY(add_path(s, in, name, &f.path, &f.path_length, err));
  SSNE_TRY(
      ssne_grow(&s->folders, &s->folder_room, s->folder_count, 1, sizeof(folder), "folders", err));
  s->folders[s->folder_count++] = f;
  return SSNE_OK;
}

static ssne_code add_file(scan *s, int64_t in, const char *name, ssne_error *err) {
  if (!ssne_is_image_name(name)) {
    s->ignored++;
    return SSNE_OK;
  }
  file f = {.folder_length = s->folders[in].path_length, .label = s->folders[in].label};
  int64_t length;
  SSNE_TRY(add_path(s, in, name, &f.path, &length, err));
  SSNE_TRY(ssne_grow(&s->files, &s->file_room, s->file_count, 1, sizeof(file), "files", err));
  s->files[s->file_count++] = f;
  return SSNE_OK;
}

/* --- walking ----------------------------------------------------------------------------- */

/* A broken link counts as a file, as in Python: it is named when it cannot be read. */
static bool is_folder(int handle, const struct dirent *entry) {
  if (entry->d_type != DT_UNKNOWN && entry->d_type != DT_LNK) return entry->d_type == DT_DIR;
  struct stat about;
  return fstatat(handle, entry->d_name, &about, 0) == 0 && S_ISDIR(about.st_mode);
}

static ssne_code check_loop(scan *s, int64_t at, int handle, ssne_error *err) {
  folder *f = &s->folders[at];
  struct stat about;
  if (fstat(handle, &about))
    return ssne_fail(err, SSNE_FAILED, "%s/%s: %s", s->root, s->text + f->path, strerror(errno));
  f->device = about.st_dev;
  f->inode = about.st_ino;
  for (int64_t up = f->parent; up >= 0; up = s->folders[up].parent)
    if (s->folders[up].device == f->device && s->folders[up].inode == f->inode)
      return ssne_fail(err, SSNE_FAILED,
                       "%s/%s: a link back to %s/%s, a loop without end; remove it", s->root,
                       s->text + f->path, s->root, s->text + s->folders[up].path);
  return SSNE_OK;
}

static ssne_code list_folder(scan *s, int64_t at, DIR *stream, ssne_error *err) {
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(stream);
    if (!entry && errno)
      return ssne_fail(err, SSNE_FAILED, "%s/%s: %s", s->root, s->text + s->folders[at].path,
                       strerror(errno));
    if (!entry) return SSNE_OK;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (is_folder(dirfd(stream), entry))
      SSNE_TRY(add_folder(s, at, entry->d_name, err));
    else
      SSNE_TRY(add_file(s, at, entry->d_name, err));
  }
}

static ssne_code visit(scan *s, int64_t at, ssne_error *err) {
  const char *path = s->text + s->folders[at].path;
  const int handle = openat(s->root_handle, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = handle < 0 ? NULL : fdopendir(handle);
  if (!stream) {
    const int reason = errno;
    if (handle >= 0) close(handle);
    return ssne_fail(err, SSNE_FAILED, "%s/%s: %s", s->root, path, strerror(reason));
  }
  ssne_code code = check_loop(s, at, handle, err);
  if (!code) code = list_folder(s, at, stream, err);
  closedir(stream);
  return code;
}

/* --- order ------------------------------------------------------------------------------- */

static int by_folder_name(const void *a, const void *b, void *text) {
  const folder *x = a, *y = b;
  return strcmp((char *)text + x->path, (char *)text + y->path);
}

/* Keeps the part's classes, which are all the folders after the first so far, and numbers them. */
static ssne_code label_classes(scan *s, ssne_error *err) {
  const int64_t count = s->folder_count - 1;
  if (count > INT32_MAX)
    return ssne_fail(err, SSNE_USAGE, "%s: %" PRId64 " class folders, more than 2^31 - 1", s->root,
                     count);
  qsort_r(s->folders + 1, (size_t)count, sizeof(folder), by_folder_name, s->text);
  const int64_t begin = ssne_share_begin(count, s->parts, s->part);
  const int64_t own = ssne_share_begin(count, s->parts, s->part + 1) - begin;
  memmove(s->folders + 1, s->folders + 1 + begin, (size_t)own * sizeof(folder));
  s->folder_count = 1 + own;
  for (int64_t c = 0; c < own; c++) s->folders[c + 1].label = (int32_t)c;
  return SSNE_OK;
}

/* By class, then as ImageFolder orders a class. */
static int by_row(const void *a, const void *b, void *text) {
  const file *x = a, *y = b;
  if (x->label != y->label) return x->label < y->label ? -1 : 1;
  return ssne_compare_paths((char *)text + x->path, x->folder_length, (char *)text + y->path,
                            y->folder_length);
}

/* Visits the folders in the order in which they are found: rows are sorted at the end. */
static ssne_code walk(scan *s, int64_t *class_count, ssne_error *err) {
  SSNE_TRY(add_folder(s, -1, "", err));
  SSNE_TRY(visit(s, 0, err));
  const bool classes = s->folder_count > 1;
  if (classes) {
    s->ignored += s->file_count; /* beside the classes, not in one */
    SSNE_TRY(label_classes(s, err));
  } else if (s->file_count == 0) {
    return ssne_fail(err, SSNE_USAGE,
                     "%s: no images (jpg jpeg png ppm bmp pgm tif tiff webp) and no folders",
                     s->root);
  }
  if (classes || s->part > 0) s->file_count = 0;
  if (s->part > 0) s->ignored = 0; /* part 0 has counted what lies at the top */
  *class_count = s->folder_count - 1;
  for (int64_t at = 1; at < s->folder_count; at++) SSNE_TRY(visit(s, at, err));
  if (s->file_count) qsort_r(s->files, (size_t)s->file_count, sizeof(file), by_row, s->text);
  return SSNE_OK;
}

/* --- the result -------------------------------------------------------------------------- */

static ssne_code check_classes(const scan *s, int64_t class_count, ssne_error *err) {
  int64_t row = 0;
  for (int64_t c = 0; c < class_count; c++) {
    if (row == s->file_count || s->files[row].label != c)
      return ssne_fail(err, SSNE_USAGE, "%s/%s: a class folder without images; remove it", s->root,
                       s->text + s->folders[c + 1].path);
    while (row < s->file_count && s->files[row].label == c) row++;
  }
  return SSNE_OK;
}

static ssne_code copy_names(const scan *s, ssne_samples *out, ssne_error *err) {
  for (int64_t row = 0; row < s->file_count; row++)
    out->names_size += (int64_t)strlen(s->text + s->files[row].path) + 1;
  SSNE_TRY(ssne_alloc(&out->names, out->names_size, 1, "characters of file names", err));
  SSNE_TRY(ssne_alloc(&out->name_offset, s->file_count, sizeof(int64_t), "file names", err));
  SSNE_TRY(ssne_alloc(&out->label, s->file_count, sizeof(int32_t), "labels", err));
  char *end = out->names;
  for (int64_t row = 0; row < s->file_count; row++) {
    out->name_offset[row] = end - out->names;
    out->label[row] = s->files[row].label;
    end = stpcpy(end, s->text + s->files[row].path) + 1;
  }
  out->count = s->file_count;
  return SSNE_OK;
}

static ssne_code copy_classes(const scan *s, int64_t count, ssne_samples *out, ssne_error *err) {
  for (int64_t c = 0; c < count; c++) out->classes_size += s->folders[c + 1].path_length + 1;
  SSNE_TRY(ssne_alloc(&out->classes, out->classes_size, 1, "characters of class names", err));
  SSNE_TRY(ssne_alloc(&out->class_offset, count, sizeof(int64_t), "class names", err));
  char *end = out->classes;
  for (int64_t c = 0; c < count; c++) {
    out->class_offset[c] = end - out->classes;
    end = stpcpy(end, s->text + s->folders[c + 1].path) + 1;
  }
  out->class_count = count;
  return SSNE_OK;
}

static ssne_code scan_into(scan *s, ssne_samples *out, ssne_error *err) {
  int64_t class_count = 0;
  SSNE_TRY(walk(s, &class_count, err));
  SSNE_TRY(check_classes(s, class_count, err));
  out->ignored = s->ignored;
  out->labels = class_count > 0 ? SSNE_LABELS_NAMES : SSNE_LABELS_NONE;
  SSNE_TRY(copy_names(s, out, err));
  return copy_classes(s, class_count, out, err);
}

ssne_code ssne_samples_scan(const char *path, ssne_samples *out, ssne_error *err) {
  return ssne_samples_scan_part(path, 0, 1, out, err);
}

ssne_code ssne_samples_scan_part(const char *path, int part, int parts, ssne_samples *out,
                                 ssne_error *err) {
  *out = (ssne_samples){0};
  scan s = {.root = path, .part = part, .parts = parts};
  s.root_handle = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (s.root_handle < 0) {
    const ssne_code code = errno == ENOENT || errno == ENOTDIR ? SSNE_USAGE : SSNE_FAILED;
    return ssne_fail(err, code, "%s: %s; name a folder of images", path, strerror(errno));
  }
  const ssne_code code = scan_into(&s, out, err);
  close(s.root_handle);
  ssne_free(&s.text);
  ssne_free(&s.folders);
  ssne_free(&s.files);
  if (code) ssne_samples_free(out);
  return code;
}

ssne_code ssne_label_kinds_agree(const char *source, ssne_label_kind one, ssne_label_kind other,
                                 ssne_error *err) {
  static const char *const words[] = {"none at all", "numbers", "names"};
  if (one == other) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE,
                   "%s: some of its files have labels that are %s, others %s; give all the same",
                   source, words[one > other ? one : other], words[one > other ? other : one]);
}

void ssne_samples_free(ssne_samples *samples) {
  ssne_free(&samples->names);
  ssne_free(&samples->name_offset);
  ssne_free(&samples->label);
  ssne_free(&samples->classes);
  ssne_free(&samples->class_offset);
  ssne_free(&samples->place);
  *samples = (ssne_samples){0};
}
