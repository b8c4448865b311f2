/* shardsne: parses the command line, starts MPI, runs one sub-command, says what went wrong. */
#include "job.h"
#include "model.h"

#include "version.h"

#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/text.h"
#include "shardsne/threads.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_GROUPS 8

/* So long before the end that Slurm has set to a job it stops by itself, to have time for a step
 * and a checkpoint: a share of the time that it was given, but no more seconds than that. */
#define MARGIN_SHARE 0.1
#define MOST_MARGIN 90.0

typedef enum group_set {
  WITH_OUTPUT = 1,
  WITH_EXTRACT = 2,
  WITH_EMBED_INPUT = 4,
  WITH_EMBED = 8,
  WITH_RENDER = 16,
  WITH_EXPORT = 32,
  WITH_REPAIR = 64,
  WITH_RENDER_INPUT = 256,
  WITH_DESCRIBE = 512,
  WITH_FILE = 128 /* takes a file as its argument */
} group_set;

typedef struct command {
  const char *name;
  ssne_code (*run)(job *, ssne_error *);
  int with; /* group_set */
  const char *usage, *summary, *example;
} command;

static const command commands[] = {
    {"run", job_run, WITH_OUTPUT | WITH_EXTRACT | WITH_EMBED | WITH_RENDER,
     "--images SOURCE --model M.pt --out RUN.h5 --plot MAP.png\n                    [options]",
     "Images to a picture: extract, embed and render in one job.",
     "mpirun -n 4 shardsne run --images photos --model resnet18.pt --drop-last 1 \\\n"
     "      --resize 256 --crop 224 --out photos.h5 --plot photos.png"},
    {"extract", job_extract, WITH_OUTPUT | WITH_EXTRACT,
     "--images SOURCE --model M.pt --out RUN.h5 [options]",
     "Features of every image by a network, into one HDF5 file.",
     "mpirun -n 4 shardsne extract --images photos --model resnet18.pt \\\n"
     "      --layer layer3,avgpool --preset imagenet --out photos.h5"},
    {"embed", job_embed, WITH_OUTPUT | WITH_EMBED_INPUT | WITH_EMBED | WITH_FILE,
     "RUN.h5 [options]\n       shardsne embed --features X.npy --out RUN.h5 [options]",
     "A t-SNE embedding of a run file's features, or of any matrix.",
     "mpirun -n 4 shardsne embed --features X.npy --labels y.npy --out x.h5"},
    {"render", job_render, WITH_RENDER_INPUT | WITH_RENDER | WITH_FILE,
     "RUN.h5 --plot MAP.png [options]", "A picture of a run file's embedding.",
     "shardsne render photos.h5 --plot photos.png --text label"},
    {"model", job_model, WITH_DESCRIBE | WITH_FILE, "M.pt [options]",
     "What a network is made of: its layers, for extract's --layer and --drop-last.",
     "shardsne model resnet18.pt"},
    {"info", job_info, WITH_FILE, "RUN.h5",
     "What a run file holds, how it was made, and a digest of each dataset.",
     "shardsne info photos.h5"},
    {"export", job_export, WITH_EXPORT | WITH_FILE, "RUN.h5 --to DIR",
     "features.npy, target.npy and embedding.npy for Python.",
     "shardsne export photos.h5 --to arrays"},
    {"verify", job_verify, WITH_FILE, "RUN.h5",
     "Whether a run file is whole: checksums, rows not done, values not finite. Exit\n"
     "code 0: whole; 1: damaged; 75: sound, and not finished.",
     "mpirun -n 4 shardsne verify photos.h5"},
    {"repair", job_repair, WITH_REPAIR | WITH_FILE, "RUN.h5 --out NEW.h5",
     "What is whole of a damaged run file, in a new one; the command that made it then\n"
     "does the rest.",
     "shardsne repair photos.h5 --out whole.h5"},
};
#define COMMANDS ((int)(sizeof commands / sizeof *commands))

