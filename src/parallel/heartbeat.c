#include "shardsne/agree.h"
#include "shardsne/clock.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <string.h>

/* A round no more often than this: it costs a message or two, and news need not be younger. */
#define SECONDS_BETWEEN_ROUNDS 0.1

enum { FINISHED = SSNE_HEARTBEAT_COUNTS, FAILED, MEMBERS };

struct ssne_heartbeat {
  MPI_Comm comm;
  MPI_Request request; /* of the round under way, or MPI_REQUEST_NULL */
  int ranks;
  double last;           /* when the latest round was completed */
  int64_t mine[MEMBERS]; /* what this rank put into the round under way */
  int64_t sums[MEMBERS];
};

ssne_code ssne_heartbeat_create(MPI_Comm comm, ssne_heartbeat **out, ssne_error *err) {
  SSNE_TRY_ALL(comm, ssne_alloc(out, 1, sizeof **out, "heartbeat", err), err);
  (*out)->request = MPI_REQUEST_NULL;
  MPI_Comm_size(comm, &(*out)->ranks);
  return ssne_mpi_check(MPI_Comm_dup(comm, &(*out)->comm), "MPI_Comm_dup", err);
}

static ssne_code begin_round(ssne_heartbeat *beat, const int64_t *counts, bool finished,
                             bool failed, ssne_error *err) {
  memcpy(beat->mine, counts, SSNE_HEARTBEAT_COUNTS * sizeof *counts);
  beat->mine[FINISHED] = finished;
  beat->mine[FAILED] = failed;
  return ssne_mpi_check(MPI_Iallreduce(beat->mine, beat->sums, MEMBERS, MPI_INT64_T, MPI_SUM,
                                       beat->comm, &beat->request),
                        "MPI_Iallreduce", err);
}

ssne_code ssne_heartbeat_beat(ssne_heartbeat *beat, const int64_t counts[SSNE_HEARTBEAT_COUNTS],
                              bool finished, bool failed, int64_t sums[SSNE_HEARTBEAT_COUNTS],
                              bool *fresh, bool *over, ssne_error *err) {
  *fresh = *over = false;
  if (beat->request == MPI_REQUEST_NULL) {
    /* a rank with news does not wait, and so the last round follows at once */
    if (!finished && !failed && ssne_clock() - beat->last < SECONDS_BETWEEN_ROUNDS) return SSNE_OK;
    SSNE_TRY(begin_round(beat, counts, finished, failed, err));
  }
  int done = 0;
  SSNE_TRY(ssne_mpi_check(MPI_Test(&beat->request, &done, MPI_STATUS_IGNORE), "MPI_Test", err));
  if (!done) return SSNE_OK;
  beat->last = ssne_clock();
  memcpy(sums, beat->sums, SSNE_HEARTBEAT_COUNTS * sizeof *sums);
  *fresh = true;
  *over = beat->sums[FINISHED] == beat->ranks || beat->sums[FAILED] > 0;
  return SSNE_OK;
}

void ssne_heartbeat_destroy(ssne_heartbeat **beat) {
  if (*beat) MPI_Comm_free(&(*beat)->comm);
  ssne_free(beat);
}
