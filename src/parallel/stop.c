#include "shardsne/stop.h"

#include "shardsne/clock.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { SIGNALS = 3 };
static const int stop_signals[SIGNALS] = {SIGINT, SIGTERM, SIGUSR1};

struct ssne_stop {
  pthread_t waiter;
  sigset_t signals, before;
  struct sigaction were[SIGNALS]; /* what the signals did before */
  atomic_int signal;              /* the first that came; 0: none */
  atomic_bool over;               /* the thread is to end at the next */
  double end;                     /* by ssne_clock */
};

/* Open MPI's PMIx starts a thread that blocks nothing. A signal to the process may be given to that
 * one, which has it blocked from then on and sends it once more, to the thread that waits. */
static void pass_on(int signal, siginfo_t *info, void *context) {
  (void)info;
  ucontext_t *thread = context;
  for (int i = 0; i < SIGNALS; i++) sigaddset(&thread->uc_sigmask, stop_signals[i]);
  (void)kill(getpid(), signal); /* blocked here while this runs */
}

static void take_signals(ssne_stop *stop) {
  struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART};
  action.sa_mask = stop->signals;
  for (int i = 0; i < SIGNALS; i++) (void)sigaction(stop_signals[i], &action, &stop->were[i]);
}

static void give_back_signals(const ssne_stop *stop) {
  for (int i = 0; i < SIGNALS; i++) (void)sigaction(stop_signals[i], &stop->were[i], NULL);
}

/* A thread that waits for signals has no need of a handler that does the work, and so of nothing
 * that is global, and may do what handlers may not. */
static void *wait_for_signals(void *argument) {
  ssne_stop *stop = argument;
  for (;;) {
    int signal = 0, none = 0;
    if (sigwait(&stop->signals, &signal) != 0) continue;
    if (atomic_load(&stop->over)) return NULL;
    if (atomic_compare_exchange_strong(&stop->signal, &none, signal) || signal != SIGINT) continue;
    if (none != SIGINT) { /* asked by the scheduler first: from now on by a person */
      atomic_store(&stop->signal, signal);
      continue;
    }
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    give_back_signals(stop);
    (void)pthread_sigmask(SIG_UNBLOCK, &interrupt, NULL);
    (void)raise(SIGINT);
    _exit(128 + SIGINT); /* where INT is ignored, as behind nohup */
  }
}

ssne_code ssne_stop_create(ssne_stop **out, ssne_error *err) {
  SSNE_TRY(ssne_alloc(out, 1, sizeof **out, "signals", err));
  ssne_stop *stop = *out;
  stop->end = INFINITY;
  sigemptyset(&stop->signals);
  for (int i = 0; i < SIGNALS; i++) sigaddset(&stop->signals, stop_signals[i]);
  int failed = pthread_sigmask(SIG_BLOCK, &stop->signals, &stop->before);
  if (!failed) failed = pthread_create(&stop->waiter, NULL, wait_for_signals, stop);
  if (!failed) {
    take_signals(stop);
    return SSNE_OK;
  }
  (void)pthread_sigmask(SIG_SETMASK, &stop->before, NULL);
  ssne_free(out);
  return ssne_fail(err, SSNE_FAILED, "a thread that waits for signals cannot be started: %s",
                   strerror(failed));
}

void ssne_stop_destroy(ssne_stop **stop) {
  if (!*stop) return;
  atomic_store(&(*stop)->over, true);
  (void)pthread_kill((*stop)->waiter, SIGUSR1); /* ThreadSanitizer does not follow a cancellation */
  pthread_join((*stop)->waiter, NULL);
  give_back_signals(*stop);
  (void)pthread_sigmask(SIG_SETMASK, &(*stop)->before, NULL);
  ssne_free(stop);
}

void ssne_stop_after(ssne_stop *stop, double seconds) {
  const double end = ssne_clock() + seconds;
  if (end < stop->end) stop->end = end;
}

bool ssne_stop_wanted(const ssne_stop *stop) {
  return stop && (atomic_load(&stop->signal) != 0 || ssne_clock() >= stop->end);
}

static const char *reason(const ssne_stop *stop) {
  switch (stop ? atomic_load(&stop->signal) : 0) {
  case SIGUSR1:
    return "by signal USR1";
  case SIGTERM:
    return "by signal TERM";
  case SIGINT:
    return "by signal INT";
  default:
    return ssne_stop_wanted(stop) ? "before the time is up" : "with other ranks";
  }
}

ssne_code ssne_stop_fail(const ssne_stop *stop, const char *what, ssne_error *err) {
  return ssne_fail(err, SSNE_STOPPED, "stopped %s %s; the same command goes on from there",
                   reason(stop), what);
}

ssne_code ssne_stop_agree(const ssne_stop *stop, const char *what, MPI_Comm comm, ssne_error *err) {
  int wanted = ssne_stop_wanted(stop);
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &wanted, 1, MPI_INT, MPI_MAX, comm),
                          "MPI_Allreduce", err));
  return wanted ? ssne_stop_fail(stop, what, err) : SSNE_OK;
}
