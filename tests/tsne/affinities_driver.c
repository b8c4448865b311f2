/* affinities_driver ROWS COLUMNS K PERPLEXITY: reads float32 rows from standard input; writes the
 * neighbours' indices (uint32) and distances (float32) [ROWS, K], and then P as (uint32 row, uint32
 * column, float32 value). */
#include "shardsne/memory.h"
#include "shardsne/neighbours.h"
#include "shardsne/tsne.h"

#include <stdio.h>
#include <stdlib.h>

static ssne_code work(int64_t rows, int64_t columns, int64_t k, double perplexity,
                      ssne_error *err) {
  float *x = NULL, *distance = NULL;
  uint32_t *index = NULL;
  ssne_rows prepared;
  ssne_affinities a;
  const ssne_partition p = ssne_partition_make(rows, SSNE_ROWS_BLOCK, 1, 0);
  SSNE_TRY(ssne_alloc(&x, rows * columns, sizeof *x, "values", err));
  SSNE_TRY(ssne_alloc(&index, rows * k, sizeof *index, "neighbours", err));
  SSNE_TRY(ssne_alloc(&distance, rows * k, sizeof *distance, "distances", err));
  if (fread(x, sizeof *x, (size_t)(rows * columns), stdin) != (size_t)(rows * columns))
    return ssne_fail(err, SSNE_USAGE, "too few values on standard input");
  SSNE_TRY(ssne_rows_prepare(x, columns, &p, MPI_COMM_WORLD, &prepared, err));
  SSNE_TRY(ssne_neighbours_exact(&prepared, k, 1, MPI_COMM_WORLD, NULL, index, distance, err));
  SSNE_TRY(ssne_affinities_build(index, distance, &p, k, perplexity, 1, MPI_COMM_WORLD, &a, err));
  fwrite(index, sizeof *index, (size_t)(rows * k), stdout);
  fwrite(distance, sizeof *distance, (size_t)(rows * k), stdout);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t e = a.start[r]; e < a.start[r + 1]; e++) {
      const uint32_t row = (uint32_t)r;
      fwrite(&row, sizeof row, 1, stdout);
      fwrite(&a.column[e], sizeof *a.column, 1, stdout);
      fwrite(&a.value[e], sizeof *a.value, 1, stdout);
    }
  ssne_affinities_free(&a);
  ssne_rows_free(&prepared);
  ssne_free(&x);
  ssne_free(&index);
  ssne_free(&distance);
  return SSNE_OK;
}

int main(int argc, char **argv) {
  ssne_error err = {SSNE_OK, ""};
  if (argc != 5) return 2;
  MPI_Init(&argc, &argv);
  const ssne_code code = work(atoll(argv[1]), atoll(argv[2]), atoll(argv[3]), atof(argv[4]), &err);
  if (code != SSNE_OK) fprintf(stderr, "%s\n", err.text);
  MPI_Finalize();
  return (int)code;
}
