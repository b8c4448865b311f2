/* Which call fails: the choice, the counts, and what is printed. */
#include "fault.h"

#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const kind_names[FAULT_KINDS] = {"alloc", "thread", "spawn",  "open", "read",
                                                    "write", "change", "decode", "mpi"};
static const char *const way_names[] = {"", "error", "full", "short", "torn", "kill", "stop"};

/* All there is to know of one process: what it shall do, and what it did. */
static struct {
  bool ready;
  bool counting;
  int kind; /* -1: none */
  fault_way way;
  long first, last; /* calls that fail */
  int rank;
  char under[PATH_MAX];
  const void *program; /* where it is loaded */
  atomic_long calls[FAULT_KINDS];
} state = {.kind = -1};

static int own_rank(void) {
  static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                      "SLURM_PROCID"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *text = getenv(names[i]);
    if (text) return atoi(text);
  }
  return 0;
}

static int find(const char *const *names, int count, const char *word, size_t length) {
  for (int i = 0; i < count; i++)
    if (strlen(names[i]) == length && strncmp(names[i], word, length) == 0) return i;
  return -1;
}

static void refuse(const char *choice) {
  fprintf(stderr, "fault: SHARDSNE_FAULT=%s: not KIND[-WAY]:N[+][@RANK], nor count\n", choice);
  _exit(2);
}

/* KIND[-WAY]:N[+][@RANK] */
static void choose(const char *choice) {
  const char *colon = strchr(choice, ':');
  if (!colon) refuse(choice);
  const size_t length = strcspn(choice, "-:");
  const char *way = choice[length] == '-' ? choice + length + 1 : "error:";
  const int kind = find(kind_names, FAULT_KINDS, choice, length);
  state.way = (fault_way)find(way_names, FAULT_STOP + 1, way, strcspn(way, ":"));
  char *end = NULL;
  state.first = state.last = strtol(colon + 1, &end, 10);
  if (*end == '+') {
    state.last = LONG_MAX;
    end++;
  }
  if (kind < 0 || (int)state.way < FAULT_ERROR || state.first < 1 || (*end && *end != '@'))
    refuse(choice);
  if (*end != '@' || atoi(end + 1) == state.rank) state.kind = kind;
}

/* Processes that this one starts shall not inherit any of it. */
__attribute__((constructor)) static void begin(void) {
  const char *choice = getenv("SHARDSNE_FAULT"), *under = getenv("SHARDSNE_FAULT_UNDER");
  if (!choice) return;
  Dl_info facts;
  const void *const entry = (const void *)getauxval(AT_ENTRY);
  if (dladdr(entry, &facts)) state.program = facts.dli_fbase;
  snprintf(state.under, sizeof state.under, "%s", under ? under : "");
  state.rank = own_rank();
  state.counting = strcmp(choice, "count") == 0;
  if (!state.counting) choose(choice);
  unsetenv("LD_PRELOAD");
  unsetenv("SHARDSNE_FAULT");
  state.ready = true;
}

__attribute__((destructor)) static void end(void) {
  if (!state.counting) return;
  char text[1024];
  int length = snprintf(text, sizeof text, "fault: rank %d:", state.rank);
  for (int k = 0; k < FAULT_KINDS; k++)
    length += snprintf(text + length, sizeof text - (size_t)length, " %s %ld", kind_names[k],
                       atomic_load(&state.calls[k]));
  dprintf(STDERR_FILENO, "%s\n", text);
}

fault_way fault_strikes(fault_kind kind, const char *call, const char *file) {
  if (!state.ready) return FAULT_NONE;
  const long n = atomic_fetch_add(&state.calls[kind], 1) + 1;
  if ((int)kind != state.kind || n < state.first || n > state.last) return FAULT_NONE;
  if (n == state.first) /* one line, in one piece */
    dprintf(STDERR_FILENO, "fault: rank %d: %s %ld: %s %s\n", state.rank, kind_names[kind], n, call,
            file ? file : "");
  if (state.way == FAULT_KILL) fault_kill();
  if (state.way != FAULT_STOP) return state.way;
  kill(getpid(), SIGSTOP);
  return FAULT_NONE;
}

void fault_kill(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

bool fault_watches_files(void) {
  return state.ready && state.under[0];
}

static bool begins_with_folder(const char *name) {
  const char *folder = state.under;
  while (*folder) {
    const size_t length = strcspn(folder, ":");
    if (length > 0 && strncmp(name, folder, length) == 0 &&
        (name[length] == '/' || name[length] == 0))
      return true;
    folder += length + (folder[length] == ':');
  }
  return false;
}

/* The system call itself: a sanitizer's readlink may call back. */
static bool name_of(int fd, char *name, int size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = syscall(SYS_readlink, link, name, (size_t)size - 1);
  if (length <= 0) return false;
  name[length] = 0;
  return true;
}

bool fault_is_below(int fd, char *name, int size) {
  return fault_watches_files() && fd >= 0 && name_of(fd, name, size) && begins_with_folder(name);
}

bool fault_path_is_below(int at, const char *path, char *name, int size) {
  if (!fault_watches_files() || !path) return false;
  size_t length = 0;
  if (path[0] != '/') {
    if (at >= 0) {
      if (!name_of(at, name, size)) return false;
    } else if (!getcwd(name, (size_t)size)) {
      return false;
    }
    length = strlen(name);
    if ((int)length + 1 < size) name[length++] = '/';
  }
  snprintf(name + length, (size_t)size - length, "%s", path);
  return begins_with_folder(name);
}

bool fault_is_program(const void *address) {
  Dl_info facts;
  return state.ready && dladdr(address, &facts) && facts.dli_fbase == state.program;
}
