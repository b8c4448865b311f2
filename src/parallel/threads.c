#include "shardsne/threads.h"

#include <limits.h>
#include <sched.h>
#include <stdlib.h>

static MPI_Comm ranks_of_this_node(MPI_Comm comm) {
  MPI_Comm node;
  MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
  return node;
}

/* Every processor is shared out among the ranks of the node that may run on it: what comes to this
 * rank, rounded down. */
static int fair_share(MPI_Comm node) {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  if (sched_getaffinity(0, sizeof mine, &mine) != 0) CPU_SET(0, &mine);
  int users[CPU_SETSIZE] = {0};
  for (int c = 0; c < CPU_SETSIZE; c++) users[c] = CPU_ISSET(c, &mine) ? 1 : 0;
  MPI_Allreduce(MPI_IN_PLACE, users, CPU_SETSIZE, MPI_INT, MPI_SUM, node);
  double share = 1e-9; /* against rounding: three thirds are one */
  for (int c = 0; c < CPU_SETSIZE; c++)
    if (CPU_ISSET(c, &mine)) share += 1.0 / users[c];
  return share < 1 ? 1 : (int)share;
}

int ssne_threads_choose(int requested, MPI_Comm comm) {
  MPI_Comm node = ranks_of_this_node(comm);
  const int share = fair_share(node);
  MPI_Comm_free(&node);
  const char *slurm = getenv("SLURM_CPUS_PER_TASK");
  const long by_slurm = slurm ? strtol(slurm, NULL, 10) : 0;
  if (requested > 0) return requested;
  return by_slurm > 0 && by_slurm < INT_MAX ? (int)by_slurm : share;
}

int ssne_local_rank(MPI_Comm comm) {
  MPI_Comm node = ranks_of_this_node(comm);
  int rank = 0;
  MPI_Comm_rank(node, &rank);
  MPI_Comm_free(&node);
  return rank;
}
