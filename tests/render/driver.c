/* Draws a picture of what the files named on the command line hold, for picture.py:
 *   driver PICTURE DATA COUNT NAMES CLASSES WIDTH HEIGHT DPI ALPHA COLOR TEXT
 * DATA: float32 [COUNT, 2], then int32 [COUNT]; NAMES: CLASSES texts each closed by a zero byte, or
 * "-" for none; COLOR and TEXT 0 or 1. Prints the error and returns its code. */
#include "shardsne/memory.h"
#include "shardsne/render.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All of a file, with a zero byte after it; to be freed with ssne_free. */
static char *read_file(const char *path) {
  ssne_error err;
  char *bytes = NULL;
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END) != 0) exit(99);
  const long length = ftell(file);
  rewind(file);
  if (ssne_alloc(&bytes, length + 1, 1, "bytes", &err) != SSNE_OK) exit(99);
  if (fread(bytes, 1, (size_t)length, file) != (size_t)length) exit(99);
  fclose(file);
  return bytes;
}

int main(int argc, char **argv) {
  if (argc != 12) return 98;
  ssne_error err;
  const int64_t count = atoll(argv[3]), class_count = atoll(argv[5]);
  char *data = read_file(argv[2]);
  char *names = strcmp(argv[4], "-") != 0 ? read_file(argv[4]) : NULL;
  const char **classes = NULL;
  if (names && ssne_alloc(&classes, class_count, sizeof *classes, "names", &err) != SSNE_OK)
    return 99;
  const char *next = names;
  for (int64_t c = 0; names && c < class_count; c++, next += strlen(next) + 1) classes[c] = next;
  const ssne_picture picture = {.path = argv[1],
                                .width = atof(argv[6]),
                                .height = atof(argv[7]),
                                .dpi = atoi(argv[8]),
                                .alpha = atof(argv[9]),
                                .color_by_label = atoi(argv[10]) != 0,
                                .text_by_label = atoi(argv[11]) != 0,
                                .xy = (const float *)(const void *)data,
                                .label = (const int32_t *)(const void *)(data + 8 * count),
                                .count = count,
                                .classes = (const char *const *)classes,
                                .class_count = class_count};
  const ssne_code code = ssne_picture_draw(&picture, &err);
  if (code != SSNE_OK) fprintf(stderr, "%s\n", err.text);
  ssne_free(&data);
  ssne_free(&names);
  ssne_free(&classes);
  return code;
}
