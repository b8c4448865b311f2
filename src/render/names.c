#include "names.h"

#include <string.h>

#define NAME_CHARACTERS 40
#define TITLE_CHARACTERS 120
#define REPLACEMENT 0xfffdu
#define ELLIPSIS "\u2026"

/* Reads the character at `s` (not its end) to *c, and returns its length in bytes; 1 and U+FFFD
 * where there is none in the sense of RFC 3629. */
static int decode(const char *s, uint32_t *c) {
  const unsigned char first = (unsigned char)s[0];
  *c = first;
  if (first < 0x80) return 1;
  static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
  const int length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  bool valid = first >= 0xc2 && first <= 0xf4;
  *c = first & (0x7fu >> length);
  for (int i = 1; valid && i < length; i++) {
    valid = ((unsigned char)s[i] & 0xc0) == 0x80;
    *c = *c << 6 | ((unsigned char)s[i] & 0x3fu);
  }
  if (valid && *c >= least[length] && *c <= 0x10ffff && (*c < 0xd800 || *c > 0xdfff)) return length;
  *c = REPLACEMENT;
  return 1;
}

/* Controls, breaks of lines and paragraphs, changes of direction, and what XML forbids. */
static bool is_shown(uint32_t c) {
  if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return false;
  if (c >= 0x2028 && c <= 0x202e) return false;
  if (c >= 0x2066 && c <= 0x2069) return false;
  return c != 0xfffe && c != 0xffff;
}

/* The bytes of `s` that hold its first `characters` characters. */
static size_t prefix(const char *s, int characters) {
  const char *start = s;
  uint32_t c;
  for (; *s && characters > 0; characters--) s += decode(s, &c);
  return (size_t)(s - start);
}

/* `out` has room for one character more, of four bytes each, and an ellipsis. */
static void clean(const char *name, int characters, char *out) {
  size_t used = 0;
  for (int n = 0; *name && n <= characters; n++) {
    uint32_t c;
    const int length = decode(name, &c);
    const bool kept = c != REPLACEMENT && is_shown(c);
    memcpy(out + used, kept ? name : "\ufffd", kept ? (size_t)length : 3);
    used += kept ? (size_t)length : 3;
    name += length;
  }
  out[used] = 0;
  if (prefix(out, characters) < used)
    memcpy(out + prefix(out, characters - 1), ELLIPSIS, sizeof ELLIPSIS);
}

void ssne_name_clean(const char *name, char out[SSNE_NAME_SIZE]) {
  clean(name, NAME_CHARACTERS, out);
}

void ssne_title_clean(const char *title, char out[SSNE_TITLE_SIZE]) {
  clean(title, TITLE_CHARACTERS, out);
}

double ssne_name_width(const char *name) {
  double ems = 0;
  while (*name) {
    uint32_t c;
    name += decode(name, &c);
    if (c >= 0x1100 && c != REPLACEMENT && (c < 0x2000 || c > 0x206f))
      ems += 1.1; /* ideographs */
    else if (c < 0x80 && strchr("Iijl|.,:;'`! ", (int)c))
      ems += 0.4;
    else if (c < 0x80 && strchr("MWmw@%", (int)c))
      ems += 1;
    else if (c >= 'a' && c <= 'z')
      ems += 0.62;
    else
      ems += 0.8;
  }
  return ems;
}

bool ssne_name_is_ascii(const char *name) {
  for (; *name; name++)
    if ((unsigned char)*name > 0x7f) return false;
  return true;
}

void ssne_characters_read(FILE *file, ssne_characters *characters) {
  unsigned low, high;
  while (fscanf(file, "%x", &low) == 1) {
    if (fscanf(file, "-%x", &high) != 1) high = low;
    for (unsigned c = low; c <= high && c < SSNE_CHARACTERS; c++)
      characters->bit[c / 8] |= (uint8_t)(1u << c % 8);
  }
}

/* Joiners and variation selectors show nothing and need no font. */
static bool is_invisible(uint32_t c) {
  return (c >= 0x200b && c <= 0x200f) || (c >= 0xfe00 && c <= 0xfe0f);
}

void ssne_name_restrict(char *name, const ssne_characters *characters) {
  char *out = name;
  while (*name) {
    uint32_t c;
    const int length = decode(name, &c);
    if (c < 0x80 || is_invisible(c) || characters->bit[c / 8] >> c % 8 & 1) {
      memmove(out, name, (size_t)length);
      out += length;
    } else {
      *out++ = '?';
    }
    name += length;
  }
  *out = 0;
}
