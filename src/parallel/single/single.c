#include "mpi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char ssne_single_in_place;

/* --- beginning and end ------------------------------------------------------------------- */

/* Where launchers say how many processes they start: Open MPI's, MPICH's and its kin's, srun. */
static long processes(void) {
  static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS",
                                      "SLURM_STEP_NUM_TASKS"};
  long most = 1;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *text = getenv(names[i]);
    const long number = text ? strtol(text, NULL, 10) : 1;
    if (number > most) most = number;
  }
  return most;
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
  (void)argc, (void)argv;
  *provided = required;
  if (processes() == 1) return MPI_SUCCESS;
  fprintf(stderr,
          "shardsne: error: this program was built without MPI and is one process, but is one of "
          "%ld: start it without a launcher, or build it with SHARDSNE_MPI=ON\n",
          processes());
  return MPI_ERR_RANK;
}

int MPI_Finalize(void) {
  return MPI_SUCCESS;
}

int MPI_Abort(MPI_Comm comm, int code) {
  (void)comm;
  exit(code);
}

int MPI_Error_string(int code, char *text, int *length) {
  *length = snprintf(text, MPI_MAX_ERROR_STRING, "%s",
                     code == MPI_SUCCESS ? "no error" : "there is no other process");
  return MPI_SUCCESS;
}

int MPI_Get_processor_name(char *name, int *length) {
  if (gethostname(name, MPI_MAX_PROCESSOR_NAME) != 0) name[0] = 0;
  name[MPI_MAX_PROCESSOR_NAME - 1] = 0;
  *length = (int)strlen(name);
  return MPI_SUCCESS;
}

int MPI_Get_library_version(char *text, int *length) {
  *length = snprintf(text, MPI_MAX_LIBRARY_VERSION_STRING, "no MPI (one process)");
  return MPI_SUCCESS;
}

/* --- communicators: all have one member -------------------------------------------------- */

int MPI_Comm_rank(MPI_Comm comm, int *rank) {
  (void)comm;
  *rank = 0;
  return MPI_SUCCESS;
}

int MPI_Comm_size(MPI_Comm comm, int *size) {
  (void)comm;
  *size = 1;
  return MPI_SUCCESS;
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *out) {
  *out = comm;
  return MPI_SUCCESS;
}

int MPI_Comm_split_type(MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm *out) {
  (void)type, (void)key, (void)info;
  return MPI_Comm_dup(comm, out);
}

int MPI_Comm_free(MPI_Comm *comm) {
  *comm = MPI_COMM_NULL;
  return MPI_SUCCESS;
}

/* Errors are returned; there are none that the handler would have to hear of. */
int MPI_Comm_create_errhandler(MPI_Comm_errhandler_function *function, MPI_Errhandler *out) {
  (void)function;
  *out = 0;
  return MPI_SUCCESS;
}

int MPI_Comm_set_errhandler(MPI_Comm comm, MPI_Errhandler handler) {
  (void)comm, (void)handler;
  return MPI_SUCCESS;
}

int MPI_Errhandler_free(MPI_Errhandler *handler) {
  (void)handler;
  return MPI_SUCCESS;
}

/* --- datatypes: sizes -------------------------------------------------------------------- */

int MPI_Type_contiguous(int count, MPI_Datatype of, MPI_Datatype *out) {
  *out = count * of;
  return MPI_SUCCESS;
}

int MPI_Type_commit(MPI_Datatype *type) {
  (void)type;
  return MPI_SUCCESS;
}

int MPI_Type_free(MPI_Datatype *type) {
  *type = MPI_DATATYPE_NULL;
  return MPI_SUCCESS;
}

/* --- collective calls -------------------------------------------------------------------- */

static int copy(const void *send, void *recv, int count, MPI_Datatype type) {
  if (send != MPI_IN_PLACE && count > 0) memmove(recv, send, (size_t)count * (size_t)type);
  return MPI_SUCCESS;
}

int MPI_Bcast(void *data, int count, MPI_Datatype type, int root, MPI_Comm comm) {
  (void)data, (void)count, (void)type, (void)root, (void)comm;
  return MPI_SUCCESS;
}

int MPI_Reduce(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op, int root,
               MPI_Comm comm) {
  (void)op, (void)root, (void)comm;
  return copy(send, recv, count, type);
}

int MPI_Allreduce(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op,
                  MPI_Comm comm) {
  (void)op, (void)comm;
  return copy(send, recv, count, type);
}

int MPI_Iallreduce(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op,
                   MPI_Comm comm, MPI_Request *request) {
  *request = MPI_REQUEST_NULL;
  return MPI_Allreduce(send, recv, count, type, op, comm);
}

int MPI_Exscan(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op,
               MPI_Comm comm) {
  (void)send, (void)recv, (void)count, (void)type, (void)op, (void)comm;
  return MPI_SUCCESS;
}

int MPI_Allgather(const void *send, int send_count, MPI_Datatype send_type, void *recv,
                  int recv_count, MPI_Datatype recv_type, MPI_Comm comm) {
  (void)recv_count, (void)recv_type, (void)comm;
  return copy(send, recv, send_count, send_type);
}

static void *from_start(void *data, int start, MPI_Datatype type) {
  return (char *)data + (long long)start * type;
}

int MPI_Allgatherv(const void *send, int send_count, MPI_Datatype send_type, void *recv,
                   const int counts[], const int starts[], MPI_Datatype recv_type, MPI_Comm comm) {
  (void)counts, (void)comm;
  return copy(send, from_start(recv, starts[0], recv_type), send_count, send_type);
}

int MPI_Alltoall(const void *send, int send_count, MPI_Datatype send_type, void *recv,
                 int recv_count, MPI_Datatype recv_type, MPI_Comm comm) {
  return MPI_Allgather(send, send_count, send_type, recv, recv_count, recv_type, comm);
}

/* --- messages: there is nobody to send them to ------------------------------------------- */

int MPI_Send(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm) {
  (void)data, (void)count, (void)type, (void)to, (void)tag, (void)comm;
  return MPI_ERR_RANK;
}

int MPI_Recv(void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
             MPI_Status *status) {
  (void)data, (void)count, (void)type, (void)from, (void)tag, (void)comm, (void)status;
  return MPI_ERR_RANK;
}

int MPI_Isend(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
              MPI_Request *request) {
  *request = MPI_REQUEST_NULL;
  return MPI_Send(data, count, type, to, tag, comm);
}

int MPI_Irecv(void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
              MPI_Request *request) {
  *request = MPI_REQUEST_NULL;
  return MPI_Recv(data, count, type, from, tag, comm, MPI_STATUS_IGNORE);
}

int MPI_Test(MPI_Request *request, int *done, MPI_Status *status) {
  (void)request, (void)status;
  *done = 1;
  return MPI_SUCCESS;
}

int MPI_Testall(int count, MPI_Request requests[], int *done, MPI_Status *statuses) {
  (void)count, (void)requests, (void)statuses;
  *done = 1;
  return MPI_SUCCESS;
}

int MPI_Waitall(int count, MPI_Request requests[], MPI_Status *statuses) {
  (void)count, (void)requests, (void)statuses;
  return MPI_SUCCESS;
}
