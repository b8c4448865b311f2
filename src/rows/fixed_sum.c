#include "fixed_sum.h"

#include "shardsne/exact_sum.h"
#include "shardsne/exchange.h"
#include "shardsne/simd.h"

/* Sum of the squares of `count` values, a multiple of SSNE_LANES. */
static double energy_of(const float *x, int64_t count) {
  double lane[SSNE_LANES] = {0}, sum = 0;
  for (int64_t i = 0; i < count; i += SSNE_LANES)
    for (int l = 0; l < SSNE_LANES; l++) lane[l] += (double)x[i + l] * (double)x[i + l];
  for (int l = 0; l < SSNE_LANES; l++) sum += lane[l];
  return sum;
}

ssne_code ssne_fixed_scale(const ssne_rows *rows, int threads, MPI_Comm comm, double *scale,
                           ssne_error *err) {
  const ssne_partition *p = &rows->partition;
  ssne_exact energy = {{0}, 0};
#pragma omp parallel num_threads(threads)
  {
    ssne_exact mine = {{0}, 0};
#pragma omp for schedule(static) nowait
    for (int64_t b = 0; b < p->own_blocks; b++)
      ssne_exact_add(&mine,
                     energy_of(rows->data + b * p->block_rows * rows->stride,
                               ssne_partition_block_length(p, p->first_block + b) * rows->stride));
#pragma omp critical(ssne_fixed_scale)
    ssne_exact_merge(&energy, &mine);
  }
  SSNE_TRY(ssne_exact_reduce(&energy, 1, comm, err));
  /* An exact sum may have lost up to 2^-65 a block. */
  const double bound = ssne_exact_value(&energy) + (double)p->blocks * 0x1p-64;
  int exponent = 0;
  frexp(bound, &exponent);
  *scale = ldexp(1, 60 - exponent);
  return SSNE_OK;
}

ssne_code ssne_fixed_reduce(int64_t *sums, int64_t count, MPI_Comm comm, ssne_error *err) {
  const int64_t piece = INT64_C(1) << 24;
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  for (int64_t done = 0; done < count; done += piece) {
    const int64_t now = count - done < piece ? count - done : piece;
    SSNE_TRY(ssne_mpi_check(MPI_Reduce(rank == 0 ? MPI_IN_PLACE : sums + done, sums + done,
                                       (int)now, MPI_INT64_T, MPI_SUM, 0, comm),
                            "MPI_Reduce", err));
  }
  return SSNE_OK;
}
