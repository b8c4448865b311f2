/* Run files, byte by byte. HDF5's own parser sees them first, which no sanitizer looks into. */
#include "show.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  show_file(fuzz_file(bytes, size));
  return 0;
}