static int gather_groups(const command *c, all_options *o, ssne_option_group *groups) {
  int count = 0;
  if (c->with & WITH_EMBED_INPUT) groups[count++] = embed_input_group(o);
  if (c->with & WITH_EXTRACT) groups[count++] = extract_group(o);
  if (c->with & WITH_EMBED) groups[count++] = embed_group(o);
  if (c->with & WITH_RENDER_INPUT) groups[count++] = render_input_group(o);
  if (c->with & WITH_RENDER) groups[count++] = render_group(o);
  if (c->with & WITH_EXPORT) groups[count++] = export_group(o);
  if (c->with & WITH_DESCRIBE) groups[count++] = describe_group(o);
  if (c->with & WITH_REPAIR) groups[count++] = repair_group(o);
  if (c->with & WITH_OUTPUT) groups[count++] = output_group(o);
  groups[count++] = common_group(o);
  return count;
}

static void print_version(void) {
  const job_libraries l = job_name_libraries();
  printf("shardsne %s (%s)\n%s, %s, %s, %s\n", SHARDSNE_VERSION, SHARDSNE_REVISION, l.torch, l.hdf5,
         l.mpi, l.petsc);
}

static void print_overview(void) {
  printf("shardsne: maps of large image sets. Features by a neural network, a distributed t-SNE,\n"
         "and a picture, as one batch job under MPI on any number of ranks.\n\n"
         "usage: [mpirun -n RANKS] shardsne COMMAND [options]\n\n");
  for (int i = 0; i < COMMANDS; i++) printf("  %-8s %s\n", commands[i].name, commands[i].summary);
  printf(
      "\n`shardsne COMMAND --help` shows a command's options and an example.\n"
      "Exit codes: 0 done; 1 failed; 2 wrong use; 75 stopped in order, the same command goes on.\n"
      "USR1, TERM and INT stop `run`, `extract` and `embed` in order; a second INT at once.\n");
}

static void print_help(const command *c, const ssne_option_group *groups, int count) {
  printf("%s\n\nusage: shardsne %s %s\n\nfor example\n  %s\n", c->summary, c->name, c->usage,
         c->example);
  ssne_options_help(groups, count);
}

static const command *find_command(const char *name) {
  for (int i = 0; i < COMMANDS; i++)
    if (strcmp(commands[i].name, name) == 0) return &commands[i];
  return NULL;
}

/* The configuration file first, so that the command line has the last word. */
static ssne_code parse_again(job *j, const ssne_option_group *groups, int count, const command *c,
                             int argc, char **argv, ssne_error *err) {
  int words = 0;
  const int most = c->with & WITH_FILE ? 1 : 0;
  if (j->options.common.config)
    SSNE_TRY(ssne_options_read(groups, count, j->options.common.config, err));
  return ssne_options_parse(groups, count, argc, argv, &j->word, most, &words, err);
}

/* What a preset gives is there before the options are read that override it. */
static ssne_code parse(job *j, const ssne_option_group *groups, int count, const command *c,
                       int argc, char **argv, ssne_error *err) {
  SSNE_TRY(parse_again(j, groups, count, c, argc, argv, err));
  if (j->options.common.config) SSNE_TRY(parse_again(j, groups, count, c, argc, argv, err));
  if (!j->options.extract.preset) return SSNE_OK;
  options_take_preset(&j->options.extract);
  return parse_again(j, groups, count, c, argc, argv, err);
}

/* Collective: likewise what the network's exporter has noted in its file, if there is no preset. */
static ssne_code take_notes(job *j, const ssne_option_group *groups, int count, const command *c,
                            int argc, char **argv, ssne_error *err) {
  const extract_options *o = &j->options.extract;
  char *notes = NULL, *shared = NULL;
  if (!(c->with & WITH_EXTRACT) || !o->model || o->preset) return SSNE_OK;
  SSNE_TRY_ALL(j->comm, j->rank == 0 ? ssne_model_notes(o->model, &notes, err) : SSNE_OK, err);
  ssne_code code = job_share_text(j, notes ? notes : "", &shared, err);
  ssne_free(&notes);
  if (code == SSNE_OK && *shared) {
    code = options_take_notes(&j->options, shared, o->model, err);
    if (code == SSNE_OK) code = parse_again(j, groups, count, c, argc, argv, err);
    code = ssne_agree(j->comm, code, err);
  }
  ssne_free(&shared);
  return code;
}

/* Collective: when to stop although nobody says so: --time-limit, and a while before Slurm ends the
 * job. */
