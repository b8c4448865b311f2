#include "shardsne/log.h"
#include "shardsne/clock.h"
#include "shardsne/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECONDS_BETWEEN_LINES 5.0  /* progress in a log file */
#define SECONDS_BETWEEN_FRAMES 0.1 /* progress on a terminal */
#define BAR_WIDTH 24

typedef struct progress {
  const char *title, *unit;
  int64_t total;
  int64_t first; /* done when it was first told: a resumed job does not begin at 0; -1: not yet */
  double began, shown;
} progress;

struct ssne_log {
  bool speaks, quiet;
  bool terminal; /* standard error is one: draw bars */
  bool drawn;    /* a bar stands on the current line */
  FILE *record;
  progress now;
};

ssne_code ssne_log_create(bool speaks, bool quiet, const char *record, ssne_log **out,
                          ssne_error *err) {
  SSNE_TRY(ssne_alloc(out, 1, sizeof **out, "log", err));
  (*out)->speaks = speaks;
  (*out)->quiet = quiet;
  (*out)->terminal = isatty(STDERR_FILENO) == 1;
  if (!speaks || !record) return SSNE_OK;
  (*out)->record = fopen(record, "a");
  if ((*out)->record) return SSNE_OK;
  ssne_free(out);
  return ssne_fail(err, SSNE_USAGE, "%s: the log cannot be written: %s", record, strerror(errno));
}

void ssne_log_destroy(ssne_log **log) {
  if (*log && (*log)->record) fclose((*log)->record);
  ssne_free(log);
}

static void erase_bar(ssne_log *log) {
  if (log->drawn) fputs("\r\033[K", stderr);
  log->drawn = false;
}

static void say(ssne_log *, const char *mark, const char *format, va_list)
    __attribute__((format(printf, 3, 0)));
static void say(ssne_log *log, const char *mark, const char *format, va_list args) {
  char text[SSNE_ERROR_LENGTH];
  vsnprintf(text, sizeof text, format, args);
  for (char *c = text; *c; c++) /* of a name that means to drive the terminal */
    if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
  erase_bar(log);
  fprintf(stderr, "shardsne: %s%s\n", mark, text);
}

void ssne_log_info(ssne_log *log, const char *format, ...) {
  if (!log || !log->speaks || log->quiet) return;
  va_list args;
  va_start(args, format);
  say(log, "", format, args);
  va_end(args);
}

void ssne_log_warn(ssne_log *log, const char *format, ...) {
  if (!log || !log->speaks) return;
  va_list args;
  va_start(args, format);
  say(log, "warning: ", format, args);
  va_end(args);
}

void ssne_log_event(ssne_log *log, const char *event, const char *format, ...) {
  if (!log || !log->record) return;
  char now[32];
  ssne_clock_date(now, sizeof now);
  json_t *line = json_pack("{s:s, s:s}", "event", event, "time", now);
  va_list args;
  va_start(args, format);
  json_t *rest = json_vpack_ex(NULL, 0, format, args);
  va_end(args);
  if (line && rest && json_object_update(line, rest) == 0 &&
      json_dumpf(line, log->record, JSON_COMPACT) == 0) {
    fputc('\n', log->record);
    fflush(log->record); /* what is written survives a kill */
  }
  json_decref(line);
  json_decref(rest);
}

void ssne_log_json(ssne_log *log, const char *event, const char *name, const char *json) {
  json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
  if (value) ssne_log_event(log, event, "{s:O}", name, value);
  json_decref(value);
}

static void draw(ssne_log *log, int64_t done, const char *extra) {
  const progress *p = &log->now;
  const double passed = ssne_clock() - p->began;
  const double share = p->total > 0 ? (double)done / (double)p->total : 1;
  const double rate = passed > 0 ? (double)(done - p->first) / passed : 0;
  char left[32] = "?", bar[BAR_WIDTH + 1];
  if (rate > 0) ssne_clock_text((double)(p->total - done) / rate, left, sizeof left);
  for (int i = 0; i < BAR_WIDTH; i++) bar[i] = i < (int)(share * BAR_WIDTH) ? '=' : ' ';
  bar[BAR_WIDTH] = 0;
  if (log->terminal) {
    fprintf(stderr, "\r\033[K%-10s [%s] %3.0f%%  %" PRId64 "/%" PRId64 " %s  %.4g/s  %s left  %s",
            p->title, bar, 100 * share, done, p->total, p->unit, rate, left, extra ? extra : "");
    fflush(stderr);
    log->drawn = true;
  } else
    fprintf(stderr, "shardsne: %s: %" PRId64 " of %" PRId64 " %s (%.0f%%), %.4g/s, %s left%s%s\n",
            p->title, done, p->total, p->unit, 100 * share, rate, left, extra && *extra ? ", " : "",
            extra ? extra : "");
}

void ssne_log_progress_begin(ssne_log *log, const char *title, const char *unit, int64_t total) {
  if (!log) return;
  const double now = ssne_clock();
  log->now = (progress){
      .title = title, .unit = unit, .total = total, .first = -1, .began = now, .shown = now};
}

void ssne_log_progress(ssne_log *log, int64_t done, const char *extra) {
  if (!log || !log->speaks || log->quiet) return;
  if (log->now.first < 0) log->now.first = done;
  const double now = ssne_clock();
  const double pause = log->terminal ? SECONDS_BETWEEN_FRAMES : SECONDS_BETWEEN_LINES;
  if (now - log->now.shown < pause) return;
  log->now.shown = now;
  draw(log, done, extra);
}

void ssne_log_progress_end(ssne_log *log) {
  if (log) erase_bar(log);
}
