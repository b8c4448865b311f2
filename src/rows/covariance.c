#include "covariance.h"
#include "fixed_sum.h"

#include "shardsne/agree.h"
#include "shardsne/memory.h"
#include "shardsne/simd.h"

#include <cblas.h>
#include <omp.h>
#include <string.h>

/* A tile's product (float) and sums (int64_t) are to stay in a core's second-level cache. */
#define WIDEST INT64_C(256)

/* Blocks of rows a thread sums up before it adds to what all share: enough for that not to cost,
 * few enough for another tile to find the rows still in a cache. */
#define CHUNK INT64_C(64)

typedef struct summation {
  const ssne_rows *rows;
  ssne_triangle *triangle;
  double scale;
  float *last;      /* [SSNE_ROWS_BLOCK, stride] the last block, filled up with zero rows */
  float *product;   /* [threads][width, width] */
  int64_t *partial; /* [threads][width, width] */
} summation;

static ssne_triangle shape_of(int64_t stride) {
  ssne_triangle t = {.stride = stride, .across = (stride + WIDEST - 1) / WIDEST};
  const int64_t vectors = stride / SSNE_LANES;
  t.width = (vectors + t.across - 1) / t.across * SSNE_LANES;
  t.across = (stride + t.width - 1) / t.width;
  t.tiles = t.across * (t.across + 1) / 2;
  return t;
}

/* Row and column of a tile: tiles lie row after row, each row from the diagonal on. */
static void locate(const ssne_triangle *t, int64_t tile, int64_t *row, int64_t *column) {
  int64_t i = 0, before = 0;
  while (before + t->across - i <= tile) before += t->across - i++;
  *row = i;
  *column = i + tile - before;
}

static int64_t width_of(const ssne_triangle *t, int64_t index) {
  const int64_t left = t->stride - index * t->width;
  return left < t->width ? left : t->width;
}

static const float *block_of(const summation *s, int64_t block) {
  const ssne_partition *p = &s->rows->partition;
  const bool whole = ssne_partition_block_length(p, p->first_block + block) == p->block_rows;
  return whole ? s->rows->data + block * p->block_rows * s->rows->stride : s->last;
}

/* Adds one tile of X^T X over the own blocks first ... end - 1 to the shared sums. The product of a
 * block always has the same shape and is made by one thread, so its bits are always the same. */
static void sum_tile(const summation *s, int64_t tile, int64_t first, int64_t end) {
  const ssne_triangle *t = s->triangle;
  const int64_t size = t->width * t->width, stride = t->stride;
  float *product = s->product + omp_get_thread_num() * size;
  int64_t *partial = s->partial + omp_get_thread_num() * size, i = 0, j = 0;
  locate(t, tile, &i, &j);
  const int64_t height = width_of(t, i), width = width_of(t, j);
  memset(partial, 0, (size_t)size * sizeof *partial);
  for (int64_t b = first; b < end; b++) {
    const float *x = block_of(s, b);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)height, (int)width, SSNE_ROWS_BLOCK,
                1, x + i * t->width, (int)stride, x + j * t->width, (int)stride, 0, product,
                (int)t->width);
    for (int64_t r = 0; r < height; r++)
      for (int64_t c = 0; c < width; c++)
        partial[r * t->width + c] += ssne_fixed((double)product[r * t->width + c], s->scale);
  }
  int64_t *shared = t->sums + tile * size;
  for (int64_t n = 0; n < size; n++) {
#pragma omp atomic
    shared[n] += partial[n];
  }
}

static void sum_tiles(const summation *s, int threads) {
  const int64_t blocks = s->rows->partition.own_blocks, tiles = s->triangle->tiles;
  const int64_t share = blocks / threads / 8, chunk = share > CHUNK ? share : CHUNK;
  const int64_t chunks = (blocks + chunk - 1) / chunk;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int64_t item = 0; item < chunks * tiles; item++) {
    const int64_t first = item / tiles * chunk;
    sum_tile(s, item % tiles, first, first + chunk < blocks ? first + chunk : blocks);
  }
}

static void pad_last_block(const summation *s) {
  const ssne_partition *p = &s->rows->partition;
  const int64_t rest = p->own_rows % p->block_rows, stride = s->rows->stride;
  memcpy(s->last, s->rows->data + (p->own_rows - rest) * stride,
         (size_t)(rest * stride) * sizeof *s->last);
}

static ssne_code allocate(summation *s, int threads, ssne_error *err) {
  ssne_triangle *t = s->triangle;
  const int64_t size = t->width * t->width;
  SSNE_TRY(ssne_alloc(&t->sums, t->tiles * size, sizeof *t->sums, "covariances", err));
  SSNE_TRY(ssne_alloc(&s->last, SSNE_ROWS_BLOCK * t->stride, sizeof *s->last, "values", err));
  SSNE_TRY(ssne_alloc(&s->product, threads * size, sizeof *s->product, "products", err));
  return ssne_alloc(&s->partial, threads * size, sizeof *s->partial, "partial sums", err);
}

static ssne_code sum_all(summation *s, int threads, MPI_Comm comm, ssne_error *err) {
  const ssne_triangle *t = s->triangle;
  SSNE_TRY_ALL(comm, allocate(s, threads, err), err);
  SSNE_TRY(ssne_fixed_scale(s->rows, threads, comm, &s->scale, err));
  pad_last_block(s);
  sum_tiles(s, threads);
  return ssne_fixed_reduce(t->sums, t->tiles * t->width * t->width, comm, err);
}

ssne_code ssne_covariance_sum(const ssne_rows *rows, int threads, MPI_Comm comm, ssne_triangle *out,
                              ssne_error *err) {
  *out = shape_of(rows->stride);
  summation s = {.rows = rows, .triangle = out};
  const ssne_code code = sum_all(&s, threads, comm, err);
  ssne_free(&s.last);
  ssne_free(&s.product);
  ssne_free(&s.partial);
  if (code != SSNE_OK) ssne_triangle_free(out);
  return code;
}

void ssne_triangle_unpack(const ssne_triangle *triangle, int64_t columns, double *full) {
  const ssne_triangle *t = triangle;
  for (int64_t tile = 0; tile < t->tiles; tile++) {
    const int64_t *sums = t->sums + tile * t->width * t->width;
    int64_t i = 0, j = 0;
    locate(t, tile, &i, &j);
    for (int64_t r = i * t->width; r < columns && r < (i + 1) * t->width; r++)
      for (int64_t c = j * t->width; c < columns && c < (j + 1) * t->width; c++)
        full[r * columns + c] = (double)sums[(r - i * t->width) * t->width + c - j * t->width];
  }
}

void ssne_triangle_free(ssne_triangle *triangle) {
  ssne_free(&triangle->sums);
}
