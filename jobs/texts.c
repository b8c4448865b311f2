#include "texts.h"

#include "shardsne/memory.h"

ssne_code texts_read(ssne_store *store, ssne_set set, const int64_t *row, int64_t count,
                     int64_t width, char **text, const char ***out, ssne_error *err) {
  SSNE_TRY(ssne_alloc(text, count, (size_t)width + 1, "names", err));
  SSNE_TRY(ssne_alloc(out, count, sizeof **out, "names", err));
  for (int64_t i = 0; i < count; i++) {
    char *place = *text + i * (width + 1);
    (*out)[i] = place;
    SSNE_TRY(ssne_store_read(store, set, row ? row[i] : i, 1, place, err));
  }
  return SSNE_OK;
}
