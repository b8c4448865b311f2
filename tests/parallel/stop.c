/* Being asked to stop: each signal is noticed, whichever thread of the process it is given to. */
#include "check.h"

#include "shardsne/stop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* As PMIx has one: a thread that blocks no signal. Linux offers signals to older threads first: it
 * is started first, to be given them all. */
static void *open_to_signals(void *over) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_UNBLOCK, &all, NULL);
  while (!atomic_load((atomic_bool *)over)) usleep(1000);
  return NULL;
}

static bool noticed(const ssne_stop *stop) {
  for (int i = 0; i < 5000 && !ssne_stop_wanted(stop); i++) usleep(1000);
  return ssne_stop_wanted(stop);
}

static void test_signal(int signal) {
  ssne_error err = {SSNE_OK, ""};
  ssne_stop *stop = NULL;
  pthread_t other;
  atomic_bool over = false;
  CHECK(pthread_create(&other, NULL, open_to_signals, &over) == 0);
  CHECK_OK(ssne_stop_create(&stop, &err), &err);
  CHECK(!ssne_stop_wanted(stop));
  kill(getpid(), signal);
  CHECK(noticed(stop));
  CHECK(ssne_stop_fail(stop, "here", &err) == SSNE_STOPPED);
  atomic_store(&over, true);
  pthread_join(other, NULL);
  ssne_stop_destroy(&stop);
  CHECK(stop == NULL);
}

static void test_time(void) {
  ssne_error err = {SSNE_OK, ""};
  ssne_stop *stop = NULL;
  CHECK_OK(ssne_stop_create(&stop, &err), &err);
  ssne_stop_after(stop, 1000);
  CHECK(!ssne_stop_wanted(stop));
  ssne_stop_after(stop, 0);
  ssne_stop_after(stop, 1000);
  CHECK(ssne_stop_wanted(stop));
  ssne_stop_destroy(&stop);
  CHECK(!ssne_stop_wanted(NULL));
}

int main(void) {
  for (int i = 0; i < 20; i++) {
    test_signal(SIGUSR1);
    test_signal(SIGTERM);
    test_signal(SIGINT);
  }
  test_time();
  return check_result();
}
