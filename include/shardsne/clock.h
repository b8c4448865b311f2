/* Time. */
#ifndef SHARDSNE_CLOCK_H
#define SHARDSNE_CLOCK_H

#include <stddef.h>

/* Seconds since an arbitrary moment, never going back. */
double ssne_clock(void);

/* The seconds since *since, which becomes the present. */
double ssne_clock_lap(double *since);

/* Writes a duration as a person would say it ("3.2 s", "4 min 05 s", "2 h 10 min") to `text`. */
void ssne_clock_text(double seconds, char *text, size_t length);

/* Writes the present moment as "2026-11-23T20:15:00Z" to `text` (at least 21 bytes). */
void ssne_clock_date(char *text, size_t length);

#endif
