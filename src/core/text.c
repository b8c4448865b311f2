#include "shardsne/text.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static int is_utf8(const char *text) {
  json_t *string = json_string(text); /* NULL unless it is */
  const int valid = string != NULL;
  json_decref(string);
  return valid;
}

void ssne_text_utf8(const char *text, char *out, size_t length) {
  if (strlen(text) < length && is_utf8(text)) {
    memcpy(out, text, strlen(text) + 1);
    return;
  }
  size_t used = 0;
  for (const char *c = text; *c; c++) {
    const unsigned char byte = (unsigned char)*c;
    char piece[8];
    const int size = snprintf(piece, sizeof piece, byte > 127 ? "\\x%02x" : "%c", byte);
    if (used + (size_t)size >= length) break;
    memcpy(out + used, piece, (size_t)size);
    used += (size_t)size;
  }
  if (length > 0) out[used] = 0;
}
