#include "assignment.h"

#include "shardsne/memory.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define FINE 64     /* units of a cell's side */
#define COARSEST 12 /* a side from which on a grid is not halved again */
#define NONE (-1)
#define FAR INT32_MAX

_Static_assert(16LL * SSNE_ASSIGN_SIDE_MOST * SSNE_ASSIGN_SIDE_MOST * FINE * FINE < FAR,
               "prices differ by no more than costs do, and these leave room for sums of some");

/* A pair's reduced cost, cost - point_price - cell_price, is never negative, and 0 for pairs that
 * are assigned: then the assignment is the best (linear programming duality). There are as many
 * points as cells: those beyond the given cost nothing anywhere, and take the cells left over. */
typedef struct assignment {
  int side;
  int32_t width;                /* of the grid, in units */
  int32_t count, cells;         /* points given; cells, and points in all */
  int32_t *x, *y;               /* [cells] points, in units */
  int32_t *centre_x, *centre_y; /* [cells] in units */
  int32_t *point_price;         /* [cells] */
  int32_t *cell_price;          /* [cells] */
  int32_t *owner;               /* [cells] the point assigned; NONE */
  int32_t *length;              /* [cells] of the shortest way known from the point being assigned,
                                   by reduced costs; FAR once the cell is reached for good */
  int32_t *before;              /* [cells] the cell before it on the way; NONE: the point itself */
  int32_t *reached;             /* [cells] cells reached for good, in this order, */
  int32_t *reached_length;      /* [cells] and the lengths of the ways */
} assignment;

static inline int32_t cost(const assignment *a, int32_t point, int32_t cell) {
  const int32_t dx = a->x[point] - a->centre_x[cell], dy = a->y[point] - a->centre_y[cell];
  return point < a->count ? dx * dx + dy * dy : 0;
}

/* The ways that lead by the cell `at` and its owner `by`, in a loop that compilers make vectors
 * of. Of those that cost nothing anywhere the product with 0 is the cost. */
static void relax(assignment *restrict a, int32_t by, int32_t at, int32_t length) {
  const int32_t x = a->x[by], y = a->y[by], real = by < a->count;
  const int32_t base = length - a->point_price[by];
  const int32_t *restrict cx = a->centre_x, *restrict cy = a->centre_y;
  const int32_t *restrict price = a->cell_price;
  int32_t *restrict known = a->length, *restrict before = a->before;
  for (int32_t c = 0; c < a->cells; c++) {
    const int32_t dx = x - cx[c], dy = y - cy[c];
    const int32_t through = base + real * (dx * dx + dy * dy) - price[c];
    const bool shorter = known[c] != FAR && through < known[c];
    known[c] = shorter ? through : known[c];
    before[c] = shorter ? at : before[c];
  }
}

/* The nearest cell not yet reached; of equally near ones the first free one, else the first. */
static int32_t find_nearest(const assignment *a) {
  int32_t least = FAR, first = NONE;
  for (int32_t c = 0; c < a->cells; c++) least = a->length[c] < least ? a->length[c] : least;
  for (int32_t c = 0; c < a->cells; c++) {
    if (a->length[c] != least) continue;
    if (a->owner[c] == NONE) return c;
    if (first == NONE) first = c;
  }
  return first;
}

/* Finds the shortest way from the point to a free cell, by Dijkstra's algorithm over cells, moves
 * the prices so that costs along it are 0, and assigns along it. */
static void assign_point(assignment *a, int32_t point) {
  int32_t at = NONE, by = point, length = 0, count = 0;
  for (int32_t c = 0; c < a->cells; c++) a->length[c] = FAR - 1;
  do {
    relax(a, by, at, length);
    at = find_nearest(a);
    length = a->length[at];
    a->length[at] = FAR;
    a->reached[count] = at;
    a->reached_length[count++] = length;
    by = a->owner[at];
  } while (by != NONE);
  for (int32_t i = 0; i < count; i++) {
    const int32_t cell = a->reached[i], gain = length - a->reached_length[i];
    a->cell_price[cell] -= gain;
    if (a->owner[cell] != NONE) a->point_price[a->owner[cell]] += gain;
  }
  a->point_price[point] += length;
  for (int32_t previous; at != NONE; at = previous) {
    previous = a->before[at];
    a->owner[at] = previous == NONE ? point : a->owner[previous];
  }
}

/* --- prices to begin with ---------------------------------------------------------------- */

/* Ways are short where the prices are nearly right from the start, and those of a grid of half as
 * many cells a side, with a quarter of the points, are. */

static int32_t centre(const assignment *a, int index) {
  return (2 * index + 1) * a->width / (2 * a->side);
}

static void set_centres(assignment *a) {
  for (int32_t c = 0; c < a->cells; c++) {
    a->centre_x[c] = centre(a, c % a->side);
    a->centre_y[c] = centre(a, c / a->side);
  }
}

