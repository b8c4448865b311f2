#include "shardsne/agree.h"

#include <limits.h>
#include <string.h>

/* Puts "rank R on HOST" after the text, so that whoever reads it knows where to look. */
static void sign(ssne_error *err, int rank) {
  char host[MPI_MAX_PROCESSOR_NAME] = "";
  int length = 0;
  MPI_Get_processor_name(host, &length);
  const ssne_error plain = *err;
  (void)ssne_fail(err, plain.code, "%.*s (rank %d on %s)", SSNE_ERROR_LENGTH - 300, plain.text,
                  rank, host);
}

ssne_code ssne_agree(MPI_Comm comm, ssne_code code, ssne_error *err) {
  int rank = 0, ranks = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  const int candidate = code == SSNE_OK ? INT_MAX : rank;
  int loser = INT_MAX;
  if (MPI_Allreduce(&candidate, &loser, 1, MPI_INT, MPI_MIN, comm) != MPI_SUCCESS)
    return ssne_fail(err, SSNE_FAILED, "MPI_Allreduce failed while ranks compared their results");
  if (loser == INT_MAX) return SSNE_OK;
  if (rank == loser && ranks > 1) sign(err, rank);
  if (MPI_Bcast(err, (int)sizeof *err, MPI_BYTE, loser, comm) != MPI_SUCCESS)
    return ssne_fail(err, SSNE_FAILED, "MPI_Bcast failed while rank %d reported a failure", loser);
  return err->code;
}
