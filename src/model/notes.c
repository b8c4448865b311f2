/* What a model's exporter noted beside it. A TorchScript file is a zip archive, NAME/extra/...
 * being what torch.jit.save was given as _extra_files: to read that needs no libtorch. */
#include "model.h"

#include "shardsne/files.h"
#include "shardsne/memory.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <unistd.h>

#define NOTES "/extra/preprocessing.json"
#define NOTES_MOST (64 << 10)

static bool is_notes(const char *name) {
  const size_t length = name ? strlen(name) : 0, tail = strlen(NOTES);
  return length > tail && strcmp(name + length - tail, NOTES) == 0;
}

static ssne_code read_entry(struct archive *a, const char *path, char **notes, ssne_error *err) {
  SSNE_TRY(ssne_alloc(notes, NOTES_MOST + 1, 1, "characters of a model's notes", err));
  const la_ssize_t got = archive_read_data(a, *notes, NOTES_MOST + 1);
  if (got >= 0 && got <= NOTES_MOST) {
    (*notes)[got] = 0;
    return SSNE_OK;
  }
  ssne_free(notes);
  return ssne_fail(err, SSNE_USAGE, "%s: its preprocessing.json %s: export the model again", path,
                   got < 0 ? "cannot be read" : "has more than 64 KiB");
}

ssne_code ssne_model_notes(const char *path, char **notes, ssne_error *err) {
  struct archive *a = archive_read_new();
  struct archive_entry *entry = NULL;
  ssne_error unused;
  int file = -1;
  ssne_code code = SSNE_OK;
  *notes = NULL;
  if (!a) return ssne_fail(err, SSNE_FAILED, "out of memory for libarchive's state");
  bool more = ssne_open_regular(path, &file, NULL, NULL, &unused) == SSNE_OK &&
              archive_read_support_format_zip_seekable(a) == ARCHIVE_OK &&
              archive_read_open_fd(a, file, 64 << 10) == ARCHIVE_OK;
  /* what is no file, no zip, or a damaged one, is for ssne_model_load to name */
  while (more && archive_read_next_header(a, &entry) == ARCHIVE_OK) {
    if (!is_notes(archive_entry_pathname(entry))) continue;
    code = read_entry(a, path, notes, err);
    more = false;
  }
  archive_read_free(a);
  if (file >= 0) close(file);
  return code;
}
