/* Class names as a legend shows them. A class is named by whoever named a folder: any bytes. */
#ifndef SSNE_RENDER_NAMES_H
#define SSNE_RENDER_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Bytes of a cleaned name with its closing zero. */
#define SSNE_NAME_SIZE 256

/* Writes `name` to `out` as one line of valid UTF-8 of at most 40 characters: U+FFFD for each byte
 * that is no UTF-8 and for characters that control rather than show; an ellipsis where it was cut.
 */
void ssne_name_clean(const char *name, char out[SSNE_NAME_SIZE]);

/* The same for a title, of at most 120 characters. */
#define SSNE_TITLE_SIZE 512
void ssne_title_clean(const char *title, char out[SSNE_TITLE_SIZE]);

/* About how wide a cleaned name is in a sans-serif font, in ems; rather too much than too little.
 */
double ssne_name_width(const char *name);

/* Whether a name has no characters beyond ASCII. */
bool ssne_name_is_ascii(const char *name);

/* The characters that fonts have: one bit each. */
#define SSNE_CHARACTERS 0x110000
typedef struct ssne_characters {
  uint8_t bit[SSNE_CHARACTERS / 8];
} ssne_characters;

/* Adds what a file of hexadecimal ranges ("20-7e a0-377 3bc") names. */
void ssne_characters_read(FILE *file, ssne_characters *characters);

/* Replaces characters that no font has by '?', in place. */
void ssne_name_restrict(char *name, const ssne_characters *characters);

#endif
