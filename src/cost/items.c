/* The items of an iteration, and who sends what to whom. They follow src/tsne: change both. */
#include "shardsne/cost.h"
#include "shardsne/partition.h"

#include <math.h>

#define STRIP 16   /* columns of the mesh that are transformed together */
#define LANES 8    /* rows of the transformed mesh that are */
#define NODE 4     /* bytes of a charge and of a potential */
#define WAVE 8     /* bytes of a node's share of the transform */
#define POINT 8    /* bytes of coordinates */
#define READING 12 /* bytes of what is read for a point */
#define COARSE 32  /* squares a side at least, and up to two halvings more */
#define SQUARES_OF_A_RANK 32
#define SUMS 160            /* bytes of the sums that are exact */
#define FEWEST_IN_A_GRID 36 /* fewer workers are not worth a second leg */
#define REACH 3             /* nodes beyond a square that its points reach */

/* --- sizes ----------------------------------------------------------------------------------- */

static int64_t at_least_one(int64_t value) {
  return value < 1 ? 1 : value;
}

static int64_t own_rows(const ssne_cost_problem *p) {
  return (p->rows + p->ranks - 1) / p->ranks;
}

/* Of the mesh, taken for a square. */
static int64_t mesh_side(const ssne_cost_problem *p) {
  return at_least_one((int64_t)sqrt((double)p->nodes));
}

static int64_t strips_of(const ssne_cost_problem *p) {
  return at_least_one(mesh_side(p) / STRIP);
}

static int64_t squares_side(const ssne_cost_problem *p) {
  int64_t side = COARSE;
  for (int halving = 0; halving < 2 && side * side < SQUARES_OF_A_RANK * (int64_t)p->ranks;
       halving++)
    side *= 2;
  return side;
}

double ssne_cost_ghosts(int64_t rows, int ranks) {
  const double own = (double)rows / ranks, others = (double)rows - own;
  return fmin(7.24 * pow(3906 / own, 0.31), others / own);
}

int ssne_cost_ghost_partners(int ranks) {
  const int most = ranks <= 64 ? ranks - 1 : (int)(161 * pow(ranks / 256.0, 0.26));
  return most < ranks - 1 ? most : ranks - 1;
}

/* Seconds beside the work: by one row of workers, each of which sends twice to all others; or by a
 * square, where each sends four times to those of its row and of its column. */
ssne_workers ssne_cost_grid_choose(int64_t nodes, int ranks, int threads) {
  const double message = ssne_cost_fast_network().latency;
  const double alone = ssne_cost_reference().node * (double)nodes / threads;
  const double row = fmin(sqrt(alone / (2 * message)), ranks);
  const double square = fmin(pow(alone / (4 * message), 2.0 / 3), ranks);
  const double row_seconds = alone / row + 2 * row * message;
  const double square_seconds = alone / square + 8 * sqrt(square) * message;
  if (square < FEWEST_IN_A_GRID || row_seconds <= square_seconds)
    return (ssne_workers){1, row < 1 ? 1 : (int)row};
  const int side = (int)sqrt(square);
  return (ssne_workers){side, (int)square / side};
}

static ssne_workers grid_of(const ssne_cost_problem *p) {
  return ssne_cost_grid_choose(p->nodes, p->ranks, p->threads);
}

static int workers_of(const ssne_cost_problem *p) {
  const ssne_workers grid = grid_of(p);
  return grid.rows * grid.columns;
}

static int workers_before(const ssne_cost_problem *p, int rank) {
  return ssne_workers_before(grid_of(p), p->ranks, rank);
}

bool ssne_cost_is_worker(const ssne_cost_problem *p, int rank) {
  return workers_before(p, rank + 1) > workers_before(p, rank);
}

/* --- windows --------------------------------------------------------------------------------- */

/* [first, end) of columns of the mesh, and rows. */
typedef struct window {
  int64_t first, end, rows;
} window;

/* The first square of a rank's run. Half a run off the even shares, since a column of squares ends
 * anywhere in a run. */
static int64_t run_begin(const ssne_cost_problem *p, int rank) {
  const int64_t squares = squares_side(p) * squares_side(p);
  if (rank == 0 || rank == p->ranks) return rank == 0 ? 0 : squares;
  return ssne_share_begin(squares, p->ranks, rank) + squares / p->ranks / 2;
}

