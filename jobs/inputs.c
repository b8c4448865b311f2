#include "inputs.h"

#include "arrays.h"

#include "shardsne/memory.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Why there are no images although there may be an input; NULL: there are. */
static const char *find_fault(const subset *points, const char *made, const char *source) {
  if (!points->names)
    return made ? "the run file does not name its samples" : "the features came from an array";
  return source ? NULL : "the run file does not say where they are; --images says so";
}

/* Finds each point's sample by its row, and takes it if it has the point's name. */
static ssne_code find_points(const ssne_samples *all, inputs *in, ssne_error *err) {
  const subset *s = in->points;
  SSNE_TRY(ssne_alloc(&in->known, s->count, 1, "samples", err));
  if (all->place) SSNE_TRY(ssne_alloc(&in->place, s->count, sizeof *in->place, "samples", err));
  int64_t first = all->count, end = 0;
  for (int64_t i = 0; i < s->count; i++) {
    const int64_t row = s->row[i];
    if (row >= all->count || strcmp(all->names + all->name_offset[row], s->names[i]) != 0) continue;
    in->known[i] = 1;
    if (in->place) in->place[i] = all->place[row];
    if (row < first) first = row;
    if (row >= end) end = row + 1;
  }
  return ssne_input_hold(in->input, first, end > first ? end - first : 0, err);
}

static ssne_code open_source(const char *source, inputs *in, ssne_error *err) {
  ssne_samples all = {.count = 0};
  SSNE_TRY(ssne_input_open(source, NULL, &arrays_of_hdf5, &in->input, err));
  SSNE_TRY(ssne_copy_text(&in->source, source, err));
  if (ssne_input_is_folder(in->input)) return SSNE_OK;
  ssne_code code = ssne_input_scan(in->input, 0, 1, &all, err);
  if (!code) code = find_points(&all, in, err);
  ssne_samples_free(&all);
  return code;
}

ssne_code inputs_find(ssne_store *store, const char *source, const subset *points, int threads,
                      inputs *out, ssne_error *err) {
  *out = (inputs){.points = points, .threads = threads};
  char *made = NULL;
  SSNE_TRY(ssne_store_get_text(store, "extract_options", &made, err));
  json_t *options = made ? json_loads(made, 0, NULL) : NULL;
  const char *where = source ? source : json_string_value(json_object_get(options, "images"));
  const char *fault = find_fault(points, made, where);
  ssne_code code = SSNE_OK;
  ssne_error why;
  if (fault) {
    snprintf(out->why, sizeof out->why, "%s", fault);
  } else if (source) { /* the user's own word */
    code = open_source(source, out, err);
    if (code) code = ssne_fail_in(err, "--images");
  } else if (open_source(where, out, &why)) {
    inputs_free(out);
    snprintf(out->why, sizeof out->why,
             "they are no longer in %.300s; --images SOURCE says where they are", where);
  }
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
  ssne_input_reader images;
  ssne_transform_work work;
  ssne_error unused; /* an image that cannot be read is left out, and counted */
} reader;

static bool read_one(const inputs *in, int64_t point, int side, bool square, reader *r,
                     ssne_small_image *out) {
  const char *name = in->points->names[point];
  const ssne_image *image = &r->images.image, *small = NULL;
  if (in->known ? !in->known[point] : !stays_below(name)) return false;
  if (ssne_input_read(in->input, name, in->place ? &in->place[point] : NULL, &r->images,
                      &r->unused) != SSNE_OK)
    return false;
  const ssne_code code = square ? ssne_thumbnail_square(image, side, &r->work, &small, &r->unused)
                                : ssne_thumbnail_fit(image, side, &r->work, &small, &r->unused);
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
    reader r = {.images = {.opened = 0}};
#pragma omp for schedule(dynamic, 4)
    for (int i = 0; i < count; i++) {
      out[i].width = out[i].height = 0;
      if (!read_one(in, first + i, side, square, &r, &out[i])) in->missing++;
    }
    ssne_input_reader_free(&r.images);
    ssne_transform_work_free(&r.work);
  }
  in->given += count;
  return SSNE_OK;
}

void inputs_free(inputs *in) {
  ssne_input_close(&in->input);
  ssne_free(&in->source);
  ssne_free(&in->place);
  ssne_free(&in->known);
}
