/* What the parts of a descent share: the loop of steps, records, and the phase that is TAO's. */
#ifndef SSNE_DESCENT_H
#define SSNE_DESCENT_H

#include "shardsne/tsne.h"

typedef struct descent {
  const ssne_tsne_options *options;
  const ssne_partition *partition;
  const ssne_stop *stop; /* may be NULL */
  MPI_Comm comm;
  ssne_log *log;
  ssne_objective *objective;
  ssne_tsne_state *state; /* not owned */
  float *force;           /* [own_rows, 2] a quarter of the gradient */
  int64_t steps_made;     /* by the loop of steps */
  int64_t laid_out;       /* the steps after which coordinates were laid out last; 0: not yet */
  double seconds_stepping;
  int64_t tao_iterations, tao_evaluations; /* the same on every rank */
  double seconds_in_tao, seconds_gathering;
} descent;

/* --- descent.c --------------------------------------------------------------------------- */

/* Collective. The forces at `xy` [own_rows, 2], in d->force, and KL unless `kl` is NULL, as
 * ssne_objective_evaluate has them; the state counts it. */
ssne_code ssne_descent_evaluate(descent *d, const float *xy, double exaggeration, double *kl,
                                ssne_error *err);

/* --- record.c ---------------------------------------------------------------------------- */

/* Whether a record is due after so many steps. */
bool ssne_descent_is_recorded(const ssne_tsne_options *options, int64_t steps);

/* Collective. Records what the forces just evaluated, and KL, say of the state's coordinates; these
 * are then centred, but for a start, which stays as it was given. */
ssne_code ssne_descent_record(descent *d, double exaggeration, double kl, double seconds,
                              ssne_error *err);

/* Whether KL has stopped falling: the last two records are of the later phase and as far apart as
 * records are. */
bool ssne_descent_is_flat(const descent *d);

/* --- minimise.c -------------------------------------------------------------------------- */

/* Collective. The later phase, from the state's coordinates to the end. */
ssne_code ssne_descent_by_tao(descent *d, ssne_tsne_watch *watch, void *context, ssne_error *err);

#endif
