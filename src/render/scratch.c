#include "process.h"

#include "shardsne/memory.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

ssne_code ssne_scratch_make(char folder[SSNE_SCRATCH_SIZE], ssne_error *err) {
  const char *below = getenv("TMPDIR");
  if (!below || !*below) below = "/tmp";
  const int used = snprintf(folder, SSNE_SCRATCH_SIZE, "%s/shardsne-render-XXXXXX", below);
  if (used < 0 || used >= SSNE_SCRATCH_SIZE) {
    folder[0] = 0;
    return ssne_fail(err, SSNE_USAGE, "TMPDIR is a path too long to work in: set a shorter one");
  }
  if (mkdtemp(folder)) return SSNE_OK;
  folder[0] = 0;
  return ssne_fail(err, SSNE_FAILED,
                   "cannot make a folder for gnuplot in %s: %s; set TMPDIR to one to write in",
                   below, strerror(errno));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place) {
  (void)status, (void)type, (void)place;
  (void)remove(path); /* what cannot be removed stays in the scratch space; the picture is not it */
  return 0;
}

void ssne_scratch_remove(const char *folder) {
  if (*folder) (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

ssne_code ssne_scratch_open(const char *folder, const char *name, const char *mode, FILE **file,
                            ssne_error *err) {
  char path[SSNE_SCRATCH_SIZE + 32];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  *file = fopen(path, mode);
  if (*file) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED, "cannot open %s: %s", path, strerror(errno));
}

ssne_code ssne_scratch_close(const char *folder, FILE **file, ssne_error *err) {
  if (!*file) return SSNE_OK;
  bool failed = ferror(*file) != 0;
  if (fclose(*file) != 0) failed = true;
  *file = NULL;
  if (!failed) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED,
                   "cannot write gnuplot's input to %s: %s; free some space or set TMPDIR to a "
                   "folder that has more",
                   folder, strerror(errno));
}

ssne_code ssne_scratch_read(const char *folder, const char *name, uint8_t **bytes, int64_t *length,
                            ssne_error *err) {
  FILE *file = NULL;
  SSNE_TRY(ssne_scratch_open(folder, name, "rbe", &file, err));
  ssne_code code = SSNE_OK;
  if (fseeko(file, 0, SEEK_END) != 0 || (*length = ftello(file)) < 0 ||
      fseeko(file, 0, SEEK_SET) != 0)
    code = ssne_fail(err, SSNE_FAILED, "cannot read %s/%s: %s", folder, name, strerror(errno));
  if (code == SSNE_OK) code = ssne_alloc(bytes, *length, 1, "bytes of the picture", err);
  if (code == SSNE_OK && fread(*bytes, 1, (size_t)*length, file) != (size_t)*length)
    code = ssne_fail(err, SSNE_FAILED, "cannot read %s/%s: %s", folder, name, strerror(errno));
  (void)fclose(file); /* read only: nothing can be lost */
  return code;
}
