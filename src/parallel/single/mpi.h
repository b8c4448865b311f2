/* MPI for one process: a program built with SHARDSNE_MPI=OFF needs neither an MPI library nor a
 * launcher.
 *
 * Only what shardsne calls is declared, so that any other use of MPI fails to compile. Collective
 * calls of one process copy what they are given, or leave it where it is (MPI_IN_PLACE). Messages
 * to another process are compiled and never sent, as there is no other: they return MPI_ERR_RANK.
 * A datatype is its size in bytes, which is all that copying needs. Names and arguments are those
 * of the MPI standard, 3.1. */
#ifndef SHARDSNE_SINGLE_MPI_H
#define SHARDSNE_SINGLE_MPI_H

typedef int MPI_Comm;
typedef int MPI_Datatype;
typedef int MPI_Op;
typedef int MPI_Request;
typedef int MPI_Info;
typedef int MPI_Errhandler;
typedef struct MPI_Status MPI_Status; /* never looked at */
typedef void MPI_Comm_errhandler_function(MPI_Comm *, int *, ...);

enum { MPI_SUCCESS, MPI_ERR_RANK };
enum { MPI_COMM_NULL, MPI_COMM_WORLD, MPI_COMM_SELF };
enum { MPI_REQUEST_NULL };
enum { MPI_INFO_NULL };
enum { MPI_COMM_TYPE_SHARED };
enum { MPI_THREAD_SINGLE, MPI_THREAD_FUNNELED };
enum { MPI_SUM, MPI_MIN, MPI_MAX, MPI_MAXLOC };
enum { MPI_MAX_ERROR_STRING = 128, MPI_MAX_PROCESSOR_NAME = 256 };
enum { MPI_MAX_LIBRARY_VERSION_STRING = 64 };

enum {
  MPI_DATATYPE_NULL = 0,
  MPI_BYTE = 1,
  MPI_CHAR = 1,
  MPI_INT = sizeof(int),
  MPI_INT32_T = 4,
  MPI_UINT32_T = 4,
  MPI_FLOAT = sizeof(float),
  MPI_INT64_T = 8,
  MPI_UINT64_T = 8,
  MPI_DOUBLE = sizeof(double),
  MPI_DOUBLE_INT = 2 * sizeof(double) /* with what the compiler leaves free behind the int */
};

extern char ssne_single_in_place;
#define MPI_IN_PLACE ((void *)&ssne_single_in_place)
#define MPI_STATUS_IGNORE ((MPI_Status *)0)
#define MPI_STATUSES_IGNORE ((MPI_Status *)0)

/* Fails, and says so on standard error, where a launcher has started several processes: each would
 * take itself for the only one, and write the same file. */
int MPI_Init_thread(int *argc, char ***argv, int required, int *provided);
int MPI_Finalize(void);
int MPI_Abort(MPI_Comm comm, int code) __attribute__((noreturn));
int MPI_Error_string(int code, char *text, int *length);
int MPI_Get_processor_name(char *name, int *length);
int MPI_Get_library_version(char *text, int *length);

int MPI_Comm_rank(MPI_Comm comm, int *rank);
int MPI_Comm_size(MPI_Comm comm, int *size);
int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *out);
int MPI_Comm_split_type(MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm *out);
int MPI_Comm_free(MPI_Comm *comm);
int MPI_Comm_create_errhandler(MPI_Comm_errhandler_function *function, MPI_Errhandler *out);
int MPI_Comm_set_errhandler(MPI_Comm comm, MPI_Errhandler handler);
int MPI_Errhandler_free(MPI_Errhandler *handler);

int MPI_Type_contiguous(int count, MPI_Datatype of, MPI_Datatype *out);
int MPI_Type_commit(MPI_Datatype *type);
int MPI_Type_free(MPI_Datatype *type);

int MPI_Bcast(void *data, int count, MPI_Datatype type, int root, MPI_Comm comm);
int MPI_Reduce(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op, int root,
               MPI_Comm comm);
int MPI_Allreduce(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op,
                  MPI_Comm comm);
int MPI_Iallreduce(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op,
                   MPI_Comm comm, MPI_Request *request);
int MPI_Exscan(const void *send, void *recv, int count, MPI_Datatype type, MPI_Op op,
               MPI_Comm comm); /* of the first process: nothing */
int MPI_Allgather(const void *send, int send_count, MPI_Datatype send_type, void *recv,
                  int recv_count, MPI_Datatype recv_type, MPI_Comm comm);
int MPI_Allgatherv(const void *send, int send_count, MPI_Datatype send_type, void *recv,
                   const int counts[], const int starts[], MPI_Datatype recv_type, MPI_Comm comm);
int MPI_Alltoall(const void *send, int send_count, MPI_Datatype send_type, void *recv,
                 int recv_count, MPI_Datatype recv_type, MPI_Comm comm);

int MPI_Send(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm);
int MPI_Recv(void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
             MPI_Status *status);
int MPI_Isend(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm,
              MPI_Request *request);
int MPI_Irecv(void *data, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm,
              MPI_Request *request);

/* Requests are done when they are made. */
int MPI_Test(MPI_Request *request, int *done, MPI_Status *status);
int MPI_Testall(int count, MPI_Request requests[], int *done, MPI_Status *statuses);
int MPI_Waitall(int count, MPI_Request requests[], MPI_Status *statuses);

#endif
