/* Faults on purpose: a library for LD_PRELOAD that makes the n-th call of a kind fail on a chosen
 * rank. The program itself knows nothing of it.
 *
 * SHARDSNE_FAULT says which call:
 *   count              no fault; each rank prints how many calls of each kind it made
 *   KIND[-WAY]:N       the N-th call of the kind, counted from 1, on every rank
 *   KIND[-WAY]:N+      that one and all that follow, as on a dead disk
 *   KIND[-WAY]:N@RANK  on this rank alone (N+@RANK likewise)
 * SHARDSNE_FAULT_UNDER names folders, separated by colons: only files below them count.
 *
 * Each fault prints a line `fault: rank R: KIND N: CALL FILE` on standard error. */
#ifndef SHARDSNE_TESTS_FAULT_H
#define SHARDSNE_TESTS_FAULT_H

#include <dlfcn.h>
#include <stdbool.h>

typedef enum fault_kind {
  FAULT_ALLOC,  /* arrays of the program itself: aligned_alloc, posix_memalign, realloc */
  FAULT_THREAD, /* a thread started by the program itself */
  FAULT_SPAWN,  /* a process started by it */
  FAULT_OPEN,   /* a file or folder opened */
  FAULT_READ,
  FAULT_WRITE,
  FAULT_CHANGE, /* truncated, renamed, removed, made, brought to the disk */
  FAULT_DECODE, /* a step of decoding a JPEG or PNG */
  FAULT_MPI,    /* MPI called */
  FAULT_KINDS
} fault_kind;

typedef enum fault_way {
  FAULT_NONE,
  FAULT_ERROR, /* the default: EIO, or what the kind has instead */
  FAULT_FULL,  /* ENOSPC */
  FAULT_SHORT, /* half of it is read or written, which is no error */
  FAULT_TORN,  /* half of it is written, then the rank is killed */
  FAULT_KILL,  /* the rank is killed before the call */
  FAULT_STOP   /* it is stopped there (SIGSTOP) until it is told to go on, and then all is well */
} fault_way;

/* Counts a call, and says how it is to fail. FAULT_KILL does not return,
 * FAULT_STOP returns FAULT_NONE. `file` may be NULL. */
fault_way fault_strikes(fault_kind kind, const char *call, const char *file);

/* Whether file calls are of interest at all; false also before the library is set up. */
bool fault_watches_files(void);

/* Whether the file of a descriptor lies below SHARDSNE_FAULT_UNDER; gives its name. */
bool fault_is_below(int fd, char *name, int size);

/* The same for a path relative to the folder `at` (AT_FDCWD: the current one). */
bool fault_path_is_below(int at, const char *path, char *name, int size);

/* Whether an address (of a caller) is in the program rather than in a library. */
bool fault_is_program(const void *address);

/* Kills this process as if from outside. */
void fault_kill(void) __attribute__((noreturn));

/* The function that a wrapper of the same name hides. */
#define FAULT_REAL(name)                                                                           \
  static __typeof__(&name) real;                                                                   \
  if (!real) {                                                                                     \
    void *fault_address = dlsym(RTLD_NEXT, #name);                                                 \
    __builtin_memcpy(&real, &fault_address, sizeof real);                                          \
  }

#endif
