/* Traffic of all ranks together, for the record and for people. */
#include "shardsne/exchange.h"
#include "shardsne/traffic.h"

#include <inttypes.h>
#include <stdio.h>

#define MIB 1048576.0
#define NAMED 3 /* kinds of call that the line for people names */

const char *ssne_call_name(ssne_call call) {
  static const char *const names[SSNE_CALLS] = {
      [SSNE_CALL_SEND] = "MPI_Send",
      [SSNE_CALL_RECV] = "MPI_Recv",
      [SSNE_CALL_ISEND] = "MPI_Isend",
      [SSNE_CALL_IRECV] = "MPI_Irecv",
      [SSNE_CALL_BCAST] = "MPI_Bcast",
      [SSNE_CALL_REDUCE] = "MPI_Reduce",
      [SSNE_CALL_ALLREDUCE] = "MPI_Allreduce",
      [SSNE_CALL_IALLREDUCE] = "MPI_Iallreduce",
      [SSNE_CALL_EXSCAN] = "MPI_Exscan",
      [SSNE_CALL_ALLGATHER] = "MPI_Allgather",
      [SSNE_CALL_ALLGATHERV] = "MPI_Allgatherv",
      [SSNE_CALL_ALLTOALL] = "MPI_Alltoall",
  };
  return names[call];
}

ssne_traffic ssne_traffic_between(const ssne_traffic *before, const ssne_traffic *after) {
  ssne_traffic t = *after;
  for (int c = 0; c < SSNE_CALLS; c++) {
    t.of[c].calls -= before->of[c].calls;
    t.of[c].messages -= before->of[c].messages;
    t.of[c].bytes_sent -= before->of[c].bytes_sent;
    t.of[c].bytes_received -= before->of[c].bytes_received;
  }
  return t;
}

/* MPI_DOUBLE_INT: bytes below 2^53 are exact. */
typedef struct most {
  double bytes;
  int rank;
} most;

/* Over all ranks; the last of each array is of all kinds together. */
typedef struct overview {
  ssne_call_traffic sum[SSNE_CALLS + 1];
  most sent[SSNE_CALLS + 1], received[SSNE_CALLS + 1];
} overview;

static ssne_code survey(const ssne_traffic *traffic, MPI_Comm comm, overview *out,
                        ssne_error *err) {
  enum { NUMBERS = (SSNE_CALLS + 1) * (int)(sizeof(ssne_call_traffic) / sizeof(int64_t)) };
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  ssne_call_traffic *all = &out->sum[SSNE_CALLS];
  *all = (ssne_call_traffic){.calls = 0};
  for (int c = 0; c < SSNE_CALLS; c++) {
    const ssne_call_traffic *one = &traffic->of[c];
    out->sum[c] = *one;
    all->calls += one->calls;
    all->messages += one->messages;
    all->bytes_sent += one->bytes_sent;
    all->bytes_received += one->bytes_received;
  }
  for (int c = 0; c <= SSNE_CALLS; c++) {
    out->sent[c] = (most){(double)out->sum[c].bytes_sent, rank};
    out->received[c] = (most){(double)out->sum[c].bytes_received, rank};
  }
  SSNE_TRY(
      ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, out->sum, NUMBERS, MPI_INT64_T, MPI_SUM, comm),
                     "MPI_Allreduce", err));
  SSNE_TRY(ssne_mpi_check(
      MPI_Allreduce(MPI_IN_PLACE, out->sent, SSNE_CALLS + 1, MPI_DOUBLE_INT, MPI_MAXLOC, comm),
      "MPI_Allreduce", err));
  return ssne_mpi_check(
      MPI_Allreduce(MPI_IN_PLACE, out->received, SSNE_CALLS + 1, MPI_DOUBLE_INT, MPI_MAXLOC, comm),
      "MPI_Allreduce", err);
}

ssne_code ssne_traffic_record(const ssne_traffic *traffic, const char *during, MPI_Comm comm,
                              ssne_log *log, ssne_error *err) {
  overview o;
  SSNE_TRY(survey(traffic, comm, &o, err));
  for (int c = 0; c < SSNE_CALLS; c++)
    if (o.sum[c].calls > 0)
      ssne_log_event(log, "traffic", "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:I, s:i}", "during",
                     during, "kind", ssne_call_name((ssne_call)c), "calls",
                     (long long)o.sum[c].calls, "messages", (long long)o.sum[c].messages,
                     "bytes_sent", (long long)o.sum[c].bytes_sent, "bytes_received",
                     (long long)o.sum[c].bytes_received, "max_sent", (long long)o.sent[c].bytes,
                     "max_sent_rank", o.sent[c].rank, "max_received",
                     (long long)o.received[c].bytes, "max_received_rank", o.received[c].rank);
  return SSNE_OK;
}

/* ": MPI_Isend 10.2 MiB, MPI_Bcast 0.1 MiB", the kinds that send most, of a rank on average. */
static void name_largest(const overview *o, int ranks, char *text, size_t length) {
  bool named[SSNE_CALLS] = {false};
  size_t used = 0;
  text[0] = 0;
  for (int n = 0; n < NAMED && used < length; n++) {
    int largest = 0;
    for (int c = 1; c < SSNE_CALLS; c++)
      if (named[largest] || (!named[c] && o->sum[c].bytes_sent > o->sum[largest].bytes_sent))
        largest = c;
    if (named[largest] || o->sum[largest].bytes_sent == 0) return;
    named[largest] = true;
    used += (size_t)snprintf(text + used, length - used, "%s %s %.1f MiB", n == 0 ? ":" : ",",
                             ssne_call_name((ssne_call)largest),
                             (double)o->sum[largest].bytes_sent / ranks / MIB);
  }
}

ssne_code ssne_traffic_tell(const ssne_traffic *traffic, MPI_Comm comm, ssne_log *log,
                            ssne_error *err) {
  overview o;
  char largest[160];
  int ranks = 1;
  MPI_Comm_size(comm, &ranks);
  if (ranks == 1) return SSNE_OK;
  SSNE_TRY(survey(traffic, comm, &o, err));
  name_largest(&o, ranks, largest, sizeof largest);
  ssne_log_info(log, "sent: %.1f MiB a rank, %.1f by rank %d, in %" PRId64 " messages%s",
                (double)o.sum[SSNE_CALLS].bytes_sent / ranks / MIB, o.sent[SSNE_CALLS].bytes / MIB,
                o.sent[SSNE_CALLS].rank, o.sum[SSNE_CALLS].messages / ranks, largest);
  return SSNE_OK;
}
