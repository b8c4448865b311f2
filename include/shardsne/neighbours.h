/* Nearest neighbours over rows shared among ranks. */
#ifndef SHARDSNE_NEIGHBOURS_H
#define SHARDSNE_NEIGHBOURS_H

#include "shardsne/log.h"
#include "shardsne/rows.h"
#include "shardsne/status.h"
#include <mpi.h>
#include <stdint.h>

/* Collective. The exact k nearest other rows of each own row by Euclidean distance.
 *
 * `index` and `distance` [own_rows, k] become global row numbers and distances (not squared, in the
 * features' own units), nearest first, equal distances by index. 1 <= k < rows; rows < 2^32.
 *
 * A distance is the float32 sum of squared differences in SSNE_LANES accumulators. Matrix products
 * only rule candidates out, with a margin above their rounding error, so the result does not depend
 * on the BLAS, the number of ranks or threads, or the order of the search. The rows of the other
 * ranks come round a ring while those before are searched: three times the memory of a rank's own
 * rows. `log` shows the progress; may be NULL. */
ssne_code ssne_neighbours_exact(const ssne_rows *rows, int64_t k, int threads, MPI_Comm comm,
                                ssne_log *log, uint32_t *index, float *distance, ssne_error *err);

#endif
