/* Agreement and heartbeat: one rank's failure reaches all, in the same round, and nobody waits. */
#include "check.h"

#include "shardsne/agree.h"
#include "shardsne/threads.h"

#include <string.h>
#include <unistd.h>

static void test_agree(int rank, int ranks) {
  ssne_error err = {SSNE_OK, ""};
  CHECK(ssne_agree(MPI_COMM_WORLD, SSNE_OK, &err) == SSNE_OK);
  const int loser = ranks / 2;
  ssne_code code = SSNE_OK;
  if (rank >= loser) code = ssne_fail(&err, SSNE_USAGE, "rank %d has it", rank);
  CHECK(ssne_agree(MPI_COMM_WORLD, code, &err) == SSNE_USAGE);
  char says[64];
  snprintf(says, sizeof says, "rank %d has it", loser);
  CHECK(strncmp(err.text, says, strlen(says)) == 0);
  CHECK((strstr(err.text, " on ") != NULL) == (ranks > 1));
}

/* Each rank counts up to its own number at its own pace; rank `failing` gives up at 3. */
static void test_heartbeat(int rank, int ranks, int failing) {
  ssne_heartbeat *beat = NULL;
  ssne_error err;
  CHECK_OK(ssne_heartbeat_create(MPI_COMM_WORLD, &beat, &err), &err);
  const int64_t mine = 5 + 3 * rank;
  int64_t sums[SSNE_HEARTBEAT_COUNTS] = {0}, done = 0, rounds = 0;
  bool over = false, fresh = false, failed = false;
  while (!over) {
    if (done < mine && !failed) done++;
    failed = failed || (rank == failing && done >= 3);
    usleep(1000 * (unsigned)(1 + rank));
    const int64_t counts[SSNE_HEARTBEAT_COUNTS] = {done, rank};
    CHECK_OK(ssne_heartbeat_beat(beat, counts, done == mine, failed, sums, &fresh, &over, &err),
             &err);
    rounds += fresh;
  }
  int64_t least = rounds, most = rounds;
  MPI_Allreduce(MPI_IN_PLACE, &least, 1, MPI_INT64_T, MPI_MIN, MPI_COMM_WORLD);
  MPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_INT64_T, MPI_MAX, MPI_COMM_WORLD);
  CHECK(least == most && rounds > 0);
  const int64_t all = 5 * ranks + 3 * ranks * (ranks - 1) / 2;
  CHECK(sums[1] == ranks * (ranks - 1) / 2);
  CHECK(failing < 0 ? sums[0] == all : sums[0] <= all);
  ssne_heartbeat_destroy(&beat);
  CHECK(beat == NULL);
}

int main(int argc, char **argv) {
  int rank = 0, ranks = 1;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  test_agree(rank, ranks);
  test_heartbeat(rank, ranks, -1);
  test_heartbeat(rank, ranks, ranks - 1);
  CHECK(ssne_threads_choose(3, MPI_COMM_WORLD) == 3);
  CHECK(ssne_threads_choose(0, MPI_COMM_WORLD) >= 1);
  CHECK(ssne_local_rank(MPI_COMM_WORLD) == rank);
  MPI_Finalize();
  return check_result();
}
