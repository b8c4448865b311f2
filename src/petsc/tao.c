/* Minima by TAO. */
#include "session.h"

#include <inttypes.h>
#include <petsctao.h>

#if PETSC_VERSION_LT(3, 21, 0)
#define TaoMonitorSet TaoSetMonitor
#endif

typedef struct minimum {
  const ssne_petsc_function *function;
  const ssne_petsc_limits *limits;
  session session;
  double *x; /* of the caller */
  ssne_petsc_end *end;
} minimum;

static PetscErrorCode evaluate(Tao tao, Vec x, PetscReal *value, Vec gradient, void *context) {
  minimum *m = context;
  const PetscScalar *from = NULL;
  PetscScalar *to = NULL;
  (void)tao;
  PetscFunctionBeginUser;
  PetscCall(VecGetArrayRead(x, &from));
  PetscCall(VecGetArrayWrite(gradient, &to));
  m->session.told =
      m->function->evaluate(m->function->context, from, value, to, m->session.err) != SSNE_OK;
  PetscCall(VecRestoreArrayRead(x, &from));
  PetscCall(VecRestoreArrayWrite(gradient, &to));
  PetscFunctionReturn(m->session.told ? PETSC_ERR_USER : 0);
}

static PetscErrorCode tell(Tao tao, void *context) {
  const minimum *m = context;
  PetscInt iteration = 0;
  PetscFunctionBeginUser;
  PetscCall(TaoGetIterationNumber(tao, &iteration));
  m->function->told(m->function->context, (int64_t)iteration);
  PetscFunctionReturn(0);
}

static PetscErrorCode set_up(minimum *m, Tao tao, Vec x) {
  PetscBool given = PETSC_FALSE;
  PetscFunctionBeginUser;
  PetscCall(PetscOptionsHasName(NULL, NULL, "-tao_max_it", &given));
  if (given)
    SESSION_GIVE_UP(&m->session, SSNE_USAGE,
                    "--petsc: -tao_max_it has no place here: --iterations says how many");
  PetscCall(TaoSetType(tao, TAOLMVM));
  PetscCall(TaoSetSolution(tao, x));
  PetscCall(TaoSetObjectiveAndGradient(tao, NULL, evaluate, m));
  PetscCall(TaoSetTolerances(tao, m->limits->absolute, m->limits->relative, 0));
  if (m->function->told) PetscCall(TaoMonitorSet(tao, tell, m, NULL));
  PetscCall(TaoSetFromOptions(tao));
  PetscCall(TaoSetMaximumIterations(tao, (PetscInt)m->limits->most));
  PetscFunctionReturn(0);
}

static PetscErrorCode solve_with(minimum *m, Tao tao, Vec x) {
  TaoConvergedReason reason = TAO_CONTINUE_ITERATING;
  PetscInt iterations = 0;
  PetscFunctionBeginUser;
  PetscCall(set_up(m, tao, x));
  PetscCall(TaoSolve(tao));
  PetscCall(TaoGetConvergedReason(tao, &reason));
  PetscCall(TaoGetIterationNumber(tao, &iterations));
  m->end->iterations = (int64_t)iterations;
  snprintf(m->end->reason, sizeof m->end->reason, "%s", TaoConvergedReasons[reason]);
  PetscFunctionReturn(0);
}

static PetscErrorCode solve(minimum *m, Vec x) {
  Tao tao = NULL;
  PetscErrorCode code = TaoCreate(PETSC_COMM_SELF, &tao);
  if (code == 0) code = solve_with(m, tao, x);
  const PetscErrorCode destroyed = TaoDestroy(&tao);
  return code ? code : destroyed;
}

/* TAO works on the caller's array. */
static PetscErrorCode work(void *context) {
  minimum *m = context;
  Vec x = NULL;
  PetscFunctionBeginUser;
  PetscCall(VecCreateSeqWithArray(PETSC_COMM_SELF, 1, (PetscInt)m->function->size, m->x, &x));
  const PetscErrorCode solved = solve(m, x);
  PetscCall(VecDestroy(&x));
  PetscFunctionReturn(solved);
}

ssne_code minimise(const ssne_petsc_function *function, const ssne_petsc_limits *limits, double *x,
                   ssne_petsc_end *end, ssne_error *err) {
  minimum m = {.function = function, .limits = limits, .session = {.err = err}, .x = x, .end = end};
  return session_run(&m.session, function->size, &limits->options, true, work, &m);
}
