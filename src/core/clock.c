#include "shardsne/clock.h"

#include <stdio.h>
#include <time.h>

double ssne_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double ssne_clock_lap(double *since) {
  const double now = ssne_clock(), passed = now - *since;
  *since = now;
  return passed;
}

void ssne_clock_text(double seconds, char *text, size_t length) {
  const long whole = (long)(seconds + 0.5);
  if (seconds < 60)
    snprintf(text, length, "%.1f s", seconds);
  else if (whole < 3600)
    snprintf(text, length, "%ld min %02ld s", whole / 60, whole % 60);
  else
    snprintf(text, length, "%ld h %02ld min", whole / 3600, whole / 60 % 60);
}

void ssne_clock_date(char *text, size_t length) {
  const time_t now = time(NULL);
  struct tm parts;
  gmtime_r(&now, &parts);
  strftime(text, length, "%Y-%m-%dT%H:%M:%SZ", &parts);
}
