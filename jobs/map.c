/* The map of a run file's embedding: every rank surveys and counts its own rows; rank 0 lays the
 * picture out and has gnuplot draw it. */
#include "map.h"
#include "texts.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MOST_CLASSES 1000000

/* Rows that are read at a time. */
#define PIECE ((int64_t)1 << 16)

/* Numbers that are summed at a time. */
#define SUMMED ((int64_t)1 << 20)

/* More points than that are a density, and more have no numbers on them. */
#define POINTS_MOST 100000
#define NUMBERS_MOST 300

/* --- options ----------------------------------------------------------------------------- */

/* The picture as the options have it, whatever the file holds. */
static ssne_code describe(const job *j, ssne_picture *picture, ssne_error *err) {
  const render_options *o = &j->options.render;
  *picture = (ssne_picture){.path = o->plot,
                            .dpi = (int)o->dpi,
                            .alpha = o->alpha,
                            .title = o->title,
                            .dark = strcmp(o->theme, "dark") == 0,
                            .stretched = strcmp(o->axes, "stretched") == 0,
                            .legend = strcmp(o->legend, "yes") == 0};
  if (strcmp(o->mode, "density") == 0) picture->mode = SSNE_MODE_DENSITY;
  if (strcmp(o->text, "label") == 0) picture->text = SSNE_TEXT_NUMBERS;
  return options_size(o->size, &picture->width, &picture->height, err);
}

bool map_wants_values(const job *j) {
  static const char *const others[] = {"auto", "label", "none", "density"};
  for (int i = 0; i < 4; i++)
    if (strcmp(j->options.render.color, others[i]) == 0) return false;
  return true;
}

/* That --color is one of its words, or names a file: on rank 0, which others may not see as it
 * does. */
static ssne_code check_color(const job *j, ssne_error *err) {
  const char *color = j->options.render.color, *dataset = strstr(color, ":/");
  char path[PATH_MAX];
  if (!map_wants_values(j) || strcmp(color, "purity") == 0 || strcmp(color, "kl") == 0)
    return SSNE_OK;
  snprintf(path, sizeof path, "%.*s", dataset ? (int)(dataset - color) : PATH_MAX - 1, color);
  if (access(path, R_OK) == 0) return SSNE_OK;
  return ssne_fail(
      err, SSNE_USAGE,
      "--color takes auto, label, none, density, purity, kl or a file; there is no file "
      "%s that can be read",
      path);
}

ssne_code map_check(const job *j, ssne_error *err) {
  ssne_picture picture;
  SSNE_TRY(describe(j, &picture, err));
  SSNE_TRY(ssne_picture_check(&picture, err));
  return ssne_agree(j->comm, j->rank == 0 ? check_color(j, err) : SSNE_OK, err);
}

static bool wants_labels(const job *j) {
  static const char *const by_class[] = {"auto", "label", "purity"};
  for (int i = 0; i < 3; i++)
    if (strcmp(j->options.render.color, by_class[i]) == 0) return true;
  return strcmp(j->options.render.text, "none") != 0;
}

/* --- reading ----------------------------------------------------------------------------- */

ssne_code map_read(const map *m, ssne_set set, int64_t first, int64_t rows, int64_t size, void *out,
                   ssne_error *err) {
  for (int64_t done = 0; done < rows;) {
    const int64_t run = selection_run(&m->chosen, first + done, rows - done);
    SSNE_TRY(ssne_store_read_written(m->store, set, selection_to_file(&m->chosen, first + done),
                                     run, (char *)out + done * size, err));
    done += run;
  }
  return SSNE_OK;
}

typedef void visit(void *context, const ssne_map_rows *rows);

typedef struct piece {
  float *xy;
  int32_t *label;
} piece;

static ssne_code read_piece(const map *m, int64_t own, int64_t rows, const piece *p,
                            ssne_error *err) {
  const int64_t first = m->partition.first_row + own;
  SSNE_TRY(map_read(m, SSNE_SET_COORDINATES, first, rows, 2 * (int64_t)sizeof *p->xy, p->xy, err));
  if (!m->has_labels) return SSNE_OK;
  return map_read(m, SSNE_SET_LABELS, first, rows, (int64_t)sizeof *p->label, p->label, err);
}