/* The coarse grid's prices between its centres, and beyond them those of the border. */
static void take_prices(assignment *a, const assignment *coarse) {
  for (int32_t c = 0; c < a->cells; c++) {
    double weight[2];
    int low[2];
    const int32_t place[2] = {a->centre_x[c], a->centre_y[c]};
    for (int axis = 0; axis < 2; axis++) {
      const double at = (double)place[axis] * coarse->side / a->width - 0.5;
      const double within = fmin(fmax(at, 0), coarse->side - 1);
      low[axis] = (int)fmin(within, coarse->side - 2);
      weight[axis] = within - low[axis];
    }
    const int32_t *price = coarse->cell_price + (int64_t)low[1] * coarse->side + low[0];
    const double upper = (1 - weight[0]) * price[0] + weight[0] * price[1];
    const double lower =
        (1 - weight[0]) * price[coarse->side] + weight[0] * price[coarse->side + 1];
    a->cell_price[c] = (int32_t)lround((1 - weight[1]) * upper + weight[1] * lower);
  }
}

/* The highest prices of points that the cells' allow; those whose best cell is free have it. */
static void begin(assignment *a, bool *assigned) {
  for (int32_t p = 0; p < a->cells; p++) {
    int32_t best = 0;
    int32_t least = FAR;
    for (int32_t c = 0; c < a->cells; c++) {
      const int32_t reduced = cost(a, p, c) - a->cell_price[c];
      if (reduced > least || (reduced == least && a->owner[best] == NONE)) continue;
      if (reduced == least && a->owner[c] != NONE) continue;
      least = reduced;
      best = c;
    }
    a->point_price[p] = least;
    assigned[p] = a->owner[best] == NONE;
    if (assigned[p]) a->owner[best] = p;
  }
}

/* --- all of it --------------------------------------------------------------------------- */

#define ARRAYS 11
static void list_arrays(assignment *a, int32_t **arrays[ARRAYS]) {
  int32_t **const all[ARRAYS] = {&a->x,          &a->y,           &a->centre_x,      &a->centre_y,
                                 &a->cell_price, &a->point_price, &a->owner,         &a->length,
                                 &a->before,     &a->reached,     &a->reached_length};
  memcpy(arrays, all, sizeof all);
}

static void release(assignment *a) {
  int32_t **arrays[ARRAYS];
  list_arrays(a, arrays);
  for (int i = 0; i < ARRAYS; i++) ssne_free(arrays[i]);
}

static ssne_code allocate(assignment *a, ssne_error *err) {
  int32_t **arrays[ARRAYS];
  list_arrays(a, arrays);
  for (int i = 0; i < ARRAYS; i++)
    SSNE_TRY(ssne_alloc(arrays[i], a->cells, sizeof(int32_t), "cells of the grid", err));
  return SSNE_OK;
}

static ssne_code solve(assignment *a, ssne_error *err);

/* A grid of half the side, with as many of the points as it has of the cells. */
static ssne_code solve_coarse(const assignment *a, assignment *coarse, ssne_error *err) {
  const int side = (a->side + 1) / 2;
  *coarse = (assignment){.side = side, .cells = side * side, .width = a->width};
  coarse->count = (int32_t)((int64_t)a->count * coarse->cells / a->cells);
  SSNE_TRY(allocate(coarse, err));
  for (int32_t i = 0; i < coarse->count; i++) {
    const int32_t from = (int32_t)((int64_t)i * a->count / coarse->count);
    coarse->x[i] = a->x[from];
    coarse->y[i] = a->y[from];
  }
  return solve(coarse, err);
}

static ssne_code solve(assignment *a, ssne_error *err) {
  bool *assigned = NULL;
  ssne_code code = SSNE_OK;
  set_centres(a);
  if (a->side > COARSEST) {
    assignment coarse;
    code = solve_coarse(a, &coarse, err);
    if (code == SSNE_OK) take_prices(a, &coarse);
    release(&coarse);
  }
  if (code == SSNE_OK) code = ssne_alloc(&assigned, a->cells, sizeof *assigned, "points", err);
  if (code != SSNE_OK) return code;
  for (int32_t c = 0; c < a->cells; c++) a->owner[c] = NONE;
  begin(a, assigned);
  for (int32_t p = 0; p < a->cells; p++)
    if (!assigned[p]) assign_point(a, p);
  ssne_free(&assigned);
  return SSNE_OK;
}

ssne_code ssne_grid_assign(const float *place, int64_t count, int side, int32_t *cell,
                           ssne_error *err) {
  assignment a = {
      .side = side, .cells = side * side, .count = (int32_t)count, .width = side * FINE};
  ssne_code code = allocate(&a, err);
  for (int32_t i = 0; i < count && code == SSNE_OK; i++) {
    a.x[i] = (int32_t)lroundf(place[2 * (int64_t)i] * FINE);
    a.y[i] = (int32_t)lroundf(((float)side - place[2 * (int64_t)i + 1]) * FINE);
  }
  if (code == SSNE_OK) code = solve(&a, err);
  for (int32_t c = 0; c < a.cells && code == SSNE_OK; c++)
    if (a.owner[c] < count) cell[a.owner[c]] = c;
  release(&a);
  return code;
}
