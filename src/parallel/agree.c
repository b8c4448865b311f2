#include "shardsne/agree.h"

#include <limits.h>
#include <string.h>

/* Puts "rank R on HOST" after the text, so that whoever reads it knows where to look. */
static void sign(ssne_error *err, int rank) {
  char host[MPI_MAX_PROCESSOR_NAME] = "";
  int length = 0;
  MPI_Get_processor_name(host, &length);
  const ssne_error plain = *err;
  (void)ssne_fail(err, plain.code, "%s (rank %d on %s)", plain.text, rank, host);
}

ssne_code ssne_agree(MPI_Comm comm, ssne_code code, ssne_error *err) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  const int mine[2] = {code == SSNE_OK ? INT_MAX : rank, code != SSNE_OK};
  int least[2] = {INT_MAX, 0}; /* the lowest rank that failed; whether all did */
  if (MPI_Allreduce(mine, least, 2, MPI_INT, MPI_MIN, comm) != MPI_SUCCESS)
    return ssne_fail(err, SSNE_FAILED, "MPI_Allreduce failed while ranks compared their results");
  const int loser = least[0];
  if (loser == INT_MAX) return SSNE_OK;
  if (rank == loser && !least[1]) sign(err, rank);
  if (MPI_Bcast(err, (int)sizeof *err, MPI_BYTE, loser, comm) != MPI_SUCCESS)
    return ssne_fail(err, SSNE_FAILED, "MPI_Bcast failed while rank %d reported a failure", loser);
  return err->code;
}