/* Collective: shows own rows to `see`, a piece at a time. */
static ssne_code walk(const map *m, visit *see, void *context, ssne_error *err) {
  const int64_t own = m->partition.own_rows;
  piece p = {.xy = NULL};
  ssne_code code = ssne_alloc(&p.xy, PIECE, 2 * sizeof *p.xy, "coordinates", err);
  if (code == SSNE_OK) code = ssne_alloc(&p.label, PIECE, sizeof *p.label, "labels", err);
  for (int64_t at = 0; code == SSNE_OK && at < own; at += PIECE) {
    const int64_t rows = own - at < PIECE ? own - at : PIECE;
    code = read_piece(m, at, rows, &p, err);
    if (code == SSNE_OK)
      see(context, &(ssne_map_rows){.count = rows,
                                    .xy = p.xy,
                                    .label = m->has_labels ? p.label : NULL,
                                    .value = m->value ? m->value + at : NULL});
  }
  ssne_free(&p.xy);
  ssne_free(&p.label);
  return ssne_agree(m->j->comm, code, err);
}

/* --- sums over ranks --------------------------------------------------------------------- */

/* Collective: `x` [count] becomes its sum over all ranks, on every rank or on rank 0 alone. */
static ssne_code add_up(int64_t *x, int64_t count, bool everywhere, MPI_Comm comm,
                        ssne_error *err) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  for (int64_t at = 0; at < count; at += SUMMED) {
    const int now = (int)(count - at < SUMMED ? count - at : SUMMED);
    const int failed =
        everywhere  ? MPI_Allreduce(MPI_IN_PLACE, x + at, now, MPI_INT64_T, MPI_SUM, comm)
        : rank == 0 ? MPI_Reduce(MPI_IN_PLACE, x + at, now, MPI_INT64_T, MPI_SUM, 0, comm)
                    : MPI_Reduce(x + at, NULL, now, MPI_INT64_T, MPI_SUM, 0, comm);
    SSNE_TRY(ssne_mpi_check(failed, "summing up a map", err));
  }
  return SSNE_OK;
}

/* --- classes ----------------------------------------------------------------------------- */

/* Not collective: the largest of own labels. */
static ssne_code find_largest(const map *m, int64_t *largest, ssne_error *err) {
  const int64_t own = m->partition.own_rows;
  int32_t *label = NULL;
  SSNE_TRY(ssne_alloc(&label, PIECE, sizeof *label, "labels", err));
  ssne_code code = SSNE_OK;
  for (int64_t at = 0; code == SSNE_OK && at < own; at += PIECE) {
    const int64_t rows = own - at < PIECE ? own - at : PIECE;
    code =
        map_read(m, SSNE_SET_LABELS, m->partition.first_row + at, rows, sizeof *label, label, err);
    for (int64_t i = 0; code == SSNE_OK && i < rows; i++)
      if (label[i] > *largest) *largest = label[i];
  }
  ssne_free(&label);
  return code;
}

/* Not collective: the names of classes, where there are enough of them; else numbers will do. */
static ssne_code read_names(map *m, ssne_error *err) {
  ssne_set_shape shape = {0};
  SSNE_TRY(ssne_store_shape(m->store, SSNE_SET_CLASSES, &shape, err));
  if (!shape.exists || shape.rows < m->class_count) return SSNE_OK;
  m->class_count = shape.rows;
  return texts_read(m->store, SSNE_SET_CLASSES, NULL, shape.rows, shape.width, &m->class_text,
                    &m->classes, err);
}

