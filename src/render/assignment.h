/* Points to cells of a grid, as near as can be in all. */
#ifndef SSNE_RENDER_ASSIGNMENT_H
#define SSNE_RENDER_ASSIGNMENT_H

#include "shardsne/status.h"
#include <stdint.h>

/* The largest grid: its sums fit 32 bits. */
#define SSNE_ASSIGN_SIDE_MOST 64

/* cell[i] becomes the cell (row * side + column, rows from the top) of point i, no two the same,
 * such that the sum of squared distances from the points to their cells' centres is the least
 * possible. `place` [count, 2]: from 0 to `side` in both coordinates, y upwards; count <= side *
 * side. Shortest augmenting paths (R. Jonker and A. Volgenant, 1987), in integers of a 64th of a
 * cell, so that the result is the same everywhere; `side` from 1 to SSNE_ASSIGN_SIDE_MOST. */
ssne_code ssne_grid_assign(const float *place, int64_t count, int side, int32_t *cell,
                           ssne_error *err);

#endif
