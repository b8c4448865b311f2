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

#define WHOLE_LENGTH (8 * SSNE_ERROR_LENGTH) /* room for two of the longest paths and more */
#define GAP " ... "

/* What does not fit is left out in the middle: a message says what is wrong, and what to do, after
 * the path that it begins with. */
static void fit(const char *whole, char text[SSNE_ERROR_LENGTH]) {
  const size_t length = strlen(whole), most = SSNE_ERROR_LENGTH - 1;
  const size_t head = most / 2, tail = most - head - strlen(GAP);
  if (length <= most)
    snprintf(text, SSNE_ERROR_LENGTH, "%s", whole);
  else
    snprintf(text, SSNE_ERROR_LENGTH, "%.*s" GAP "%s", (int)head, whole, whole + length - tail);
  one_line(text);
}

ssne_code ssne_fail(ssne_error *err, ssne_code code, const char *format, ...) {
  char whole[WHOLE_LENGTH];
  va_list args;
  va_start(args, format);
  vsnprintf(whole, sizeof whole, format, args);
  va_end(args);
  err->code = code;
  fit(whole, err->text);
  return code;
}

ssne_code ssne_fail_in(ssne_error *err, const char *format, ...) {
  char whole[WHOLE_LENGTH];
  va_list args;
  va_start(args, format);
  const int used = vsnprintf(whole, sizeof whole, format, args);
  va_end(args);
  if (used >= 0 && (size_t)used < sizeof whole)
    snprintf(whole + used, sizeof whole - (size_t)used, ": %s", err->text);
  fit(whole, err->text);
  return err->code;
}
