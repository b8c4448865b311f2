/* MPI calls that fail, as MPI has it: the call does nothing, the error handler of its communicator
 * is called, and if that returns, so does the call, with an error code.
 *
 * Calls that the program counts (include/shardsne/traffic.h) it defines itself and passes on under
 * MPI's other names, PMPI_...: those are met there. */
#include "fault.h"

#include <mpi.h>
#include <stddef.h>

static bool fails(const char *call) {
  return fault_strikes(FAULT_MPI, call, NULL) != FAULT_NONE;
}

static int give_up(MPI_Comm comm) {
  PMPI_Comm_call_errhandler(comm, MPI_ERR_OTHER);
  return MPI_ERR_OTHER;
}

/* `comm` is the one whose handler hears of it: for requests and types, that of all ranks. */
#define WRAP(name, comm, parameters, ...)                                                          \
  int MPI_##name parameters {                                                                      \
    if (fails("MPI_" #name)) return give_up(comm);                                                 \
    return PMPI_##name(__VA_ARGS__);                                                               \
  }

#define WRAP_COUNTED(name, comm, parameters, ...)                                                  \
  int PMPI_##name parameters {                                                                     \
    FAULT_REAL(PMPI_##name)                                                                        \
    if (fails("MPI_" #name)) return give_up(comm);                                                 \
    return real(__VA_ARGS__);                                                                      \
  }

/* --- one to one -------------------------------------------------------------------------- */

WRAP_COUNTED(Send, comm, (const void *b, int n, MPI_Datatype t, int to, int tag, MPI_Comm comm), b,
             n, t, to, tag, comm)
WRAP_COUNTED(Recv, comm,
             (void *b, int n, MPI_Datatype t, int from, int tag, MPI_Comm comm, MPI_Status *s), b,
             n, t, from, tag, comm, s)
WRAP_COUNTED(Isend, comm,
             (const void *b, int n, MPI_Datatype t, int to, int tag, MPI_Comm comm, MPI_Request *r),
             b, n, t, to, tag, comm, r)
WRAP_COUNTED(Irecv, comm,
             (void *b, int n, MPI_Datatype t, int from, int tag, MPI_Comm comm, MPI_Request *r), b,
             n, t, from, tag, comm, r)
WRAP(Sendrecv, comm,
     (const void *b, int n, MPI_Datatype t, int to, int tag, void *b2, int n2, MPI_Datatype t2,
      int from, int tag2, MPI_Comm comm, MPI_Status *s),
     b, n, t, to, tag, b2, n2, t2, from, tag2, comm, s)
WRAP(Wait, MPI_COMM_WORLD, (MPI_Request * r, MPI_Status *s), r, s)
WRAP(Waitall, MPI_COMM_WORLD, (int n, MPI_Request *r, MPI_Status *s), n, r, s)
WRAP(Waitany, MPI_COMM_WORLD, (int n, MPI_Request *r, int *which, MPI_Status *s), n, r, which, s)
WRAP(Test, MPI_COMM_WORLD, (MPI_Request * r, int *done, MPI_Status *s), r, done, s)
WRAP(Testall, MPI_COMM_WORLD, (int n, MPI_Request *r, int *done, MPI_Status *s), n, r, done, s)

/* --- all together ------------------------------------------------------------------------ */

WRAP(Barrier, comm, (MPI_Comm comm), comm)
WRAP(Ibarrier, comm, (MPI_Comm comm, MPI_Request *r), comm, r)
WRAP_COUNTED(Bcast, comm, (void *b, int n, MPI_Datatype t, int root, MPI_Comm comm), b, n, t, root,
             comm)
WRAP_COUNTED(Reduce, comm,
             (const void *b, void *o, int n, MPI_Datatype t, MPI_Op op, int root, MPI_Comm comm), b,
             o, n, t, op, root, comm)
WRAP_COUNTED(Allreduce, comm,
             (const void *b, void *o, int n, MPI_Datatype t, MPI_Op op, MPI_Comm comm), b, o, n, t,
             op, comm)
WRAP_COUNTED(Iallreduce, comm,
             (const void *b, void *o, int n, MPI_Datatype t, MPI_Op op, MPI_Comm comm,
              MPI_Request *r),
             b, o, n, t, op, comm, r)
WRAP(Reduce_scatter, comm,
     (const void *b, void *o, const int *n, MPI_Datatype t, MPI_Op op, MPI_Comm comm), b, o, n, t,
     op, comm)
WRAP(Scan, comm, (const void *b, void *o, int n, MPI_Datatype t, MPI_Op op, MPI_Comm comm), b, o, n,
     t, op, comm)
WRAP_COUNTED(Exscan, comm,
             (const void *b, void *o, int n, MPI_Datatype t, MPI_Op op, MPI_Comm comm), b, o, n, t,
             op, comm)
WRAP(Gather, comm,
     (const void *b, int n, MPI_Datatype t, void *o, int m, MPI_Datatype u, int root,
      MPI_Comm comm),
     b, n, t, o, m, u, root, comm)
WRAP(Gatherv, comm,
     (const void *b, int n, MPI_Datatype t, void *o, const int *m, const int *d, MPI_Datatype u,
      int root, MPI_Comm comm),
     b, n, t, o, m, d, u, root, comm)
WRAP(Scatter, comm,
     (const void *b, int n, MPI_Datatype t, void *o, int m, MPI_Datatype u, int root,
      MPI_Comm comm),
     b, n, t, o, m, u, root, comm)
WRAP(Scatterv, comm,
     (const void *b, const int *n, const int *d, MPI_Datatype t, void *o, int m, MPI_Datatype u,
      int root, MPI_Comm comm),
     b, n, d, t, o, m, u, root, comm)
WRAP_COUNTED(Allgather, comm,
             (const void *b, int n, MPI_Datatype t, void *o, int m, MPI_Datatype u, MPI_Comm comm),
             b, n, t, o, m, u, comm)
WRAP_COUNTED(Allgatherv, comm,
             (const void *b, int n, MPI_Datatype t, void *o, const int *m, const int *d,
              MPI_Datatype u, MPI_Comm comm),
             b, n, t, o, m, d, u, comm)
WRAP_COUNTED(Alltoall, comm,
             (const void *b, int n, MPI_Datatype t, void *o, int m, MPI_Datatype u, MPI_Comm comm),
             b, n, t, o, m, u, comm)
WRAP(Alltoallv, comm,
     (const void *b, const int *n, const int *d, MPI_Datatype t, void *o, const int *m,
      const int *e, MPI_Datatype u, MPI_Comm comm),
     b, n, d, t, o, m, e, u, comm)
/* --- communicators and types ------------------------------------------------------------- */

WRAP(Comm_dup, comm, (MPI_Comm comm, MPI_Comm *o), comm, o)
WRAP(Comm_split, comm, (MPI_Comm comm, int colour, int key, MPI_Comm *o), comm, colour, key, o)
WRAP(Comm_split_type, comm, (MPI_Comm comm, int type, int key, MPI_Info i, MPI_Comm *o), comm, type,
     key, i, o)
WRAP(Type_contiguous, MPI_COMM_WORLD, (int n, MPI_Datatype t, MPI_Datatype *o), n, t, o)
WRAP(Type_commit, MPI_COMM_WORLD, (MPI_Datatype * t), t)
