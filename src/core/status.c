#include "shardsne/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void one_line(char *text) {
  for (; *text; text++) {
    const unsigned char c = (unsigned char)*text;
    if (c < 0x20 || c == 0x7f) *text = '?';
  }
}

ssne_code ssne_fail(ssne_error *err, ssne_code code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  err->code = code;
  vsnprintf(err->text, sizeof err->text, format, args);
  va_end(args);
  one_line(err->text);
  return code;
}

ssne_code ssne_fail_in(ssne_error *err, const char *format, ...) {
  char cause[SSNE_ERROR_LENGTH];
  memcpy(cause, err->text, sizeof cause);
  va_list args;
  va_start(args, format);
  const int used = vsnprintf(err->text, sizeof err->text, format, args);
  va_end(args);
  if (used >= 0 && (size_t)used < sizeof err->text) {
    const size_t room = sizeof err->text - (size_t)used;
    snprintf(err->text + used, room, ": %.*s", (int)room, cause);
  }
  one_line(err->text);
  return err->code;
}
