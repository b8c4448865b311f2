/* Parts of the program that are opened when first wanted, since what they link is large. */
#ifndef SHARDSNE_MODULE_H
#define SHARDSNE_MODULE_H

#include "shardsne/status.h"

/* Opens the module `file`, found by the RUNPATH of the program, and sets *table to its symbol
 * `name`. It stays open for good: opening it again costs nothing. SSNE_FAILED, with the
 * loader's own words, where that cannot be; `library` is what it is for, `needs` are the files that
 * must be found, both for the message. Thread-safe. */
ssne_code ssne_module_open(const char *file, const char *name, const char *library,
                           const char *needs, const void **table, ssne_error *err);

#endif