/* Collective: which classes there are. */
static ssne_code find_classes(map *m, ssne_error *err) {
  ssne_set_shape shape = {0};
  int64_t largest = -1;
  SSNE_TRY_ALL(m->j->comm, ssne_store_shape(m->store, SSNE_SET_LABELS, &shape, err), err);
  m->has_labels = shape.exists && shape.rows == m->chosen.file_rows;
  if (!m->has_labels) return SSNE_OK;
  SSNE_TRY_ALL(m->j->comm, find_largest(m, &largest, err), err);
  SSNE_TRY(
      ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, &largest, 1, MPI_INT64_T, MPI_MAX, m->j->comm),
                     "MPI_Allreduce", err));
  if (largest >= MOST_CLASSES)
    return ssne_fail(err, SSNE_USAGE,
                     "labels go up to %" PRId64
                     ", more classes than a picture can tell apart (%d): use --color none --text "
                     "none",
                     largest, MOST_CLASSES);
  m->class_count = largest + 1;
  return ssne_agree(m->j->comm, read_names(m, err), err);
}

/* --- survey and choice ------------------------------------------------------------------- */

static void see_survey(void *context, const ssne_map_rows *rows) {
  ssne_survey_add(context, rows);
}

/* Collective: what there is of all rows. */
static ssne_code survey(map *m, ssne_error *err) {
  const MPI_Comm comm = m->j->comm;
  SSNE_TRY_ALL(comm, ssne_survey_create(m->class_count, &m->survey, err), err);
  SSNE_TRY(walk(m, see_survey, &m->survey, err));
  SSNE_TRY(add_up(&m->survey.drawn, 1, true, comm, err));
  SSNE_TRY(add_up(m->survey.class_rows, m->class_count + 1, true, comm, err));
  SSNE_TRY(ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, m->survey.low, 2, MPI_FLOAT, MPI_MIN, comm),
                          "MPI_Allreduce", err));
  return ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, m->survey.high, 2, MPI_FLOAT, MPI_MAX, comm),
                        "MPI_Allreduce", err);
}

static ssne_coloring choose_coloring(const map *m, int64_t present) {
  const char *color = m->j->options.render.color;
  if (map_wants_values(m->j)) return SSNE_COLORING_VALUE;
  if (strcmp(color, "none") == 0) return SSNE_COLORING_NONE;
  if (strcmp(color, "density") == 0) return SSNE_COLORING_DENSITY;
  if (strcmp(color, "label") == 0) return SSNE_COLORING_CLASS;
  if (present == 0) return SSNE_COLORING_DENSITY;
  return present <= SSNE_COLORS_MOST ? SSNE_COLORING_CLASS : SSNE_COLORING_NONE;
}

static ssne_text choose_text(const map *m, int64_t present) {
  const char *text = m->j->options.render.text;
  if (strcmp(text, "label") == 0) return SSNE_TEXT_NUMBERS;
  if (strcmp(text, "name") == 0) return SSNE_TEXT_NAMES;
  if (strcmp(text, "none") == 0 || present < 2) return SSNE_TEXT_NONE;
  const bool few = m->survey.drawn <= NUMBERS_MOST && present <= SSNE_COLORS_MOST && /* a legend */
                   strcmp(m->j->options.render.mode, "density") != 0;
  return few ? SSNE_TEXT_NUMBERS : SSNE_TEXT_NAMES;
}

static ssne_mode choose_mode(const map *m) {
  const char *mode = m->j->options.render.mode;
  if (strcmp(mode, "density") == 0) return SSNE_MODE_DENSITY;
  const bool many = m->survey.drawn > POINTS_MOST && m->picture.text != SSNE_TEXT_NUMBERS;
  return strcmp(mode, "auto") == 0 && many ? SSNE_MODE_DENSITY : SSNE_MODE_POINTS;
}

/* What the options leave open, by what there is. */
static ssne_code choose(map *m, ssne_error *err) {
  const render_options *o = &m->j->options.render;
  int64_t present = 0;
  for (int64_t c = 0; c < m->class_count; c++) present += m->survey.class_rows[c] > 0;
  if (present == 0 && (strcmp(o->color, "label") == 0 || strcmp(o->text, "name") == 0))
    return ssne_fail(err, SSNE_USAGE, "%s holds no labels: leave --color and --text to auto",
                     m->path);
  ssne_picture *p = &m->picture;
  SSNE_TRY(describe(m->j, p, err));
  p->coloring = choose_coloring(m, present);
  p->text = choose_text(m, present);
  p->mode = choose_mode(m);
  p->survey = &m->survey;
  p->classes = (const char *const *)m->classes;
  p->value_name = m->value_name;
  return SSNE_OK;
}

