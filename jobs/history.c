#include "history.h"

#include <math.h>

ssne_code history_write(ssne_store *store, const ssne_tsne_record *history, int64_t first,
                        int64_t end, ssne_error *err) {
  for (int64_t i = first; i < end; i++) {
    const ssne_tsne_record *r = &history[i];
    const ssne_history_entry entry = {r->iteration,    r->kl,      r->gradient_norm,
                                      r->exaggeration, r->seconds, r->span};
    SSNE_TRY(ssne_store_write(store, SSNE_SET_HISTORY, i, 1, &entry, err));
  }
  return SSNE_OK;
}

ssne_code history_read(ssne_store *store, int64_t count, ssne_tsne_record *history,
                       ssne_error *err) {
  for (int64_t i = 0; i < count; i++) {
    ssne_history_entry e = {.span = NAN};
    SSNE_TRY(ssne_store_read_written(store, SSNE_SET_HISTORY, i, 1, &e, err));
    history[i] = (ssne_tsne_record){.iteration = e.iteration,
                                    .kl = e.kl,
                                    .gradient_norm = e.gradient_norm,
                                    .exaggeration = e.exaggeration,
                                    .seconds = e.seconds,
                                    .span = e.span};
  }
  return SSNE_OK;
}