/* Of points spread evenly over the mesh: a rank has a run of squares, which may go on in the next
 * column of squares. */
static window window_of(const ssne_cost_problem *p, int rank) {
  const int64_t squares = squares_side(p), across = at_least_one(mesh_side(p) / squares);
  const int64_t begin = run_begin(p, rank), end = run_begin(p, rank + 1);
  const int64_t first = begin / squares, last = (end - 1) / squares;
  int64_t rows = end - begin;
  if (last > first) {
    const int64_t before = (first + 1) * squares - begin, after = end - last * squares;
    rows = p->straight || last > first + 1 ? squares : before > after ? before : after;
  }
  window w = {first * across / STRIP * STRIP, (last + 1) * across + REACH, rows * across + REACH};
  w.end = (w.end + STRIP - 1) / STRIP * STRIP;
  if (w.end > mesh_side(p)) w.end = mesh_side(p);
  if (w.rows > mesh_side(p)) w.rows = mesh_side(p);
  return w;
}

int64_t ssne_cost_window(const ssne_cost_problem *p, int rank) {
  int64_t most = 0;
  for (int r = rank < 0 ? 0 : rank; r < (rank < 0 ? p->ranks : rank + 1); r++) {
    const window w = window_of(p, r);
    if ((w.end - w.first) * w.rows > most) most = (w.end - w.first) * w.rows;
  }
  return most;
}

/* The nodes that a window and the strips of a worker have in common. */
static int64_t slice_of(const ssne_cost_problem *p, int of_window, int worker) {
  if (!ssne_cost_is_worker(p, worker)) return 0;
  const int workers = workers_of(p), number = workers_before(p, worker);
  const int64_t from = ssne_share_begin(strips_of(p), workers, number) * STRIP;
  const int64_t to = ssne_share_begin(strips_of(p), workers, number + 1) * STRIP;
  const window w = window_of(p, of_window);
  const int64_t first = w.first > from ? w.first : from, end = w.end < to ? w.end : to;
  return end > first ? (end - first) * w.rows : 0;
}

/* --- routes ---------------------------------------------------------------------------------- */

static int partners_of(const ssne_cost_problem *p, ssne_cost_route route) {
  const int others = p->ranks - 1;
  int partners = p->point_partners > 0 ? p->point_partners : 64;
  if (route == SSNE_COST_GHOSTS)
    partners = p->ghost_partners > 0 ? p->ghost_partners : ssne_cost_ghost_partners(p->ranks);
  return partners < others ? partners : others;
}

/* Ghosts come from the ranks beside, by number. */
static bool are_beside(const ssne_cost_problem *p, int from, int to) {
  const int partners = partners_of(p, SSNE_COST_GHOSTS);
  const int ahead = (to - from + p->ranks) % p->ranks, back = p->ranks - ahead;
  return ahead <= partners / 2 || back <= (partners + 1) / 2;
}

/* Points lie in tiles that have nothing to do with the order of rows: as many ranks on, evenly. */
static bool is_on_the_way(const ssne_cost_problem *p, int from, int to) {
  const int stride = (p->ranks - 1) / partners_of(p, SSNE_COST_POINTS_OUT);
  const int ahead = (to - from + p->ranks) % p->ranks;
  return ahead % stride == 0 && ahead / stride <= partners_of(p, SSNE_COST_POINTS_OUT);
}

static int64_t share_of(const ssne_cost_problem *p, int64_t count, int first, int end) {
  const int workers = workers_of(p);
  return ssne_share_begin(count, workers, end) - ssne_share_begin(count, workers, first);
}

/* Worker a's columns for all bundles of b's column of the grid; or the columns of all of its row
 * for b's bundles. Worker q is in row q % rows and column q / rows. */
