#include "plane.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

static ssne_code allocate(ssne_plane *plane, ssne_error *err) {
  const ssne_partition *p = &plane->partition;
  if (p->blocks > INT_MAX)
    return ssne_fail(err, SSNE_FAILED, "%" PRId64 " rows are more than can be exchanged", p->rows);
  SSNE_TRY(ssne_alloc(&plane->xy, p->blocks, sizeof(float[SSNE_ROWS_BLOCK][2]),
                      "blocks of coordinates", err));
  SSNE_TRY(ssne_alloc(&plane->counts, p->ranks, sizeof(int), "ranks", err));
  SSNE_TRY(ssne_alloc(&plane->starts, p->ranks, sizeof(int), "ranks", err));
  for (int r = 0; r < p->ranks; r++) {
    plane->starts[r] = (int)ssne_partition_first_block(p, r);
    plane->counts[r] = (int)ssne_partition_first_block(p, r + 1) - plane->starts[r];
  }
  for (int64_t i = 2 * p->rows; i < 2 * p->blocks * SSNE_ROWS_BLOCK; i++)
    plane->xy[i] = SSNE_PLANE_FAR;
  return SSNE_OK;
}

ssne_code ssne_plane_create(const ssne_partition *partition, MPI_Comm comm, ssne_plane *out,
                            ssne_error *err) {
  *out = (ssne_plane){.partition = *partition, .block = MPI_DATATYPE_NULL};
  const ssne_code code = ssne_agree(comm, allocate(out, err), err);
  if (code != SSNE_OK) {
    ssne_plane_destroy(out);
    return code;
  }
  SSNE_TRY(ssne_mpi_check(MPI_Type_contiguous(2 * SSNE_ROWS_BLOCK, MPI_FLOAT, &out->block),
                          "MPI_Type_contiguous", err));
  return ssne_mpi_check(MPI_Type_commit(&out->block), "MPI_Type_commit", err);
}

void ssne_plane_destroy(ssne_plane *plane) {
  if (plane->block != MPI_DATATYPE_NULL) MPI_Type_free(&plane->block);
  ssne_free(&plane->xy);
  ssne_free(&plane->counts);
  ssne_free(&plane->starts);
}

ssne_code ssne_plane_share(ssne_plane *plane, const float *xy, MPI_Comm comm, ssne_error *err) {
  const ssne_partition *p = &plane->partition;
  memcpy(plane->xy + 2 * p->first_row, xy, (size_t)(2 * p->own_rows) * sizeof *xy);
  return ssne_mpi_check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, plane->xy, plane->counts,
                                       plane->starts, plane->block, comm),
                        "MPI_Allgatherv", err);
}
