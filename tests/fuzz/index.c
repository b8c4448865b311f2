/* The index of tars: damaged in every way, with its checksum made right or left as it is. */
#include "fuzz.h"

#include "shardsne/index.h"
#include "shardsne/memory.h"

static void check_rows(const char *path, const ssne_index_head *head, int64_t first,
                       int64_t count) {
  ssne_index_rows rows;
  ssne_error err;
  if (fuzz_well(ssne_index_read_rows(path, head, first, count, &rows, &err), &err)) {
    int64_t at = 0;
    for (int64_t r = 0; r < count; r++) {
      FUZZ_REQUIRE(rows.label[r] >= -1);
      at += (int64_t)strlen(rows.names + at) + 1;
    }
    FUZZ_REQUIRE(at == rows.names_size);
  }
  ssne_free(&rows.place);
  ssne_free(&rows.label);
  ssne_free(&rows.names);
}

/* The bytes as they are; then behind a head that is written for them. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ssne_index_head head;
  ssne_error err;
  char *classes = NULL;
  const char *path = fuzz_file(bytes, size);
  if (fuzz_well(ssne_index_read_head(path, "st", 3, &head, &classes, &err), &err))
    check_rows(path, &head, 0, head.count);
  ssne_free(&classes);
  if (size < 4) return 0;
  head = (ssne_index_head){.count = bytes[0] % 8 + 1,
                           .block_rows = 4,
                           .names_size = bytes[1],
                           .longest_name = bytes[1],
                           .classes_size = 2,
                           .state_size = 3};
  FUZZ_REQUIRE(ssne_index_write_head(path, &head, "st", "a", &err) == SSNE_OK);
  FILE *file = fopen(path, "ab");
  FUZZ_REQUIRE(file && fwrite(bytes + 2, 1, size - 2, file) == size - 2 && fclose(file) == 0);
  ssne_index_head again;
  if (!fuzz_well(ssne_index_read_head(path, "st", 3, &again, &classes, &err), &err)) return 0;
  FUZZ_REQUIRE(memcmp(&head, &again, sizeof head) == 0 && strcmp(classes, "a") == 0);
  check_rows(path, &again, 0, head.count);
  check_rows(path, &again, head.count / 2, head.count - head.count / 2);
  ssne_free(&classes);
  return 0;
}
