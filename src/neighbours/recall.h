/* How far an approximate search must look, and how well it did: by a sample of rows whose exact
 * neighbours are computed. */
#ifndef SSNE_NEIGHBOURS_RECALL_H
#define SSNE_NEIGHBOURS_RECALL_H

#include "backend.h"

typedef struct ssne_recall {
  ssne_sample sample;
  uint64_t *best; /* [count, k] keys of the exact neighbours, ascending, the same on every rank */
} ssne_recall;

/* Collective. Draws the sample and finds its exact neighbours. Free with ssne_recall_free. */
ssne_code ssne_recall_create(const ssne_search_task *task, ssne_recall *out, ssne_error *err);
void ssne_recall_free(ssne_recall *recall);

/* Collective. *reach becomes the least number for which as large a share of one half of the
 * sample's neighbours as wanted lies in cells whose centre is no farther (squared) from the sample
 * row than its own cell's is, by `reach` times the spacing of that. */
ssne_code ssne_recall_calibrate(const ssne_search_task *task, const ssne_recall *recall,
                                float *reach, ssne_error *err);

/* Collective. The share of the other half's exact neighbours that are in task->best. */
ssne_code ssne_recall_measure(const ssne_search_task *task, const ssne_recall *recall,
                              ssne_search_report *report, ssne_error *err);

#endif
