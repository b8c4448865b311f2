/* What an embedding will take, told before it begins. */
#ifndef SHARDSNE_JOBS_FORECAST_H
#define SHARDSNE_JOBS_FORECAST_H

#include "embedding.h"

/* Collective: prints the memory that the embedding will take, on the rank that takes most and on
 * all together, and the time, and writes a "forecast" record. A warning where a node has less
 * memory available than its ranks will take. The input must be open and the partition known. */
ssne_code forecast_embedding(embedding *e, ssne_error *err);

#endif