/* --- counting ---------------------------------------------------------------------------- */

/* What is counted of the rows, and on rank 0 the plan that it is counted for. */
typedef struct counts {
  const map *m;
  ssne_plan *plan; /* NULL on other ranks */
  ssne_grid grid;
  int named_count;
  int32_t named[SSNE_NAMED_MOST];
  ssne_tally tally;
  ssne_medians medians;
} counts;

/* Collective: rank 0 plans; all learn what to count. */
static ssne_code plan(counts *c, ssne_error *err) {
  const job *j = c->m->j;
  ssne_code code = j->rank == 0 ? ssne_plan_create(&c->m->picture, &c->plan, err) : SSNE_OK;
  SSNE_TRY_ALL(j->comm, code, err);
  if (c->plan) {
    c->grid = ssne_plan_grid(c->plan);
    c->named_count = ssne_plan_named(c->plan, c->named);
    if (ssne_plan_lacks_fonts(c->plan))
      ssne_log_warn(j->log, "fontconfig finds no font here: the picture has no text (Debian: "
                            "install fonts-dejavu-core, or draw an .svg)");
  }
  SSNE_TRY(ssne_broadcast(&c->grid, sizeof c->grid, 0, j->comm, err));
  SSNE_TRY(ssne_broadcast(&c->named_count, sizeof c->named_count, 0, j->comm, err));
  return ssne_broadcast(c->named, sizeof c->named, 0, j->comm, err);
}

static void see_counts(void *context, const ssne_map_rows *rows) {
  counts *c = context;
  if (c->tally.cell) ssne_tally_add(&c->tally, &c->m->picture, rows);
  if (c->medians.bin) ssne_medians_add(&c->medians, &c->m->survey, rows);
}

static ssne_code allocate(counts *c, ssne_error *err) {
  const ssne_picture *p = &c->m->picture;
  if (p->mode == SSNE_MODE_DENSITY) SSNE_TRY(ssne_tally_create(p, &c->grid, &c->tally, err));
  if (c->named_count == 0) return SSNE_OK;
  return ssne_medians_create(&c->m->survey, c->named, c->named_count, &c->medians, err);
}

/* Collective: on rank 0 the counts are then those of all ranks. */
static ssne_code count(counts *c, ssne_error *err) {
  const MPI_Comm comm = c->m->j->comm;
  SSNE_TRY_ALL(comm, allocate(c, err), err);
  if (!c->tally.cell && !c->medians.bin) return SSNE_OK;
  SSNE_TRY(walk(c->m, see_counts, c, err));
  if (c->tally.cell)
    SSNE_TRY(add_up(c->tally.cell, c->grid.rows * c->grid.columns * c->tally.channels, false, comm,
                    err));
  if (!c->medians.bin) return SSNE_OK;
  return add_up(c->medians.bin, (int64_t)c->named_count * 2 * SSNE_MEDIAN_BINS, false, comm, err);
}

/* --- every point by itself --------------------------------------------------------------- */

/* Rows on their way to rank 0, or there. */
typedef struct points {
  int64_t count;
  float *xy;
  int32_t *label;
  float *value;
} points;

static ssne_code points_allocate(const map *m, int64_t count, points *out, ssne_error *err) {
  out->count = count;
  SSNE_TRY(ssne_alloc(&out->xy, count, 2 * sizeof *out->xy, "coordinates of all points", err));
  if (m->has_labels)
    SSNE_TRY(ssne_alloc(&out->label, count, sizeof *out->label, "labels of all points", err));
  if (!m->value) return SSNE_OK;
  return ssne_alloc(&out->value, count, sizeof *out->value, "values of all points", err);
}

static void points_free(points *p) {
  ssne_free(&p->xy);
  ssne_free(&p->label);
  ssne_free(&p->value);
}

