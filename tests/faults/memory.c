/* Memory, threads and processes that the program itself asks for. */
#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>

/* Calls from libraries are left alone: how they bear it is not this program's to mend. */
static bool refused(fault_kind kind, const char *call, const void *caller) {
  return fault_is_program(caller) && fault_strikes(kind, call, NULL) != FAULT_NONE;
}

void *aligned_alloc(size_t alignment, size_t size) {
  FAULT_REAL(aligned_alloc)
  if (refused(FAULT_ALLOC, "aligned_alloc", __builtin_return_address(0))) {
    errno = ENOMEM;
    return NULL;
  }
  return real(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
  FAULT_REAL(posix_memalign)
  if (refused(FAULT_ALLOC, "posix_memalign", __builtin_return_address(0))) return ENOMEM;
  return real(out, alignment, size);
}

void *realloc(void *array, size_t size) {
  FAULT_REAL(realloc)
  if (refused(FAULT_ALLOC, "realloc", __builtin_return_address(0))) {
    errno = ENOMEM;
    return NULL;
  }
  return real(array, size);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *data) {
  FAULT_REAL(pthread_create)
  if (refused(FAULT_THREAD, "pthread_create", __builtin_return_address(0))) return EAGAIN;
  return real(thread, attributes, run, data);
}

int posix_spawnp(pid_t *child, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const *arguments,
                 char *const *environment) {
  FAULT_REAL(posix_spawnp)
  if (refused(FAULT_SPAWN, "posix_spawnp", __builtin_return_address(0))) return EAGAIN;
  return real(child, file, actions, attributes, arguments, environment);
}
