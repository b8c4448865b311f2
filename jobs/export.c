/* features.npy, target.npy and embedding.npy, as the Python recipe this program began as saved
 * them. */
#include "job.h"
#include "selection.h"

#include "shardsne/agree.h"
#include "shardsne/dataset.h"
#include "shardsne/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE_BYTES ((int64_t)1 << 24)

static ssne_code write_all(const void *bytes, size_t size, FILE *file, const char *path,
                           ssne_error *err) {
  if (fwrite(bytes, 1, size, file) == size) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED, "%s: writing failed: %s", path, strerror(errno));
}

/* int32 labels become int64, as PyTorch's targets are. */
static ssne_code write_labels(const int32_t *label, int64_t count, FILE *file, const char *path,
                              ssne_error *err) {
  for (int64_t i = 0; i < count; i++) {
    const int64_t wide = label[i];
    SSNE_TRY(write_all(&wide, sizeof wide, file, path, err));
  }
  return SSNE_OK;
}

static ssne_code copy_rows(ssne_store *store, ssne_set set, const ssne_set_shape *shape, FILE *file,
                           const char *path, ssne_error *err) {
  const int64_t row = shape->columns * shape->width;
  const int64_t piece = row < PIECE_BYTES ? PIECE_BYTES / row : 1;
  void *rows = NULL;
  SSNE_TRY(ssne_alloc(&rows, piece < shape->rows ? piece : shape->rows, (size_t)row, "rows", err));
  ssne_code code = SSNE_OK;
  for (int64_t first = 0; first < shape->rows && code == SSNE_OK; first += piece) {
    const int64_t count = shape->rows - first < piece ? shape->rows - first : piece;
    code = ssne_store_read(store, set, first, count, rows, err);
    if (code == SSNE_OK && set == SSNE_SET_LABELS)
      code = write_labels(rows, count, file, path, err);
    else if (code == SSNE_OK)
      code = write_all(rows, (size_t)(count * row), file, path, err);
  }
  ssne_free(&rows);
  return code;
}

static ssne_code export_set(const job *j, ssne_store *store, ssne_set set, const char *name,
                            ssne_error *err) {
  char path[4096];
  ssne_set_shape shape = {0};
  if (snprintf(path, sizeof path, "%s/%s", j->options.export.to, name) >= (int)sizeof path)
    return ssne_fail(err, SSNE_USAGE, "--to: a path of more than %zu bytes", sizeof path);
  SSNE_TRY(ssne_store_shape(store, set, &shape, err));
  if (!shape.exists) {
    ssne_log_info(j->log, "%s: not in %s, not written", name, j->word);
    return SSNE_OK;
  }
  FILE *file = fopen(path, "wb");
  if (!file) return ssne_fail(err, SSNE_FAILED, "%s: cannot be written: %s", path, strerror(errno));
  const bool labels = set == SSNE_SET_LABELS;
  ssne_code code = ssne_npy_write_header(file, labels ? SSNE_INT64 : SSNE_FLOAT32, shape.rows,
                                         labels ? 0 : shape.columns, err);
  if (code == SSNE_OK) code = copy_rows(store, set, &shape, file, path, err);
  if (fclose(file) != 0 && code == SSNE_OK)
    code = ssne_fail(err, SSNE_FAILED, "%s: writing failed: %s", path, strerror(errno));
  if (code == SSNE_OK) ssne_log_info(j->log, "%s: %" PRId64 " rows", path, shape.rows);
  return code;
}

/* What is half done is not exported: the rows that are missing would look like any others. */
static ssne_code check_complete(const job *j, ssne_store *store, ssne_error *err) {
  ssne_set_shape features = {0}, coordinates = {0};
  bool extracted = false, embedded = false;
  SSNE_TRY(ssne_store_shape(store, SSNE_SET_FEATURES, &features, err));
  SSNE_TRY(ssne_store_shape(store, SSNE_SET_COORDINATES, &coordinates, err));
  SSNE_TRY(job_is_complete(store, "extract_complete", &extracted, err));
  SSNE_TRY(job_is_complete(store, "embed_complete", &embedded, err));
  if (features.exists && !extracted)
    return ssne_fail(err, SSNE_USAGE,
                     "%s: its features are not complete: finish `shardsne extract`", j->word);
  if (coordinates.exists && !embedded)
    return ssne_fail(err, SSNE_USAGE, "%s: its embedding is not complete: finish `shardsne embed`",
                     j->word);
  if (!features.exists) return SSNE_OK;
  selection chosen = {0};
  SSNE_TRY(selection_read(store, features.rows, &chosen, err));
  if (chosen.rows < chosen.file_rows)
    ssne_log_warn(j->log,
                  "%" PRId64 " rows are of bad images: zeros in features.npy, NaN in embedding.npy",
                  chosen.file_rows - chosen.rows);
  selection_free(&chosen);
  return SSNE_OK;
}

static ssne_code export_all(const job *j, ssne_store *store, ssne_error *err) {
  const char *to = j->options.export.to;
  SSNE_TRY(check_complete(j, store, err));
  if (mkdir(to, 0777) != 0 && errno != EEXIST)
    return ssne_fail(err, SSNE_FAILED, "%s: the folder cannot be made: %s", to, strerror(errno));
  SSNE_TRY(export_set(j, store, SSNE_SET_FEATURES, "features.npy", err));
  SSNE_TRY(export_set(j, store, SSNE_SET_LABELS, "target.npy", err));
  return export_set(j, store, SSNE_SET_COORDINATES, "embedding.npy", err);
}

ssne_code job_export(job *j, ssne_error *err) {
  ssne_store *store = NULL;
  ssne_error later;
  SSNE_TRY(job_require(j->word, "RUN.h5", err));
  SSNE_TRY(job_require(j->options.export.to, "--to DIR", err));
  SSNE_TRY(ssne_store_open(j->word, false, j->comm, &store, NULL, err));
  ssne_code code = j->rank == 0 ? export_all(j, store, err) : SSNE_OK;
  code = ssne_agree(j->comm, code, err);
  (void)ssne_store_close(&store, &later); /* it was only read */
  return code;
}
