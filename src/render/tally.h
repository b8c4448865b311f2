/* The cells of a tally: rows; then with classes the sums of L, a and b of their colours in OKLab,
 * or with values the rows that have one and the sum of their places on the scale. */
#ifndef SSNE_RENDER_TALLY_H
#define SSNE_RENDER_TALLY_H

#include "shardsne/render.h"

/* 1 in those sums. */
#define SSNE_TALLY_UNIT 65536.0

/* The cell that a row lies in, or -1. */
int64_t ssne_grid_cell(const ssne_grid *grid, const float *xy);

#endif
