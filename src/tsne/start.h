/* What the starts share; private to this folder. */
#ifndef SSNE_TSNE_START_H
#define SSNE_TSNE_START_H

#include "shardsne/tsne.h"

/* Not collective. `xy` [own_rows, 2] becomes `placed` [own_rows, 2] times `scale`, with noise of a
 * hundredth of SSNE_START_DEVIATION that sets identical rows apart. */
void ssne_start_place(const ssne_partition *partition, const double *placed, double scale,
                      uint64_t seed, float *xy);

#endif
