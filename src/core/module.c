#include "shardsne/module.h"

#include <dlfcn.h>
#include <stddef.h>

ssne_code ssne_module_open(const char *file, const char *name, const char *library,
                           const char *needs, const void **table, ssne_error *err) {
  void *module = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  *table = module ? dlsym(module, name) : NULL;
  if (*table) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED,
                   "%s cannot be loaded (%s): install the program anew, or set LD_LIBRARY_PATH to "
                   "where %s are",
                   library, dlerror(), needs);
}
