/* Where coordinates of own rows and ghosts are kept: along a Hilbert curve through the map, so that
 * those of a row's neighbours are in few cache lines, whatever the order of the rows. */
#include "near.h"

#include "shardsne/agree.h"
#include "shardsne/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CURVE_BITS 16 /* of either coordinate */

typedef struct layout {
  uint64_t *keyed; /* [own_rows + ghosts] place on the curve, and old slot, in 32 bits each */
  uint32_t *moved; /* [own_rows + ghosts] from old slot to new */
  uint32_t *wanted, *asked; /* [ghosts], [given_rows] where rows were in the lists of those sent */
  uint32_t *row;            /* [given_rows] the new list, until it is near's */
} layout;

static void layout_free(layout *l) {
  ssne_free(&l->keyed);
  ssne_free(&l->moved);
  ssne_free(&l->wanted);
  ssne_free(&l->asked);
  ssne_free(&l->row);
}

static ssne_code allocate(const ssne_near *near, layout *l, ssne_error *err) {
  const ssne_partition *p = &near->affinities->partition;
  const int64_t all = p->own_rows + near->ghosts, given = near->given_rows;
  SSNE_TRY(ssne_alloc(&l->keyed, all, sizeof *l->keyed, "places on a curve", err));
  SSNE_TRY(ssne_alloc(&l->moved, all, sizeof *l->moved, "slots of coordinates", err));
  SSNE_TRY(ssne_alloc(&l->wanted, near->ghosts, sizeof *l->wanted, "rows of others", err));
  SSNE_TRY(ssne_alloc(&l->asked, given, sizeof *l->asked, "rows to send", err));
  return ssne_alloc(&l->row, given, sizeof *l->row, "rows to send", err);
}

/* The place on Hilbert's curve of a cell of 2^CURVE_BITS by as many. */
static uint32_t on_curve(uint32_t x, uint32_t y) {
  uint32_t place = 0;
  for (uint32_t side = UINT32_C(1) << (CURVE_BITS - 1); side > 0; side /= 2) {
    const uint32_t right = (x & side) > 0, up = (y & side) > 0;
    place += side * side * ((3 * right) ^ up);
    x &= side - 1;
    y &= side - 1;
    if (up) continue;
    const uint32_t turned = right ? side - 1 - x : x;
    x = right ? side - 1 - y : y;
    y = turned;
  }
  return place;
}

/* Cells of the square around all points. Coordinates that are not finite, which the exact repulsion
 * lets pass, are anywhere. */
static void find_places(const float *xy, int64_t count, uint64_t *keyed) {
  float low[2] = {HUGE_VALF, HUGE_VALF}, high[2] = {-HUGE_VALF, -HUGE_VALF};
  for (int64_t i = 0; i < 2 * count; i++) {
    low[i % 2] = fminf(low[i % 2], xy[i]);
    high[i % 2] = fmaxf(high[i % 2], xy[i]);
  }
  const float width = fmaxf(fmaxf(high[0] - low[0], high[1] - low[1]), 1e-30F);
  const float cells = (float)((1 << CURVE_BITS) - 1);
  for (int64_t i = 0; i < count; i++) {
    uint32_t cell[2];
    for (int a = 0; a < 2; a++) {
      const float part = (xy[2 * i + a] - low[a]) / width;
      cell[a] = part >= 0 && part <= 1 ? (uint32_t)(part * cells) : 0;
    }
    keyed[i] = (uint64_t)on_curve(cell[0], cell[1]) << 32 | (uint32_t)i;
  }
}

static int ascending(const void *a, const void *b) {
  uint64_t x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return (x > y) - (x < y);
}

/* Own rows in the order of the curve, then each rank's ghosts. */
static void sort(const ssne_near *near, const layout *l) {
  const ssne_partition *p = &near->affinities->partition;
  int64_t first = p->own_rows;
  find_places(near->xy, p->own_rows + near->ghosts, l->keyed);
  qsort(l->keyed, (size_t)p->own_rows, sizeof *l->keyed, ascending);
  for (int r = 0; r < p->ranks; r++) {
    qsort(l->keyed + first, (size_t)near->taken[r], sizeof *l->keyed, ascending);
    for (int64_t i = 0; i < near->taken[r]; i++)
      l->wanted[first - p->own_rows + i] = (uint32_t)l->keyed[first + i] - (uint32_t)first;
    first += near->taken[r];
  }
  for (int64_t i = 0; i < first; i++) l->moved[(uint32_t)l->keyed[i]] = (uint32_t)i;
}

static void move(ssne_near *near, const layout *l) {
  const ssne_affinities *a = near->affinities;
  const int64_t own = a->partition.own_rows;
  for (int64_t r = 0; r < own; r++) near->slot[r] = l->moved[near->slot[r]];
#pragma omp parallel for schedule(static) num_threads(near->threads)
  for (int64_t e = 0; e < a->start[own]; e++) near->column[e] = l->moved[near->column[e]];
}

/* Collective: the owners of ghosts send them in the new order from now on. */
static ssne_code tell_owners(ssne_near *near, layout *l, ssne_error *err) {
  const int ranks = near->affinities->partition.ranks;
  SSNE_TRY(ssne_exchange(l->wanted, near->taken, l->asked, near->given, sizeof *l->asked,
                         near->comm, err));
  int64_t first = 0;
  for (int r = 0; r < ranks; first += near->given[r++])
    for (int64_t i = first; i < first + near->given[r]; i++)
      l->row[i] = near->row[first + l->asked[i]];
  ssne_free(&near->row);
  near->row = l->row;
  l->row = NULL;
  return SSNE_OK;
}

ssne_code ssne_near_lay_out(ssne_near *near, ssne_error *err) {
  layout l = {0};
  ssne_code code = ssne_agree(near->comm, allocate(near, &l, err), err);
  if (code == SSNE_OK) {
    sort(near, &l);
    move(near, &l);
    code = tell_owners(near, &l, err);
  }
  layout_free(&l);
  return code;
}