static ssne_code watch_the_time(job *j, ssne_error *err) {
  double seconds[2] = {0, 0}; /* from now; 0: never */
  const char *limit = j->options.output.time_limit, *end = getenv("SLURM_JOB_END_TIME");
  if (!j->stop) return SSNE_OK;
  if (limit) SSNE_TRY(options_time_limit(limit, &seconds[0], err));
  if (end) {
    const double left = strtod(end, NULL) - (double)time(NULL);
    if (left > 0) seconds[1] = left - fmin(fmax(left * MARGIN_SHARE, 5), MOST_MARGIN);
  }
  SSNE_TRY(ssne_broadcast(seconds, sizeof seconds, 0, j->comm, err)); /* hosts' clocks differ */
  for (int i = 0; i < 2; i++)
    if (seconds[i] > 0) ssne_stop_after(j->stop, seconds[i]);
  return SSNE_OK;
}

/* Collective: whether the run file was begun by this very job of Slurm's. */
static ssne_code is_ours(job *j, const char *path, int *ours, ssne_error *err) {
  ssne_store *store = NULL;
  char *made = NULL;
  if (ssne_store_open(path, false, j->comm, &store, NULL, err) != SSNE_OK)
    return SSNE_OK; /* there is none, or none that can be gone on with */
  ssne_code code = ssne_store_get_text(store, "slurm_job", &made, err);
  *ours = code == SSNE_OK && made && strcmp(made, job_of_slurm()) == 0;
  ssne_free(&made);
  code = ssne_agree(j->comm, code, err);
  const ssne_code closed = ssne_store_close(&store, err);
  return code == SSNE_OK ? closed : code;
}

/* A job that Slurm starts again after it was preempted, or after exit code 75, has obeyed --fresh
 * already if the file is its own. */
static ssne_code obey_fresh_once(job *j, ssne_error *err) {
  const char *restarts = getenv("SLURM_RESTART_COUNT");
  const char *path = j->options.output.out ? j->options.output.out : j->word;
  int again = j->options.output.fresh && path && restarts && strtol(restarts, NULL, 10) > 0;
  int ours = 0;
  SSNE_TRY(ssne_broadcast(&again, sizeof again, 0, j->comm, err));
  if (again) SSNE_TRY(is_ours(j, path, &ours, err));
  if (!ours) return SSNE_OK;
  j->options.output.fresh = false;
  ssne_log_info(j->log, "Slurm has started this job again: it goes on, --fresh or not");
  return SSNE_OK;
}

/* Collective, since memory may run out: every option, as given or by default. */
static ssne_code record_options(const job *j, const ssne_option_group *groups, int count,
                                ssne_error *err) {
  char *json = NULL;
  SSNE_TRY_ALL(j->comm, ssne_options_to_json(groups, count, false, &json, err), err);
  ssne_log_json(j->log, "options", "options", json);
  ssne_free(&json);
  return SSNE_OK;
}

static ssne_code start_and_run(job *j, const command *c, const ssne_option_group *groups, int count,
                               ssne_error *err) {
  const common_options *o = &j->options.common;
  SSNE_TRY_ALL(j->comm, ssne_log_create(j->rank == 0, o->quiet, o->log, &j->log, err), err);
  j->threads = ssne_threads_choose((int)o->threads, j->comm);
  j->local_rank = ssne_local_rank(j->comm);
  const job_libraries l = job_name_libraries();
  char libraries[sizeof l.hdf5 + sizeof l.mpi + 128];
  snprintf(libraries, sizeof libraries, "%s, %s, %s, %s", l.torch, l.hdf5, l.mpi, l.petsc);
  ssne_log_event(j->log, "start", "{s:s, s:s, s:s, s:s, s:i, s:i}", "command", c->name, "version",
                 SHARDSNE_VERSION, "revision", SHARDSNE_REVISION, "libraries", libraries, "ranks",
                 j->ranks, "threads", j->threads);
  const double start = ssne_clock();
  ssne_code code = record_options(j, groups, count, err);
  if (code == SSNE_OK) code = watch_the_time(j, err);
  if (code == SSNE_OK) code = obey_fresh_once(j, err);
  if (code == SSNE_OK) code = c->run(j, err);
  char text[2 * SSNE_ERROR_LENGTH];
  ssne_text_utf8(code == SSNE_OK ? "" : err->text, text, sizeof text);
  ssne_log_event(j->log, "end", "{s:i, s:f, s:s}", "code", (int)code, "seconds",
                 ssne_clock() - start, "error", text);
  return code;
}

