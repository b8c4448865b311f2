#include "shardsne/stop.h"

#include "shardsne/clock.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

struct ssne_stop {
  pthread_t waiter;
  sigset_t signals, before;
  atomic_int signal; /* the first that came; 0: none */
  double end;        /* by ssne_clock */
};

/* A thread that waits for signals needs no handler, and so nothing that is global, and may do what
 * handlers may not. */
static void *wait_for_signals(void *argument) {
  ssne_stop *stop = argument;
  for (;;) {
    int signal = 0, none = 0;
    if (sigwait(&stop->signals, &signal) != 0) continue;
    if (atomic_compare_exchange_strong(&stop->signal, &none, signal) || signal != SIGINT) continue;
    if (none != SIGINT) { /* asked by the scheduler first: from now on by a person */
      atomic_store(&stop->signal, signal);
      continue;
    }
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
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
  static const int signals[] = {SIGUSR1, SIGTERM, SIGINT};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    sigaddset(&stop->signals, signals[i]);
  int failed = pthread_sigmask(SIG_BLOCK, &stop->signals, &stop->before);
  if (!failed) failed = pthread_create(&stop->waiter, NULL, wait_for_signals, stop);
  if (!failed) return SSNE_OK;
  ssne_free(out);
  return ssne_fail(err, SSNE_FAILED, "a thread that waits for signals cannot be started: %s",
                   strerror(failed));
}

void ssne_stop_destroy(ssne_stop **stop) {
  if (!*stop) return;
  pthread_cancel((*stop)->waiter); /* sigwait is a cancellation point */
  pthread_join((*stop)->waiter, NULL);
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
