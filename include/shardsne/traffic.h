/* What passes between ranks, by kind of call.
 *
 * The library defines the MPI calls that it and the program make (MPI's profiling interface: MPI
 * 3.1, section 14.2), counts each and passes it on to PMPI. So calls of libraries that the program
 * uses are counted as well. With SHARDSNE_TRAFFIC=OFF, and in a build without MPI, all stays zero.
 *
 * Bytes are those of the data as the calls describe them, once each, wherever MPI then takes them,
 * and however often: what an algorithm hands over, not what a network carries. Of R > 1 ranks (on a
 * communicator of one rank nothing is counted), one call counts on the rank that makes it
 *
 *   kind                 bytes sent               bytes received         messages
 *   Send, Isend          all                      -                      1
 *   Recv, Irecv          -                        room for them          -
 *   Bcast                all, on the root         all, elsewhere         1 on the root
 *   Reduce               all, but on the root     all, on the root       1 but on the root
 *   Allreduce, I-        all                      all                    1
 *   Exscan               all, but on the last     all, but on the first  1 but on the last
 *   Allgather(v)         own part                 parts of others        1
 *   Alltoall             what is for others       what is from others    ranks that get some
 *
 * and no message where it sends no byte. Messages to the rank itself count nothing. */
#ifndef SHARDSNE_TRAFFIC_H
#define SHARDSNE_TRAFFIC_H

#include "shardsne/log.h"
#include "shardsne/status.h"
#include <mpi.h>
#include <stdint.h>

typedef enum ssne_call {
  SSNE_CALL_SEND,
  SSNE_CALL_RECV,
  SSNE_CALL_ISEND,
  SSNE_CALL_IRECV,
  SSNE_CALL_BCAST,
  SSNE_CALL_REDUCE,
  SSNE_CALL_ALLREDUCE,
  SSNE_CALL_IALLREDUCE,
  SSNE_CALL_EXSCAN,
  SSNE_CALL_ALLGATHER,
  SSNE_CALL_ALLGATHERV,
  SSNE_CALL_ALLTOALL,
  SSNE_CALLS
} ssne_call;

typedef struct ssne_call_traffic {
  int64_t calls, messages, bytes_sent, bytes_received;
} ssne_call_traffic;

/* Of this process. */
typedef struct ssne_traffic {
  ssne_call_traffic of[SSNE_CALLS];
} ssne_traffic;

/* MPI's name of a kind of call: "MPI_Allreduce". */
const char *ssne_call_name(ssne_call call);

/* Not collective: what was counted since the process began. */
void ssne_traffic_now(ssne_traffic *out);

/* Not collective: what was counted from `before` to `after`. */
ssne_traffic ssne_traffic_between(const ssne_traffic *before, const ssne_traffic *after);

/* Not collective: bytes sent since the process began, by calls of all kinds. */
int64_t ssne_traffic_sent(void);

/* Collective: one "traffic" record (docs/records.md) for each kind of call that any rank made;
 * `during` says what the traffic was of. */
ssne_code ssne_traffic_record(const ssne_traffic *traffic, const char *during, MPI_Comm comm,
                              ssne_log *log, ssne_error *err);

/* Collective: a line for people: what a rank sends on average and at most, and the kinds of call
 * that send most of it. Nothing on one rank. */
ssne_code ssne_traffic_tell(const ssne_traffic *traffic, MPI_Comm comm, ssne_log *log,
                            ssne_error *err);

#endif
