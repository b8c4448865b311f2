/* Text that comes from file systems: any bytes. */
#ifndef SHARDSNE_TEXT_H
#define SHARDSNE_TEXT_H

#include <stddef.h>

/* Copies `text` to `out` (`length` bytes, cut if need be) as valid UTF-8: unchanged where it is
 * that, else with each byte above 127 written as \xHH. */
void ssne_text_utf8(const char *text, char *out, size_t length);

#endif
