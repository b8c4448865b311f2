/* What `info` does with a run file, for the targets that have one. */
#ifndef SHARDSNE_TESTS_FUZZ_SHOW_H
#define SHARDSNE_TESTS_FUZZ_SHOW_H

#include "fuzz.h"

#include "shardsne/memory.h"
#include "shardsne/store.h"

#include <sanitizer/lsan_interface.h>

/* HDF5 loses some of its own memory when it gives a file up. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
  return "leak:libhdf5\nleak:libmpi\nleak:libopen-pal\nleak:mca_\n";
}

static inline void show_store(ssne_store *store) {
  static const char *const names[] = {"program", "extract_options", "neighbours_made"};
  ssne_error err;
  for (int i = 0; i < SSNE_SET_COUNT; i++) {
    ssne_set_shape shape;
    char digest[SSNE_DIGEST_LENGTH];
    FUZZ_REQUIRE(ssne_store_shape(store, (ssne_set)i, &shape, &err) == SSNE_OK);
    if (!shape.exists) continue;
    FUZZ_REQUIRE(shape.rows >= 0 && shape.columns > 0 && shape.width > 0);
    (void)fuzz_well(ssne_store_digest(store, (ssne_set)i, digest, &err), &err);
  }
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char *value = NULL;
    (void)fuzz_well(ssne_store_get_text(store, names[i], &value, &err), &err);
    ssne_free(&value);
  }
}

static inline int show_file(const char *path) {
  ssne_store *store = NULL;
  ssne_error err;
  if (!fuzz_well(ssne_store_open(path, false, MPI_COMM_SELF, &store, NULL, &err), &err)) return 0;
  show_store(store);
  return fuzz_well(ssne_store_close(&store, &err), &err);
}

/* A sound run file is opened: a target that fails on every input would find nothing. */
static inline void check_reach(void) {
  ssne_store *store = NULL;
  ssne_error err;
  const char *path = fuzz_file((const uint8_t *)"", 0);
  FUZZ_REQUIRE(unlink(path) == 0);
  FUZZ_REQUIRE(ssne_store_create(path, MPI_COMM_SELF, &store, &err) == SSNE_OK);
  FUZZ_REQUIRE(ssne_store_set_text(store, "program", "fuzz", &err) == SSNE_OK);
  FUZZ_REQUIRE(ssne_store_define(store, SSNE_SET_FEATURES, 3, 2, 0, &err) == SSNE_OK);
  FUZZ_REQUIRE(ssne_store_publish(&store, &err) == SSNE_OK);
  FUZZ_REQUIRE(show_file(path));
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv) {
  setenv("OMPI_MCA_ess_singleton_isolated", "1", 1); /* no daemon beside it */
  __lsan_disable();                                  /* MPI keeps what it starts with */
  FUZZ_REQUIRE(MPI_Init(argc, argv) == MPI_SUCCESS);
  __lsan_enable();
  check_reach();
  return 0;
}

#endif
