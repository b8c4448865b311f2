#include "quote.h"

#include <string.h>

/* Between single quotes all is literal but the quote itself, and \U+ in newer releases, which a
 * space of no width keeps apart. A quote stands in double quotes of its own: doubled as the manual
 * has it, it is misread at the start of a string (5.4). */
void ssne_write_quoted(FILE *file, const char *text) {
  fputc('\'', file);
  for (const char *s = text; *s; s++) {
    if (*s == '\'')
      fputs("'.\"'\".'", file);
    else
      fputc(*s, file);
    if (strncmp(s, "\\U+", 3) == 0) fputs("\u200b", file);
  }
  fputc('\'', file);
}
