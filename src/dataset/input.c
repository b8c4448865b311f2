#include "formats.h"
#include "gather.h"

#include "shardsne/files.h"
#include "shardsne/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define HEAD 512 /* bytes that tell what a file is */
#define MOST_CONTAINERS 1000000

/* --- containers -------------------------------------------------------------------------- */

ssne_code ssne_input_add(ssne_input *input, const char *path, ssne_error *err) {
  int64_t room = input->containers;
  if (input->containers % 1024 == 0)
    SSNE_TRY(ssne_grow(&input->container, &room, input->containers, 1024, sizeof(char *),
                       "containers", err));
  SSNE_TRY(ssne_copy_text(&input->container[input->containers], path, err));
  input->containers++;
  return SSNE_OK;
}

ssne_code ssne_input_use(const ssne_input *input, int64_t file, ssne_input_reader *reader,
                         ssne_error *err) {
  if (file < 0 || file >= input->containers)
    return ssne_fail(err, SSNE_FAILED, "file %" PRId64 " of %" PRId64, file, input->containers);
  if (reader->opened == file + 1) return SSNE_OK;
  if (reader->opened) close(reader->handle);
  reader->opened = 0;
  reader->handle = open(input->container[file], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (reader->handle < 0)
    return ssne_fail(err, SSNE_FAILED, "%s: %s", input->container[file], strerror(errno));
  reader->opened = file + 1;
  return SSNE_OK;
}

void ssne_input_reader_free(ssne_input_reader *reader) {
  if (reader->opened) close(reader->handle);
  ssne_image_free(&reader->image);
  ssne_free(&reader->bytes.bytes);
  *reader = (ssne_input_reader){.opened = 0};
}

/* --- what a file is ---------------------------------------------------------------------- */

static bool begins(const uint8_t *head, int64_t size, const char *magic, int64_t length) {
  return size >= length && memcmp(head, magic, (size_t)length) == 0;
}

/* Bytes that a list would hold: no control characters but tabs and ends of lines. */
static bool is_text(const uint8_t *head, int64_t size) {
  for (int64_t i = 0; i < size; i++)
    if ((head[i] < ' ' && !strchr("\t\r\n", head[i])) || head[i] == 0 || head[i] == 0x7f)
      return false;
  return size > 0;
}

/* What is known, and not read as a set of images; NULL: not known. */
static const char *recognise_other(const uint8_t *head, int64_t size) {
  static const struct {
    const char *magic;
    int length;
    const char *what;
  } known[] = {
      {"\x1f\x8b", 2,
       "compressed (gzip): decompress it, say with gunzip; images are read in place"},
      {"BZh", 3, "compressed (bzip2): decompress it, say with bunzip2; images are read in place"},
      {"\xfd"
       "7zXZ",
       5, "compressed (xz): decompress it, say with unxz; images are read in place"},
      {"\x28\xb5\x2f\xfd", 4,
       "compressed (zstd): decompress it, say with unzstd; images are read in place"},
      {"\x89HDF\r\n", 6, "an HDF5 file: name the dataset in it, as FILE.h5:/path"},
      {"PK\3\4", 4, "a zip archive: unpack it, or make a tar of it"},
      {"\xff\xd8\xff", 3, "a single JPEG: name the folder of images, or a list of them"},
      {"\x89PNG", 4, "a single PNG: name the folder of images, or a list of them"},
  };
  for (size_t k = 0; k < sizeof known / sizeof *known; k++)
    if (begins(head, size, known[k].magic, known[k].length)) return known[k].what;
  static const uint8_t zeros[HEAD] = {0};
  if (size == HEAD && memcmp(head, zeros, HEAD) == 0)
    return "zeros, as a tar without anything in it or a file never written: no images; make it "
           "anew";
  return size > 0 ? NULL : "empty file: neither a list, a tar nor an array";
}

static ssne_code read_head(const char *path, uint8_t head[HEAD], int64_t *size, int64_t *whole,
                           ssne_error *err) {
  int file = -1;
  SSNE_TRY(ssne_open_regular(path, &file, whole, NULL, err));
  *size = *whole > HEAD ? HEAD : *whole;
  const ssne_code code = ssne_read_at(file, head, *size, 0, err);
  close(file);
  return code ? ssne_fail_in(err, "%s", path) : SSNE_OK;
}

/* The folder that holds `path`. */
static ssne_code copy_folder(const char *path, char **out, ssne_error *err) {
  const char *slash = strrchr(path, '/');
  SSNE_TRY(ssne_copy_text(out, slash ? path : ".", err));
  if (slash) (*out)[slash == path ? 1 : slash - path] = 0;
  return SSNE_OK;
}

/* The first bytes that a gzipped file holds. */
static ssne_code unpack_head(const char *path, uint8_t head[HEAD], int64_t *size, ssne_error *err) {
  gzFile file = gzopen(path, "rb");
  const int got = file ? gzread(file, head, HEAD) : -1;
  int reason = 0;
  const char *why = file ? gzerror(file, &reason) : strerror(errno);
  *size = got;
  ssne_code code = SSNE_OK;
  if (got < 0 || reason < 0)
    code = ssne_fail(err, SSNE_USAGE, "%s: gzipped, and truncated or damaged (%s); copy it anew",
                     path, why);
  if (file) gzclose(file);
  return code;
}

static ssne_code open_file(ssne_input *input, const char *path, ssne_error *err) {
  uint8_t head[HEAD], unpacked[HEAD];
  int64_t size = 0, whole = 0, beginning = 0;
  SSNE_TRY(read_head(path, head, &size, &whole, err));
  if (begins(head, size, "\x1f\x8b", 2)) SSNE_TRY(unpack_head(path, unpacked, &beginning, err));
  input->compressed = ssne_idx_begins(unpacked, beginning);
  if (input->compressed || ssne_idx_begins(head, size)) return ssne_idx_open(input, path, err);
  if (begins(head, size, "\x93NUMPY", 6)) return ssne_npy_images_open(input, path, err);
  if (ssne_cifar_is_file(path, whole)) return ssne_cifar_open_file(input, path, err);
  if (ssne_tar_begins(head, size)) {
    input->format = &ssne_tar_format;
    return ssne_input_add(input, path, err);
  }
  if (is_text(head, size)) {
    input->format = &ssne_list_format;
    return copy_folder(path, &input->folder, err);
  }
  const char *other = recognise_other(head, size);
  return ssne_fail(err, SSNE_USAGE, "%s: %s", path,
                   other ? other
                         : "not recognised: neither a CSV or TSV list, a tar, IDX, .npy nor a file "
                           "of CIFAR's; docs/inputs.md says what is read");
}

/* --- several tars: shards-{000..127}.tar -------------------------------------------------- */

typedef struct range {
  int prefix, width; /* characters before the brace; of a number */
  long long first, last;
  const char *suffix;
} range;

static bool parse_range(const char *source, range *r) {
  const char *brace = strchr(source, '{');
  int end = 0, from = 0, to = 0;
  if (!brace || sscanf(brace, "{%n%lld%n..%lld}%n", &from, &r->first, &to, &r->last, &end) < 2)
    return false;
  r->prefix = (int)(brace - source);
  r->width = to - from;
  r->suffix = brace + end;
  return end > 0;
}

static ssne_code fail_no_tar(const char *path, const char *what, ssne_error *err) {
  return ssne_fail(err, SSNE_USAGE, "%s: %s", path,
                   what ? what : "not a tar; several files at once are read as tars");
}

ssne_code ssne_input_check_tar(const char *path, int file, int64_t whole, ssne_error *err) {
  uint8_t head[HEAD];
  const int64_t size = whole > HEAD ? HEAD : whole;
  if (ssne_read_at(file, head, size, 0, err)) return ssne_fail_in(err, "%s", path);
  if (ssne_tar_begins(head, size)) return SSNE_OK;
  return fail_no_tar(path, recognise_other(head, size), err);
}

/* The first one is looked at here, the others when they are scanned: there may be thousands. */
static ssne_code open_range(ssne_input *input, const range *r, ssne_error *err) {
  const size_t room = strlen(input->source) + 32;
  char *path = NULL;
  if (r->first < 0 || r->last < r->first || r->last - r->first >= MOST_CONTAINERS)
    return ssne_fail(err, SSNE_USAGE, "%s: {%lld..%lld} is no range of files to count up",
                     input->source, r->first, r->last);
  SSNE_TRY(ssne_alloc(&path, (int64_t)room, 1, "characters", err));
  ssne_code code = SSNE_OK;
  for (long long n = r->first; n <= r->last && !code; n++) {
    snprintf(path, room, "%.*s%0*lld%s", r->prefix, input->source, r->width, n, r->suffix);
    code = n == r->first ? open_file(input, path, err) : ssne_input_add(input, path, err);
    if (!code && input->format != &ssne_tar_format) code = fail_no_tar(path, NULL, err);
  }
  ssne_free(&path);
  return code;
}

/* --- the input --------------------------------------------------------------------------- */

static ssne_code recognise(ssne_input *input, ssne_error *err) {
  struct stat about;
  range r;
  if (stat(input->source, &about) == 0) {
    bool cifar = false;
    if (!S_ISDIR(about.st_mode)) return open_file(input, input->source, err);
    SSNE_TRY(ssne_cifar_open_folder(input, input->source, &cifar, err));
    if (cifar) return SSNE_OK;
    input->format = &ssne_folder_format;
    return ssne_copy_text(&input->folder, input->source, err);
  }
  const int reason = errno;
  char *file = NULL;
  const char *dataset = NULL;
  SSNE_TRY(ssne_split_dataset(input->source, &file, &dataset, err));
  const ssne_code code = dataset ? ssne_hdf5_open_images(input, file, dataset, err) : SSNE_OK;
  ssne_free(&file);
  if (dataset) return code;
  if (parse_range(input->source, &r)) return open_range(input, &r, err);
  return ssne_fail(err, SSNE_USAGE,
                   "%s: %s; name a folder of images, a list, or a tar (docs/inputs.md)",
                   input->source, strerror(reason));
}

ssne_code ssne_split_dataset(const char *name, char **file, const char **dataset, ssne_error *err) {
  const char *colon = NULL;
  for (const char *c = strstr(name, ":/"); c; c = strstr(c + 1, ":/")) colon = c; /* the last */
  SSNE_TRY(ssne_copy_text(file, name, err));
  *dataset = colon ? colon + 1 : NULL;
  if (colon) (*file)[colon - name] = 0;
  return SSNE_OK;
}

static void name_kind(ssne_input *input) {
  if (input->containers > 1)
    snprintf(input->kind, sizeof input->kind, "%s, %" PRId64 " files", input->format->name,
             input->containers);
  else
    snprintf(input->kind, sizeof input->kind, "%s", input->format->name);
}

ssne_code ssne_input_open(const char *source, const char *labels, const ssne_arrays *arrays,
                          ssne_input **out, ssne_error *err) {
  SSNE_TRY(ssne_alloc(out, 1, sizeof **out, "inputs", err));
  (*out)->arrays = arrays;
  ssne_code code = ssne_copy_text(&(*out)->source, source, err);
  if (!code && labels) code = ssne_copy_text(&(*out)->labels, labels, err);
  if (!code) code = recognise(*out, err);
  if (!code && labels && (*out)->format != &ssne_array_format &&
      (*out)->format != &ssne_hdf5_format)
    code = ssne_fail(err, SSNE_USAGE,
                     "--labels are for arrays of images (IDX, .npy, HDF5); %s is a %s, which has "
                     "its own",
                     source, (*out)->format->name);
  if (code)
    ssne_input_close(out);
  else
    name_kind(*out);
  return code;
}

void ssne_input_close(ssne_input **input) {
  if (!*input) return;
  for (int64_t c = 0; c < (*input)->containers; c++) ssne_free(&(*input)->container[c]);
  ssne_free(&(*input)->container);
  ssne_free(&(*input)->source);
  ssne_free(&(*input)->folder);
  ssne_free(&(*input)->labels);
  ssne_free(&(*input)->held);
  if ((*input)->array) (*input)->arrays->close(&(*input)->array);
  ssne_free(input);
}

const char *ssne_input_kind(const ssne_input *input) {
  return input->kind;
}

bool ssne_input_is_folder(const ssne_input *input) {
  return input->format == &ssne_folder_format;
}

ssne_code ssne_input_state(const ssne_input *input, char **state, int64_t *size, ssne_error *err) {
  int64_t room = 0, facts[2] = {0};
  *state = NULL;
  *size = 0;
  if (input->format != &ssne_tar_format) return SSNE_OK;
  for (int64_t c = 0; c < input->containers; c++) {
    const char *path = input->container[c];
    const int64_t length = (int64_t)strlen(path) + 1, bytes = (int64_t)sizeof facts + length;
    int file = -1;
    SSNE_TRY(ssne_grow(state, &room, *size, bytes, 1, "bytes of an index", err));
    SSNE_TRY(ssne_open_regular(path, &file, &facts[0], &facts[1], err));
    close(file);
    memcpy(*state + *size, facts, sizeof facts);
    memcpy(*state + *size + sizeof facts, path, (size_t)length);
    *size += bytes;
  }
  return SSNE_OK;
}

ssne_code ssne_input_scan(const ssne_input *input, int part, int parts, ssne_samples *out,
                          ssne_error *err) {
  *out = (ssne_samples){0};
  return input->format->scan(input, part, parts, out, err);
}

ssne_code ssne_input_read(const ssne_input *input, const char *name, const ssne_place *place,
                          ssne_input_reader *reader, ssne_error *err) {
  return input->format->read(input, name, place, reader, err);
}

/* --- files by name ----------------------------------------------------------------------- */

ssne_code ssne_input_read_file(const ssne_input *input, const char *name, const ssne_place *place,
                               ssne_input_reader *reader, ssne_error *err) {
  char path[2 * GATHER_LONGEST_NAME];
  (void)place;
  const int length = *name == '/' ? snprintf(path, sizeof path, "%s", name)
                                  : snprintf(path, sizeof path, "%s/%s", input->folder, name);
  if (length >= (int)sizeof path) return ssne_fail(err, SSNE_USAGE, "%s", strerror(ENAMETOOLONG));
  return ssne_image_read(path, &reader->bytes, &reader->image, err);
}

static ssne_code scan_folder(const ssne_input *input, int part, int parts, ssne_samples *out,
                             ssne_error *err) {
  return ssne_samples_scan_part(input->folder, part, parts, out, err);
}

const input_format ssne_folder_format = {"folder", scan_folder, ssne_input_read_file};
