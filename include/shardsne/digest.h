/* Digests: short names for contents, to compare two results or recognise a file. Not a defence
 * against forgery. 128-bit XXH3, written as 32 hexadecimal digits. */
#ifndef SHARDSNE_DIGEST_H
#define SHARDSNE_DIGEST_H

#include "shardsne/status.h"
#include <stddef.h>
#include <stdint.h>

#define SSNE_DIGEST_LENGTH 33 /* with the closing zero */

/* The 64-bit digest of `size` bytes. */
uint64_t ssne_digest64(const void *bytes, size_t size);

/* The digest of `size` bytes as text. */
void ssne_digest_text(const void *bytes, size_t size, char text[SSNE_DIGEST_LENGTH]);

/* The digest of a file's contents. Fails where it cannot be read. */
ssne_code ssne_digest_file(const char *path, char text[SSNE_DIGEST_LENGTH], ssne_error *err);

#endif
