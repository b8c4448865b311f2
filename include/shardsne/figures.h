/* Figures of a run for a paper or a talk: how the descent went, and where the time went. Drawn by
 * gnuplot like the map (shardsne/render.h), with the same promises: nothing of what the user named
 * is parsed or run, an earlier picture stays where the drawing fails, and the same input gives the
 * same bytes. No MPI and no HDF5 in here. */
#ifndef SHARDSNE_FIGURES_H
#define SHARDSNE_FIGURES_H

#include "shardsne/status.h"
#include <stdint.h>

typedef struct ssne_figure {
  const char *path;     /* .png, .svg or .pdf, which chooses the format */
  double width, height; /* inches */
  int dpi;              /* pixels an inch, for PNG */
} ssne_figure;

/* Whether path, size and resolution can be had: SSNE_USAGE if not. */
ssne_code ssne_figure_check(const ssne_figure *figure, ssne_error *err);

/* What a descent told of itself. */
typedef struct ssne_course_entry {
  double iteration;
  double kl, gradient_norm; /* not negative */
  double span;              /* of the map; NAN where it was not kept */
  double exaggeration;      /* in force from here to the next entry */
} ssne_course_entry;

/* KL (linear), gradient norm and span (logarithmic) against the iteration, one above the other; the
 * phases of exaggeration are told apart by their background. `entries` [count], count >= 1, in the
 * order of their iterations; the panel of the span is left out where none has one. */
ssne_code ssne_figure_course(const ssne_figure *figure, const ssne_course_entry *entries,
                             int64_t count, ssne_error *err);

/* A stage of a step of the work: seconds of a rank, over all ranks. */
typedef struct ssne_stage_bar {
  const char *name; /* two spaces first: a part of the stage before */
  double min, mean, max;
} ssne_stage_bar;

typedef struct ssne_stage_panel {
  const char *title;          /* such as "embed: 12.3 s on 2 ranks" */
  double seconds;             /* of the whole step, to which shares are */
  const ssne_stage_bar *bars; /* [count] */
  int count;
} ssne_stage_panel;

/* Time by stage: a panel a step, a bar a stage (the mean over ranks, with a whisker from the
 * fastest rank to the slowest), all to one scale. `panels` [count], count >= 1. */
ssne_code ssne_figure_stages(const ssne_figure *figure, const ssne_stage_panel *panels, int count,
                             ssne_error *err);

/* --- animation --------------------------------------------------------------------------- */

/* Gives the coordinates [count, 2] of the animation's points in frame number `frame`, and what is
 * written in it. Points that are not finite are left out of that frame. */
typedef ssne_code ssne_frames(void *context, int64_t frame, float *xy, char *text, int text_size,
                              ssne_error *err);

typedef struct ssne_animation {
  ssne_figure figure;         /* .gif, or .png or .apng for an animated PNG */
  int64_t frames;             /* in the order of time */
  int64_t count;              /* points, drawn in this order */
  const int32_t *label;       /* [count]; unknown where not in 0 ... class_count - 1; NULL: none */
  const char *const *classes; /* [class_count] names for the legend; NULL: the labels themselves */
  int64_t class_count;
  const char *note; /* in a corner of each frame; NULL: none */
  ssne_frames *source;
  void *context;
} ssne_animation;

/* Whether path, size and resolution can be had: SSNE_USAGE if not. */
ssne_code ssne_animation_check(const ssne_figure *figure, ssne_error *err);

/* The frames as one film, a twelfth of a second each, the last one held for two seconds, then from
 * the start. The square that is shown has the origin in its middle; its side grows and shrinks
 * smoothly with the map (a running mean of the logarithm over a
 * thirtieth of the film), so that all points
 * lie inside of it. */
ssne_code ssne_animation_draw(const ssne_animation *animation, ssne_error *err);

#endif
