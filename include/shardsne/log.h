/* What the program says while it works: lines for people, and a record for machines.
 *
 * A log is created on every rank and speaks on the one it was told to; elsewhere its functions do
 * nothing. Lines go to standard error, so that standard output holds results alone. The record is
 * one JSON object a line (docs/records.md lists them). Not collective; not thread-safe: the main
 * thread of a rank owns its log. */
#ifndef SHARDSNE_LOG_H
#define SHARDSNE_LOG_H

#include "shardsne/status.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct ssne_log ssne_log;

/* Creates a log. `speaks`: this rank's log writes (one rank's should). `quiet`: no lines but
 * warnings. `record`: path of the JSON lines, appended to, or NULL for none. */
ssne_code ssne_log_create(bool speaks, bool quiet, const char *record, ssne_log **out,
                          ssne_error *err);

/* Closes and frees *log, if any, and sets it to NULL. */
void ssne_log_destroy(ssne_log **log);

/* A line for people. */
void ssne_log_info(ssne_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line for people even under --quiet, marked as a warning. */
void ssne_log_warn(ssne_log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One JSON object in the record: {"event": event, "time": now, ...}. `format` and what follows
 * describe the rest as jansson's json_pack does, e.g. "{s:s, s:I, s:f}". */
void ssne_log_event(ssne_log *log, const char *event, const char *format, ...);

/* The same of one member that is JSON text already; nothing where that is none. */
void ssne_log_json(ssne_log *log, const char *event, const char *name, const char *json);

/* Progress of one piece of work. On a terminal a bar that redraws itself, elsewhere a line every
 * few seconds: done of total, rate, time left, and what `extra` adds. */
void ssne_log_progress_begin(ssne_log *log, const char *title, const char *unit, int64_t total);
void ssne_log_progress(ssne_log *log, int64_t done, const char *extra);
void ssne_log_progress_end(ssne_log *log);

#endif
