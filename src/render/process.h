/* gnuplot as a child process in a scratch folder of its own. */
#ifndef SSNE_RENDER_PROCESS_H
#define SSNE_RENDER_PROCESS_H

#include "shardsne/status.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define SSNE_SCRATCH_SIZE 4096

/* The files in a scratch folder. */
#define SSNE_SCRATCH_SCRIPT "script.gp"
#define SSNE_SCRATCH_POINTS "points.bin"
#define SSNE_SCRATCH_RASTER "raster.bin"
#define SSNE_SCRATCH_BAR "bar.bin"
#define SSNE_SCRATCH_PICTURE "picture"
#define SSNE_SCRATCH_MESSAGES "messages"
#define SSNE_SCRATCH_FONTS "fonts"

/* A new folder below TMPDIR (or /tmp), its path in `folder`. */
ssne_code ssne_scratch_make(char folder[SSNE_SCRATCH_SIZE], ssne_error *err);

/* Removes the folder with all that lies in it. */
void ssne_scratch_remove(const char *folder);

/* Opens the file `name` in the folder as fopen does. */
ssne_code ssne_scratch_open(const char *folder, const char *name, const char *mode, FILE **file,
                            ssne_error *err);

/* Closes a file written, with an error where the writing failed; *file may be NULL, and becomes it.
 */
ssne_code ssne_scratch_close(const char *folder, FILE **file, ssne_error *err);

/* Reads the file `name` to *bytes [*length], to be freed with ssne_free. */
ssne_code ssne_scratch_read(const char *folder, const char *name, uint8_t **bytes, int64_t *length,
                            ssne_error *err);

/* Runs gnuplot on the script in the folder, which becomes its working directory, its standard
 * output the picture, its environment free of the user's taste, and waits for its end. `terminal`
 * is the one the script asks for. */
ssne_code ssne_gnuplot_run(const char *folder, const char *terminal, ssne_error *err);

/* Runs fontconfig's fc-list in the folder: SSNE_SCRATCH_FONTS becomes a line of hexadecimal ranges
 * of characters for each font, or stays empty or absent where fc-list cannot be run, which *listed
 * says. */
ssne_code ssne_fonts_list(const char *folder, bool *listed, ssne_error *err);

#endif