static ssne_code read_own(const map *m, points *own, ssne_error *err) {
  const int64_t rows = m->partition.own_rows;
  SSNE_TRY(points_allocate(m, rows, own, err));
  return read_piece(m, 0, rows, &(piece){.xy = own->xy, .label = own->label}, err);
}

/* Collective: rank 0 gets the rows of all ranks. */
static ssne_code gather(const map *m, points *all, ssne_error *err) {
  const ssne_partition *p = &m->partition;
  const MPI_Comm comm = m->j->comm;
  points own = {.xy = NULL};
  int64_t *rows = NULL;
  ssne_code code = ssne_alloc(&rows, p->ranks, sizeof *rows, "ranks", err);
  if (code == SSNE_OK) ssne_partition_counts(p, rows);
  if (code == SSNE_OK) code = read_own(m, &own, err);
  if (code == SSNE_OK) code = points_allocate(m, p->rank == 0 ? p->rows : 0, all, err);
  code = ssne_agree(comm, code, err);
  if (code == SSNE_OK)
    code = ssne_gather(own.xy, own.count, all->xy, rows, 2 * sizeof *own.xy, 0, comm, err);
  if (code == SSNE_OK && m->has_labels)
    code = ssne_gather(own.label, own.count, all->label, rows, sizeof *own.label, 0, comm, err);
  if (code == SSNE_OK && m->value)
    code = ssne_gather(m->value, own.count, all->value, rows, sizeof *own.value, 0, comm, err);
  points_free(&own);
  ssne_free(&rows);
  return code;
}

/* --- all of it --------------------------------------------------------------------------- */

/* Collective: counts or gathers, and has rank 0 draw. */
static ssne_code draw(const map *m, counts *c, ssne_error *err) {
  points all = {.xy = NULL};
  SSNE_TRY(plan(c, err));
  SSNE_TRY(count(c, err));
  ssne_code code = SSNE_OK;
  if (m->picture.mode == SSNE_MODE_POINTS) code = gather(m, &all, err);
  if (code == SSNE_OK && m->j->rank == 0)
    code = ssne_picture_draw(
        c->plan,
        &(ssne_map_rows){.count = all.count, .xy = all.xy, .label = all.label, .value = all.value},
        &c->tally, &c->medians, err);
  points_free(&all);
  return ssne_agree(m->j->comm, code, err);
}

/* Not collective: the rows that have coordinates. */
static ssne_code choose_rows(map *m, ssne_error *err) {
  ssne_set_shape shape = {0}, status = {0};
  SSNE_TRY(ssne_store_shape(m->store, SSNE_SET_COORDINATES, &shape, err));
  SSNE_TRY(ssne_store_shape(m->store, SSNE_SET_SAMPLE_STATUS, &status, err));
  m->chosen = selection_all(shape.rows);
  if (status.exists && status.rows == shape.rows)
    SSNE_TRY(selection_read(m->store, shape.rows, &m->chosen, err));
  m->partition = ssne_partition_make(m->chosen.rows, SSNE_ROWS_BLOCK, m->j->ranks, m->j->rank);
  return SSNE_OK;
}

static ssne_code prepare(map *m, ssne_error *err) {
  SSNE_TRY_ALL(m->j->comm, choose_rows(m, err), err);
  if (wants_labels(m->j)) SSNE_TRY(find_classes(m, err));
  SSNE_TRY(survey(m, err));
  SSNE_TRY(choose(m, err));
  return map_wants_values(m->j) ? map_values(m, err) : SSNE_OK;
}

ssne_code map_draw(job *j, ssne_store *store, const char *path, ssne_error *err) {
  map m = {.j = j, .store = store, .path = path};
  counts c = {.m = &m};
  ssne_code code = prepare(&m, err);
  if (code == SSNE_OK) code = draw(&m, &c, err);
  ssne_plan_destroy(&c.plan);
  ssne_tally_free(&c.tally);
  ssne_medians_free(&c.medians);
  ssne_survey_free(&m.survey);
  selection_free(&m.chosen);
  ssne_free(&m.class_text);
  ssne_free(&m.classes);
  ssne_free(&m.value);
  return code;
}