static int64_t transposed(const ssne_cost_problem *p, bool in_rows, int from, int to) {
  if (!ssne_cost_is_worker(p, from) || !ssne_cost_is_worker(p, to)) return 0;
  const ssne_workers grid = grid_of(p);
  const int a = workers_before(p, from), b = workers_before(p, to), rows = grid.rows;
  const int64_t all_bundles = mesh_side(p) / LANES + 1;
  const int64_t columns = share_of(p, strips_of(p), a, a + 1) * STRIP;
  if (in_rows && a % rows == b % rows)
    return columns * share_of(p, all_bundles, b / rows * rows, (b / rows + 1) * rows) * LANES *
           WAVE;
  if (!in_rows && a / rows == b / rows)
    return columns * grid.columns * share_of(p, all_bundles, b, b + 1) * LANES * WAVE;
  return 0;
}

int64_t ssne_cost_between(const ssne_cost_problem *p, const ssne_cost_item *item, int from,
                          int to) {
  if (from == to) return 0;
  const int64_t points = own_rows(p) / (partners_of(p, SSNE_COST_POINTS_OUT) + 1);
  const double own = (double)own_rows(p);
  const double ghosts = p->ghosts >= 0 ? p->ghosts : ssne_cost_ghosts(p->rows, p->ranks);
  switch (item->route) {
  case SSNE_COST_NOWHERE:
    break;
  case SSNE_COST_GHOSTS:
    return are_beside(p, from, to)
               ? (int64_t)(ghosts * own / partners_of(p, SSNE_COST_GHOSTS)) * item->bytes
               : 0;
  case SSNE_COST_POINTS_OUT:
    return is_on_the_way(p, from, to) ? points * item->bytes : 0;
  case SSNE_COST_POINTS_BACK:
    return is_on_the_way(p, to, from) ? points * item->bytes : 0;
  case SSNE_COST_CHARGES:
    return slice_of(p, from, to) * item->bytes;
  case SSNE_COST_POTENTIAL:
    return slice_of(p, to, from) * item->bytes;
  case SSNE_COST_TRANSPOSE_ROWS:
    return transposed(p, true, from, to);
  case SSNE_COST_TRANSPOSE_COLUMNS:
    return transposed(p, false, from, to);
  }
  return 0;
}

/* --- items ----------------------------------------------------------------------------------- */

typedef struct listing {
  const ssne_cost_problem *problem;
  ssne_cost_item *items;
  int count;
} listing;

static ssne_cost_item *add(listing *l, ssne_cost_kind kind, const char *stage) {
  ssne_cost_item *item = &l->items[l->count++];
  *item = (ssne_cost_item){.kind = kind, .stage = stage, .member_bytes = 1};
  return item;
}

static void compute(listing *l, const char *stage, double seconds) {
  add(l, SSNE_COST_COMPUTE, stage)->seconds = seconds / l->problem->threads;
}

static void reduce(listing *l, const char *stage, int64_t bytes, int64_t member) {
  if (l->problem->ranks == 1) return;
  ssne_cost_item *item = add(l, SSNE_COST_ALLREDUCE, stage);
  item->bytes = bytes;
  item->member_bytes = member;
}

static void collect(listing *l, ssne_cost_kind kind, const char *stage, int64_t bytes) {
  if (l->problem->ranks > 1) add(l, kind, stage)->bytes = bytes;
}

static void send(listing *l, ssne_cost_kind kind, const char *stage, ssne_cost_route route,
                 int64_t bytes) {
  if (l->problem->ranks == 1) return;
  ssne_cost_item *item = add(l, kind, stage);
  item->route = route;
  item->bytes = bytes;
}

/* By the room that the coordinates take which are read. */
static double entry_seconds(const ssne_cost_problem *p, const ssne_cost_machine *m) {
  const double ghosts = p->ghosts >= 0 ? p->ghosts : ssne_cost_ghosts(p->rows, p->ranks);
  const bool all = p->how == SSNE_COST_ALL;
  const double rows = all ? (double)p->rows : (double)own_rows(p) * (1 + ghosts);
  const double far = log(rows * POINT / m->cache) / log(m->beyond / m->cache);
  return m->entry + (m->entry_beyond - m->entry) * fmin(1, fmax(0, far));
}

static void attract(listing *l, const ssne_cost_machine *m) {
  const double entries = (double)l->problem->entries / l->problem->ranks;
  compute(l, "attraction", entries * entry_seconds(l->problem, m));
}

static void compute_on_workers(listing *l, const char *stage, double seconds) {
  compute(l, stage, seconds / workers_of(l->problem));
  l->items[l->count - 1].of_workers = true;
}