static ssne_code obey(job *j, int argc, char **argv, ssne_error *err) {
  const char *name = argc > 1 ? argv[1] : "--help";
  const bool speaks = j->rank == 0;
  if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0 || strcmp(name, "-h") == 0) {
    if (speaks) print_overview();
    return argc > 1 ? SSNE_OK : SSNE_USAGE;
  }
  if (strcmp(name, "--version") == 0) {
    if (speaks) print_version();
    return SSNE_OK;
  }
  const command *c = find_command(name);
  if (!c)
    return ssne_fail(err, SSNE_USAGE, "no command is called `%s`; `shardsne --help` lists them",
                     name);
  ssne_option_group groups[MOST_GROUPS];
  const int count = gather_groups(c, &j->options, groups);
  SSNE_TRY_ALL(j->comm, parse(j, groups, count, c, argc - 1, argv + 1, err), err);
  if (j->options.common.help || j->options.common.version) {
    if (speaks && j->options.common.help) print_help(c, groups, count);
    if (speaks && !j->options.common.help) print_version();
    return SSNE_OK;
  }
  SSNE_TRY(take_notes(j, groups, count, c, argc - 1, argv + 1, err));
  return start_and_run(j, c, groups, count, err);
}

/* Threads are this program's to share out: a BLAS that starts its own would be slower, and its
 * results could depend on how many. Every parallel region says its number of threads itself. */
extern void openblas_set_num_threads(int) __attribute__((weak));
extern void mkl_set_num_threads(int) __attribute__((weak));
static void keep_libraries_serial(void) {
  omp_set_num_threads(1);
  if (openblas_set_num_threads) openblas_set_num_threads(1);
  if (mkl_set_num_threads) mkl_set_num_threads(1);
}

/* After an error of MPI there is no agreeing on it. */
static void end_all(MPI_Comm *comm, int *code, ...) {
  char text[MPI_MAX_ERROR_STRING] = "", host[MPI_MAX_PROCESSOR_NAME] = "";
  int length = 0, rank = 0;
  MPI_Error_string(*code, text, &length);
  MPI_Get_processor_name(host, &length);
  MPI_Comm_rank(*comm, &rank);
  fprintf(stderr, "shardsne: error: MPI failed: %s (rank %d on %s)\n", text, rank, host);
  MPI_Abort(MPI_COMM_WORLD, SSNE_FAILED);
}

static void take_errors_of_mpi(void) {
  MPI_Errhandler handler;
  MPI_Comm_create_errhandler(end_all, &handler);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, handler);
  MPI_Errhandler_free(&handler); /* once the communicators are gone */
}

static void say_how_it_ended(const ssne_error *err) {
  if (!err->text[0]) return;
  fprintf(stderr, "shardsne: %s%s\n", err->code == SSNE_STOPPED ? "" : "error: ", err->text);
}

int main(int argc, char **argv) {
  int provided = 0;
  job j = {.comm = MPI_COMM_WORLD};
  ssne_error err = {SSNE_OK, ""};
  const command *c = argc > 1 ? find_command(argv[1]) : NULL;
  ssne_code code = SSNE_OK;
  /* before MPI starts threads of its own, which are to leave the signals alone */
  if (c && c->with & WITH_OUTPUT) code = ssne_stop_create(&j.stop, &err);
  ssne_store_begin();
  if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
    return SSNE_FAILED;
  if (provided < MPI_THREAD_FUNNELED) {
    fprintf(stderr,
            "shardsne: error: this MPI allows no threads beside it (MPI_THREAD_FUNNELED)\n");
    MPI_Abort(MPI_COMM_WORLD, SSNE_FAILED);
  }
  take_errors_of_mpi();
  keep_libraries_serial();
  MPI_Comm_rank(j.comm, &j.rank);
  MPI_Comm_size(j.comm, &j.ranks);
  if (code == SSNE_OK) code = options_defaults(&j.options, &err);
  code = ssne_agree(j.comm, code, &err);
  if (code == SSNE_OK) code = obey(&j, argc, argv, &err);
  if (code != SSNE_OK && j.rank == 0) say_how_it_ended(&err);
  ssne_log_destroy(&j.log);
  options_free_all(&j.options);
  MPI_Finalize();
  /* j.stop stays: a signal that comes now must not make a failure of a job that is done */
  return (int)code;
}
