/* What the fuzz targets share. A target is one file with LLVMFuzzerTestOneInput and a line in
 * CMakeLists.txt; it calls one parser with the bytes and stops the process where something is
 * wrong that a sanitizer does not see. */
#ifndef SHARDSNE_TESTS_FUZZ_H
#define SHARDSNE_TESTS_FUZZ_H

#include "shardsne/status.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A size that a file claims may be refused: then the next check has its turn. Large arrays would
 * only be slow. (libFuzzer's own hook; it must have this name.) */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
  return "allocator_may_return_null=1:max_allocation_size_mb=64:detect_leaks=1";
}

#define FUZZ_REQUIRE(condition)                                                                    \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                \
      abort();                                                                                     \
    }                                                                                              \
  } while (0)

/* Whatever is wrong is said in one line, under one of the codes for that. Returns whether all went
 * well. */
static inline int fuzz_well(ssne_code code, const ssne_error *err) {
  if (code == SSNE_OK) return 1;
  FUZZ_REQUIRE(code == SSNE_FAILED || code == SSNE_USAGE);
  FUZZ_REQUIRE(err->code == code && err->text[0]);
  const size_t length = strnlen(err->text, sizeof err->text);
  FUZZ_REQUIRE(length < sizeof err->text);
  for (size_t i = 0; i < length; i++)
    FUZZ_REQUIRE((unsigned char)err->text[i] >= 0x20 && err->text[i] != 0x7f);
  return 0;
}

/* Where fuzz_file keeps the bytes. A real path: HDF5 does not follow those of files in memory. */
static char fuzz_path[64];

static void fuzz_remove_file(void) {
  (void)unlink(fuzz_path); /* after a finding it stays, as small as the input */
}

/* The path of a file that holds the bytes, until the next call. */
static inline const char *fuzz_file(const uint8_t *bytes, size_t size) {
  if (!fuzz_path[0]) {
    snprintf(fuzz_path, sizeof fuzz_path, "/tmp/shardsne-fuzz-%ld.h5", (long)getpid());
    FUZZ_REQUIRE(atexit(fuzz_remove_file) == 0);
  }
  FILE *file = fopen(fuzz_path, "wb");
  FUZZ_REQUIRE(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
  return fuzz_path;
}

/* Numbers and texts out of the bytes, for targets that build their input; zeros at the end. */
typedef struct fuzz_bytes {
  const uint8_t *at;
  size_t left;
} fuzz_bytes;

static inline uint8_t fuzz_byte(fuzz_bytes *b) {
  if (b->left == 0) return 0;
  b->left--;
  return *b->at++;
}

static inline uint32_t fuzz_number(fuzz_bytes *b, int bytes) {
  uint32_t number = 0;
  for (int i = 0; i < bytes; i++) number = number << 8 | fuzz_byte(b);
  return number;
}

/* A copy, closed by a zero, of the next bytes up to a zero; the caller frees it. */
static inline char *fuzz_text(fuzz_bytes *b) {
  size_t length = 0;
  while (length < b->left && b->at[length]) length++;
  char *text = malloc(length + 1);
  FUZZ_REQUIRE(text);
  if (length) memcpy(text, b->at, length);
  text[length] = 0;
  const size_t used = length < b->left ? length + 1 : length;
  b->at += used;
  b->left -= used;
  return text;
}

#endif
