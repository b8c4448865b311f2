/* How many threads a rank may use. */
#ifndef SHARDSNE_THREADS_H
#define SHARDSNE_THREADS_H

#include <mpi.h>

/* Collective. `requested` where positive; else SLURM_CPUS_PER_TASK; else the processors this rank
 * may run on, shared evenly with the other ranks of the node that may run on the same ones; at
 * least 1. */
int ssne_threads_choose(int requested, MPI_Comm comm);

/* Collective. This rank's place among the ranks of its node, from 0. */
int ssne_local_rank(MPI_Comm comm);

#endif