static void transpose(listing *l, ssne_cost_kind kind) {
  const ssne_cost_problem *p = l->problem;
  send(l, kind, "transpose", SSNE_COST_TRANSPOSE_ROWS, 1);
  if (grid_of(p).rows > 1) send(l, kind, "transpose", SSNE_COST_TRANSPOSE_COLUMNS, 1);
}

/* There, multiply, and back: a third each, near enough. */
static void transform(listing *l, const ssne_cost_machine *m, ssne_cost_kind kind) {
  const double third = (double)l->problem->nodes * m->node / 3;
  compute_on_workers(l, "transform", third);
  transpose(l, kind);
  compute_on_workers(l, "transform", third);
  transpose(l, kind);
  compute_on_workers(l, "transform", third);
}

static void compute_in_window(listing *l, double seconds_a_node) {
  const double nodes = (double)ssne_cost_window(l->problem, -1);
  compute(l, "window", nodes * seconds_a_node);
  l->items[l->count - 1].of_windows = true;
}

/* The mesh as src/tsne/mesh.c shares it. */
static void repel_near(listing *l, const ssne_cost_machine *m) {
  const ssne_cost_problem *p = l->problem;
  const double own = (double)own_rows(p);
  const int64_t squares = squares_side(p) * squares_side(p);
  reduce(l, "box", 20, 4);
  reduce(l, "squares", squares * 4, 4);
  compute(l, "plan", p->threads * ((double)squares * m->square + p->ranks * m->slice));
  collect(l, SSNE_COST_ALLTOALL, "points", 8);
  send(l, SSNE_COST_MESSAGES, "points", SSNE_COST_POINTS_OUT, POINT);
  compute(l, "points", own * (m->point + m->served));
  compute_in_window(l, m->cell / 2);
  send(l, SSNE_COST_MESSAGES, "charges", SSNE_COST_CHARGES, NODE);
  transform(l, m, SSNE_COST_MESSAGES);
  send(l, SSNE_COST_MESSAGES, "potential", SSNE_COST_POTENTIAL, NODE);
  compute_in_window(l, m->cell / 2);
  send(l, SSNE_COST_MESSAGES, "points", SSNE_COST_POINTS_BACK, READING);
}

/* Every rank has all of the mesh. */
static void repel_all(listing *l, const ssne_cost_machine *m) {
  const ssne_cost_problem *p = l->problem;
  const double own = (double)own_rows(p), nodes = (double)p->nodes;
  reduce(l, "box", 20, 4);
  compute(l, "points", own * m->point);
  reduce(l, "squares", INT64_C(8) * COARSE * COARSE, 8);
  compute(l, "window", nodes * m->cell / 2);
  collect(l, SSNE_COST_REDUCE_SCATTER, "charges", p->nodes * NODE);
  transform(l, m, SSNE_COST_ALLTOALLV);
  collect(l, SSNE_COST_ALLGATHERV, "potential", p->nodes * NODE);
  compute(l, "window", nodes * m->cell / 2);
}

int ssne_cost_iteration(const ssne_cost_problem *p, const ssne_cost_machine *m,
                        ssne_cost_item items[SSNE_COST_ITEMS]) {
  listing l = {p, items, 0};
  const bool near = p->how == SSNE_COST_NEAR;
  if (near)
    send(&l, SSNE_COST_BEGIN, "ghosts", SSNE_COST_GHOSTS, POINT);
  else
    collect(&l, SSNE_COST_ALLGATHERV, "coordinates", p->rows * POINT);
  if (!near) attract(&l, m);
  if (p->nodes == 0) {
    if (near) collect(&l, SSNE_COST_ALLGATHERV, "coordinates", p->rows * POINT);
    compute(&l, "repulsion", (double)own_rows(p) * (double)p->rows * m->exact);
  } else if (near && p->ranks > 1)
    repel_near(&l, m);
  else
    repel_all(&l, m);
  if (near) send(&l, SSNE_COST_END, "ghosts", SSNE_COST_GHOSTS, POINT);
  if (near) attract(&l, m);
  reduce(&l, "sums", SUMS, 8);
  reduce(&l, "stop", 4, 4);
  return l.count;
}
