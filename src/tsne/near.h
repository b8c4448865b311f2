/* The coordinates that a rank's rows of P need: those of its own rows, and of its ghosts, the rows
 * of other ranks that own rows have affinities with. Rows lie in an order in which near ones are
 * together (order.h), so that ghosts are few, and an exchange moves these instead of everything. */
#ifndef SSNE_TSNE_NEAR_H
#define SSNE_TSNE_NEAR_H

#include "shardsne/exchange.h"
#include "shardsne/tsne.h"

typedef struct ssne_near {
  const ssne_affinities *affinities; /* not owned */
  MPI_Comm comm;
  int threads;
  uint32_t *column; /* of P's entries, the slots of their coordinates below; owned */
  uint32_t *slot;   /* [own_rows] those of own rows'; owned */
  float *xy;        /* [own_rows + ghosts, 2] own rows', then the ghosts of each rank; owned */
  int64_t ghosts;
  int64_t given_rows; /* sum of given */
  /* [ranks] ghosts that each rank owns, and own rows that are each rank's ghosts */
  int64_t *taken, *given;
  uint32_t *row; /* [given_rows] which rows these are, by rank */
  float *sent;   /* [given_rows, 2] */
  ssne_messages messages;
} ssne_near;

/* Collective. `affinities` must outlive it. Free with ssne_near_free, after a failure too. */
ssne_code ssne_near_create(const ssne_affinities *affinities, int threads, MPI_Comm comm,
                           ssne_near *out, ssne_error *err);

/* Collective among neighbours. Takes own coordinates `own` [own_rows, 2] and exchanges them. */
ssne_code ssne_near_exchange(ssne_near *near, const float *own, ssne_error *err);

/* Collective, after an exchange. Moves coordinates to slots where those of near points are
 * together, for the map as it is now; they are there after the next exchange. Rows of P keep their
 * order, and their entries, so that no sum changes. */
ssne_code ssne_near_lay_out(ssne_near *near, ssne_error *err);

void ssne_near_free(ssne_near *near);

/* Not collective. Bytes it takes on a rank; an estimate with more ghosts than were seen. */
int64_t ssne_near_bytes(const ssne_partition *partition, int64_t k);

#endif
