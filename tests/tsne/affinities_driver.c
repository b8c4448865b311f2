/* affinities_driver ROWS K PERPLEXITY...: reads neighbours' indices (uint32) and then distances
 * (float32) [ROWS, K] from standard input; writes P as (uint32 row, uint32 column, float value). */
#include "shardsne/memory.h"
#include "shardsne/rows.h"
#include "shardsne/tsne.h"

#include <stdio.h>
#include <stdlib.h>

static bool read_rows(void *first, int64_t rows, int64_t k, int64_t stride) {
  for (int64_t r = 0; r < rows; r++)
    if (fread((char *)first + r * stride * 4, 4, (size_t)k, stdin) != (size_t)k) return false;
  return true;
}

static void write_entries(const ssne_affinities *a) {
  for (int64_t r = 0; r < a->partition.own_rows; r++)
    for (int64_t e = a->start[r]; e < a->start[r + 1] && a->value[e] > 0; e++) {
      const uint32_t row = (uint32_t)r;
      fwrite(&row, sizeof row, 1, stdout);
      fwrite(&a->column[e], sizeof *a->column, 1, stdout);
      fwrite(&a->value[e], sizeof *a->value, 1, stdout);
    }
}

static ssne_code work(int64_t rows, int64_t k, const double *perplexities, int count,
                      ssne_error *err) {
  const ssne_partition p = ssne_partition_make(rows, SSNE_ROWS_BLOCK, 1, 0);
  const ssne_order order = {.rows = rows};
  ssne_neighbours n;
  ssne_affinities a;
  SSNE_TRY(ssne_neighbours_allocate(&p, k, &n, err));
  if (!read_rows(n.index, rows, k, n.stride) || !read_rows(n.distance, rows, k, n.stride)) {
    ssne_neighbours_free(&n);
    return ssne_fail(err, SSNE_USAGE, "too few values on standard input");
  }
  SSNE_TRY(ssne_affinities_build(&n, &order, perplexities, count, 2, MPI_COMM_WORLD, &a, err));
  write_entries(&a);
  ssne_affinities_free(&a);
  return SSNE_OK;
}

int main(int argc, char **argv) {
  enum { MOST = 8 };
  double perplexities[MOST];
  ssne_error err = {SSNE_OK, ""};
  if (argc < 4 || argc > 3 + MOST) return 2;
  for (int i = 3; i < argc; i++) perplexities[i - 3] = atof(argv[i]);
  MPI_Init(&argc, &argv);
  const ssne_code code = work(atoll(argv[1]), atoll(argv[2]), perplexities, argc - 3, &err);
  if (code != SSNE_OK) fprintf(stderr, "%s\n", err.text);
  MPI_Finalize();
  return (int)code;
}
