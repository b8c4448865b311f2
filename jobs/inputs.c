#include "inputs.h"

#include "shardsne/dataset.h"
#include "shardsne/memory.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_folder(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Why there are no images although there may be a folder of them; NULL: there are. */
static const char *find_fault(const char *const *names, const char *made, const char *folder) {
  if (!names)
    return made ? "the run file does not name its samples" : "the features came from an array";
  return folder ? NULL : "the run file does not say where they are; --images says so";
}

ssne_code inputs_find(ssne_store *store, const char *folder, const char *const *names, int threads,
                      inputs *out, ssne_error *err) {
  *out = (inputs){.names = names, .threads = threads};
  char *made = NULL;
  SSNE_TRY(ssne_store_get_text(store, "extract_options", &made, err));
  json_t *options = made ? json_loads(made, 0, NULL) : NULL;
  const char *where = folder ? folder : json_string_value(json_object_get(options, "images"));
  const char *fault = find_fault(names, made, where);
  ssne_code code = SSNE_OK;
  if (fault)
    snprintf(out->why, sizeof out->why, "%s", fault);
  else if (is_folder(where))
    code = ssne_copy_text(&out->folder, where, err);
  else if (folder) /* the user's own word */
    code = ssne_fail(err, SSNE_USAGE, "--images %s: there is no such folder", folder);
  else
    snprintf(out->why, sizeof out->why,
             "they are no longer in %.300s; --images FOLDER says where they are", where);
  json_decref(options);
  ssne_free(&made);
  return code;
}

/* A name from a run file leads nowhere but below the folder. */
static bool stays_below(const char *name) {
  if (*name == '/' || *name == 0) return false;
  for (const char *part = name; part; part = strchr(part, '/')) {
    part += *part == '/';
    if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == 0)) return false;
  }
  return true;
}

typedef struct reader {
  ssne_buffer file;
  ssne_image image;
  ssne_transform_work work;
  ssne_error unused; /* an image that cannot be read is left out, and counted */
} reader;

static bool read_one(const inputs *in, const char *name, int side, bool square, reader *r,
                     ssne_small_image *out) {
  char path[8192];
  const ssne_image *small = NULL;
  if (!stays_below(name) ||
      snprintf(path, sizeof path, "%s/%s", in->folder, name) >= (int)sizeof path)
    return false;
  if (ssne_image_read(path, &r->file, &r->image, &r->unused) != SSNE_OK) return false;
  const ssne_code code = square
                             ? ssne_thumbnail_square(&r->image, side, &r->work, &small, &r->unused)
                             : ssne_thumbnail_fit(&r->image, side, &r->work, &small, &r->unused);
  if (code != SSNE_OK) return false;
  out->width = small->width;
  out->height = small->height;
  memcpy(out->rgb, small->rgb, (size_t)small->width * (size_t)small->height * 3);
  return true;
}

ssne_code inputs_give(void *context, int64_t first, int count, int side, bool square,
                      ssne_small_image *out, ssne_error *err) {
  inputs *in = context;
  (void)err;
#pragma omp parallel num_threads(in->threads)
  {
    reader r = {.file = {NULL, 0}};
#pragma omp for schedule(dynamic, 4)
    for (int i = 0; i < count; i++) {
      out[i].width = out[i].height = 0;
      if (!read_one(in, in->names[first + i], side, square, &r, &out[i])) in->missing++;
    }
    ssne_free(&r.file.bytes);
    ssne_image_free(&r.image);
    ssne_transform_work_free(&r.work);
  }
  in->given += count;
  return SSNE_OK;
}

void inputs_free(inputs *in) {
  ssne_free(&in->folder);
}
