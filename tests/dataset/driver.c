/* Hands the module's results to the Python tests, which know the truth.
 *
 *   driver decode FILE...                             ok WIDTH HEIGHT, then the pixels
 *   driver transform|bicubic|gray RESIZE CROP FILE...  ok WIDTH HEIGHT, then the pixels
 *   driver float|int FILE...                           ok ROWS COLUMNS, then the numbers
 *   driver header ELEMENT ROWS COLUMNS                 a .npy header
 *   driver scan FOLDER                                 ok SAMPLES CLASSES IGNORED, labels, names
 *   driver input PARTS SOURCE                          name and facts of each sample
 *
 * For each file that fails: error CODE TEXT. Image, buffers and work are one for all files of a
 * run, so that each must do with what the one before it left. */
#include "shardsne/input.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(ssne_code code, const ssne_error *err, int64_t a, int64_t b, const void *data,
                size_t bytes) {
  if (code) {
    printf("error %d %s\n", (int)code, err->text);
    return;
  }
  printf("ok %" PRId64 " %" PRId64 "\n", a, b);
  fwrite(data, 1, bytes, stdout);
}

static void images(const ssne_transform *t, char **paths, int count) {
  ssne_image image = {0};
  ssne_buffer buffer = {0};
  ssne_transform_work work = {0};
  for (int p = 0; p < count; p++) {
    ssne_error err;
    uint8_t *out = NULL;
    ssne_code code = ssne_image_read(paths[p], &buffer, &image, &err);
    int width = image.width, height = image.height;
    if (!code && t && t->channels == 1) ssne_image_gray(&image);
    if (!code && t) {
      ssne_transform_size(t, image.width, image.height, &width, &height);
      code = ssne_alloc(&out, (int64_t)width * height * 3, 1, "pixels", &err);
      if (!code) code = ssne_transform_apply(t, &image, width, height, &work, out, &err);
    }
    const size_t values = (size_t)width * (size_t)height * (size_t)(t ? t->channels : 3);
    say(code, &err, width, height, t ? out : image.rgb, values);
    ssne_free(&out);
  }
  ssne_image_free(&image);
  ssne_free(&buffer.bytes);
  ssne_transform_work_free(&work);
}

static ssne_code read_part(bool ints, const char *path, const ssne_npy *npy, int64_t first,
                           int64_t rows, void *out, ssne_error *err) {
  if (ints)
    return ssne_npy_read_int(path, npy, first, rows, (int32_t *)out + first * npy->columns, err);
  return ssne_npy_read_float(path, npy, first, rows, (float *)out + first * npy->columns, err);
}

static void arrays(bool ints, char **paths, int count) {
  for (int p = 0; p < count; p++) {
    ssne_error err;
    ssne_npy npy;
    void *out = NULL;
    ssne_code code = ssne_npy_open(paths[p], &npy, &err);
    if (!code) code = ssne_alloc(&out, npy.rows * npy.columns, 4, "numbers", &err);
    const int64_t half = npy.rows / 2;
    if (!code) code = read_part(ints, paths[p], &npy, half, npy.rows - half, out, &err);
    if (!code) code = read_part(ints, paths[p], &npy, 0, half, out, &err);
    say(code, &err, npy.rows, npy.columns, out, (size_t)(npy.rows * npy.columns) * 4);
    ssne_free(&out);
  }
}

static void scan(const char *folder) {
  ssne_error err;
  ssne_samples s;
  const ssne_code code = ssne_samples_scan(folder, &s, &err);
  if (code) {
    printf("error %d %s\n", (int)code, err.text);
    return;
  }
  printf("ok %" PRId64 " %" PRId64 " %" PRId64 "\n", s.count, s.class_count, s.ignored);
  for (int64_t i = 0; i < s.count; i++)
    printf("%" PRId32 "%c%s%c", s.label[i], 0, s.names + s.name_offset[i], 0);
  fwrite(s.classes, 1, (size_t)s.classes_size, stdout);
  ssne_samples_free(&s);
}

/* The rows of all parts: name, label, container, offset, size. */
static void list_input(const char *source, int parts) {
  ssne_error err = {SSNE_OK, ""};
  ssne_input *input = NULL;
  ssne_code code = ssne_input_open(source, NULL, NULL, &input, &err);
  for (int part = 0; part < parts && !code; part++) {
    ssne_samples s;
    code = ssne_input_scan(input, part, parts, &s, &err);
    for (int64_t i = 0; i < s.count && !code; i++)
      printf("%s%c%" PRId32 " %" PRId64 " %" PRId64 " %" PRId64 "%c", s.names + s.name_offset[i], 0,
             s.label[i], s.place ? s.place[i].file : -1, s.place ? s.place[i].offset : -1,
             s.place ? s.place[i].size : -1, 0);
    ssne_samples_free(&s);
  }
  if (code) printf("error %d %s", (int)code, err.text);
  ssne_input_close(&input);
}

int main(int argc, char **argv) {
  ssne_transform t = {.channels = 3};
  ssne_error err;
  if (argc < 3) return 2;
  if (strcmp(argv[1], "decode") == 0) {
    images(NULL, argv + 2, argc - 2);
  } else if ((strcmp(argv[1], "transform") == 0 || strcmp(argv[1], "bicubic") == 0 ||
              strcmp(argv[1], "gray") == 0) &&
             argc > 4) {
    t.bicubic = strcmp(argv[1], "bicubic") == 0;
    t.channels = strcmp(argv[1], "gray") == 0 ? 1 : 3;
    t.resize = atoi(argv[2]);
    t.crop = atoi(argv[3]);
    images(&t, argv + 4, argc - 4);
  } else if (strcmp(argv[1], "header") == 0 && argc > 4) {
    if (ssne_npy_write_header(stdout, (ssne_element)atoi(argv[2]), atoll(argv[3]), atoll(argv[4]),
                              &err))
      return 1;
  } else if (strcmp(argv[1], "input") == 0 && argc > 3) {
    list_input(argv[3], atoi(argv[2]));
  } else if (strcmp(argv[1], "scan") == 0) {
    scan(argv[2]);
  } else {
    arrays(strcmp(argv[1], "int") == 0, argv + 2, argc - 2);
  }
  return fflush(stdout) ? 1 : 0;
}
