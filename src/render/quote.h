/* Text in gnuplot's scripts. */
#ifndef SSNE_RENDER_QUOTE_H
#define SSNE_RENDER_QUOTE_H

#include <stdio.h>

/* Writes `text`, one line of any characters, as a string expression of gnuplot, of which nothing is
 * parsed or run. */
void ssne_write_quoted(FILE *file, const char *text);

#endif
