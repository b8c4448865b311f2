#include "process.h"

#include "shardsne/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LATER "the embedding is in the run file: `shardsne render` draws it later"

/* --- the child's environment --- */

/* What could change the picture, and the desktop a terminal of gnuplot might look for. */
static const char *const dropped[] = {"GNUPLOT",  "GNUTERM",
                                      "GNUHELP",  "GNUFITLOG",
                                      "LC_",      "LANG",
                                      "TZ=",      "SOURCE_DATE_EPOCH=",
                                      "DISPLAY=", "WAYLAND_DISPLAY="};
static char *const added[] = {"LC_ALL=C.UTF-8", "TZ=UTC0", "SOURCE_DATE_EPOCH=946684800"};

#define COUNT(table) (sizeof(table) / sizeof *(table))

static bool is_dropped(const char *variable) {
  for (size_t i = 0; i < COUNT(dropped); i++)
    if (strncmp(variable, dropped[i], strlen(dropped[i])) == 0) return true;
  return false;
}

/* The array is new, its strings are not. */
static ssne_code make_environment(char ***out, ssne_error *err) {
  int64_t count = 0, used = 0;
  while (environ[count]) count++;
  SSNE_TRY(ssne_alloc(out, count + (int64_t)COUNT(added) + 1, sizeof **out, "variables", err));
  for (int64_t i = 0; i < count; i++)
    if (!is_dropped(environ[i])) (*out)[used++] = environ[i];
  for (size_t i = 0; i < COUNT(added); i++) (*out)[used++] = added[i];
  return SSNE_OK;
}

/* --- starting and waiting --- */

/* The child must not inherit blocked or ignored signals, or a wall-time signal could not end it. */
static int set_signals(posix_spawnattr_t *attributes) {
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  static const int signals[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
  for (size_t i = 0; i < COUNT(signals); i++) sigaddset(&usual, signals[i]);
  int failed = posix_spawnattr_setsigmask(attributes, &none);
  if (!failed) failed = posix_spawnattr_setsigdefault(attributes, &usual);
  if (!failed)
    failed = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  return failed;
}

static int set_files(posix_spawn_file_actions_t *files, const char *folder, const char *output) {
  const int create = O_WRONLY | O_CREAT | O_TRUNC;
  int failed = posix_spawn_file_actions_addchdir_np(files, folder);
  if (!failed) failed = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
  if (!failed) failed = posix_spawn_file_actions_addopen(files, 1, output, create, 0600);
  if (!failed)
    failed = posix_spawn_file_actions_addopen(files, 2, SSNE_SCRATCH_MESSAGES, create, 0600);
  return failed;
}

/* posix_spawn does not copy a large process as fork may, and MPI libraries that forbid a fork allow
 * it. Returns 0 or an errno. */
static int spawn(char *const arguments[], const char *folder, const char *output,
                 char **environment, pid_t *child) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  int failed = posix_spawn_file_actions_init(&files);
  if (failed) return failed;
  failed = posix_spawnattr_init(&attributes);
  if (failed) goto no_attributes;
  failed = set_files(&files, folder, output);
  if (!failed) failed = set_signals(&attributes);
  if (!failed)
    failed = posix_spawnp(child, arguments[0], &files, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
no_attributes:
  posix_spawn_file_actions_destroy(&files);
  return failed;
}

/* Runs arguments[0] in the folder, its standard output the file `output` there, to its end. Gives
 * its status, or in *failed the errno of what kept it from running. */
static ssne_code run(char *const arguments[], const char *folder, const char *output, int *failed,
                     int *status, ssne_error *err) {
  char **environment = NULL;
  SSNE_TRY(make_environment(&environment, err));
  pid_t child = 0, ended = 0;
  *failed = spawn(arguments, folder, output, environment, &child);
  ssne_free(&environment);
  if (*failed) return SSNE_OK;
  do ended = waitpid(child, status, 0);
  while (ended < 0 && errno == EINTR);
  if (ended < 0) *failed = errno;
  return SSNE_OK;
}

/* --- gnuplot's complaint --- */

static bool is_made_of(const char *line, const char *characters) {
  return line[strspn(line, characters)] == 0;
}

/* The line that says what is wrong: gnuplot repeats a bad command, marks the place with ^ below,
 * and names the trouble below that; other complaints come without; fontconfig may have its say
 * before. */
static void find_complaint(const char *folder, char *line, int size) {
  char path[SSNE_SCRATCH_SIZE + 32], next[1024];
  snprintf(path, sizeof path, "%s/%s", folder, SSNE_SCRATCH_MESSAGES);
  FILE *file = fopen(path, "re");
  line[0] = 0;
  bool marked = false;
  while (file && fgets(next, sizeof next, file)) {
    next[strcspn(next, "\r\n")] = 0;
    if (is_made_of(next, " \t") || strncmp(next, "Fontconfig", 10) == 0) continue;
    if (is_made_of(next, " \t^")) {
      marked = true;
      line[0] = 0;
    } else if (!line[0]) {
      snprintf(line, (size_t)size, "%s", next);
      if (marked) break;
    }
  }
  if (file) (void)fclose(file); /* read only: nothing can be lost */
  if (!line[0]) snprintf(line, (size_t)size, "it did not say why");
}

static ssne_code judge(int status, const char *folder, const char *terminal, ssne_error *err) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return SSNE_OK;
  if (WIFSIGNALED(status))
    return ssne_fail(err, SSNE_FAILED, "gnuplot was ended by signal %d (%s); " LATER,
                     WTERMSIG(status), strsignal(WTERMSIG(status)));
  char complaint[1024];
  find_complaint(folder, complaint, sizeof complaint);
  if (strstr(complaint, "unknown or ambiguous terminal"))
    return ssne_fail(err, SSNE_FAILED,
                     "this gnuplot was built without its %s terminal: install another (Debian: "
                     "gnuplot-nox) or choose another of .png, .svg and .pdf; " LATER,
                     terminal);
  return ssne_fail(err, SSNE_FAILED, "gnuplot failed with exit status %d: %s; " LATER,
                   WEXITSTATUS(status), complaint);
}

ssne_code ssne_gnuplot_run(const char *folder, const char *terminal, ssne_error *err) {
  const char *named = getenv("SHARDSNE_GNUPLOT");
  if (!named || !*named) named = "gnuplot";
  char program[PATH_MAX] = "";
  int failed = 0, status = 0;
  /* a path has to be absolute, as gnuplot runs in another folder; a name is looked for on PATH */
  if (!strchr(named, '/'))
    snprintf(program, sizeof program, "%s", named);
  else if (!realpath(named, program))
    failed = errno;
  char *const arguments[] = {program, "-d", SSNE_SCRATCH_SCRIPT, NULL};
  if (!failed) SSNE_TRY(run(arguments, folder, SSNE_SCRATCH_PICTURE, &failed, &status, err));
  if (failed == ENOENT)
    return ssne_fail(err, SSNE_FAILED,
                     "%s was not found: install it (Debian: gnuplot-nox) or set "
                     "SHARDSNE_GNUPLOT; " LATER,
                     named);
  if (failed)
    return ssne_fail(err, SSNE_FAILED, "%s cannot be run: %s; " LATER, named, strerror(failed));
  return judge(status, folder, terminal, err);
}

ssne_code ssne_fonts_list(const char *folder, bool *listed, ssne_error *err) {
  char *const arguments[] = {"fc-list", "--format", "%{charset}\n", NULL};
  int failed = 0, status = 0;
  SSNE_TRY(run(arguments, folder, SSNE_SCRATCH_FONTS, &failed, &status, err));
  *listed = !failed && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  return SSNE_OK;
}
