/* What this machine can do at best, for bench-stages to compare the program's stages with.
 *
 *   [mpirun -n RANKS] shardsne-limits [--seconds S] [--threads T] [--columns D] [--rows N]
 *
 * Prints one JSON object: rates of all ranks and threads together, in bytes or operations a second.
 * Every figure is the best of the tries that fit into S seconds, taken by all ranks at once. */
#include <cblas.h>
#include <fftw3.h>
#include <jansson.h>
#include <math.h>
#include <mpi.h>
#include <omp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 64 /* bytes; alignment of every array */

extern void openblas_set_num_threads(int) __attribute__((weak));
extern void mkl_set_num_threads(int) __attribute__((weak));

typedef struct limits {
  MPI_Comm comm;
  int rank, ranks, threads;
  double seconds;   /* for one figure */
  int64_t columns;  /* of the features */
  int64_t rows;     /* of the map */
  json_t *measured; /* on rank 0 */
} limits;

/* One piece of work that is timed: all threads call it, `state` is a thread's own. */
typedef void piece(void *state);

/* --- small things ----------------------------------------------------------------------------- */

static void stop(const char *why) {
  fprintf(stderr, "shardsne-limits: error: %s\n", why);
  MPI_Abort(MPI_COMM_WORLD, 1);
}

static void *room(size_t bytes) {
  void *found = aligned_alloc(LINE, (bytes + LINE - 1) / LINE * LINE);
  if (!found) {
    stop("no memory; run fewer threads a rank");
    exit(EXIT_FAILURE);
  }
  memset(found, 0, bytes);
  return found;
}

static float *random_floats(size_t count, uint64_t seed) {
  float *found = room(count * sizeof *found);
  uint64_t state = 0x9e3779b97f4a7c15u + seed;
  for (size_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    found[i] = (float)(int32_t)(state >> 32) * 0x1p-31f;
  }
  return found;
}

static void note(limits *l, const char *name, double rate) {
  if (l->rank == 0) json_object_set_new(l->measured, name, json_real(rate));
}

/* --- timing ----------------------------------------------------------------------------------- */

/* Collective: least seconds that `times` calls of `work` took, on the slowest of the ranks and
 * their `threads` threads; states are `size` bytes apart. */
static double best(limits *l, piece *work, void *states, size_t size, int threads, int times) {
  double least = INFINITY, spent = 0;
  while (spent < l->seconds) {
    MPI_Barrier(l->comm);
    double took = MPI_Wtime();
#pragma omp parallel num_threads(threads)
    for (int i = 0; i < times; ++i) work((char *)states + (size_t)omp_get_thread_num() * size);
    took = MPI_Wtime() - took;
    MPI_Allreduce(MPI_IN_PLACE, &took, 1, MPI_DOUBLE, MPI_MAX, l->comm);
    if (spent > 0 || took > l->seconds) least = fmin(least, took); /* the first try warms up */
    spent += took;
  }
  return least;
}

/* --- memory ----------------------------------------------------------------------------------- */

typedef struct copying {
  float *to;
  const float *from;
  size_t bytes;
} copying;

static void copy(void *state) {
  const copying *c = state;
  memcpy(c->to, c->from, c->bytes);
}

/* Bytes read and bytes written a second. The arrays are far larger than the caches. */
static void measure_copy(limits *l, const char *name, int threads, int ranks) {
  const size_t bytes = (size_t)1 << 26;
  copying *all = room((size_t)threads * sizeof *all);
#pragma omp parallel num_threads(threads) /* each thread's arrays near itself */
  all[omp_get_thread_num()] =
      (copying){room(bytes), random_floats(bytes / sizeof(float), 1), bytes};
  limits only = *l;
  if (ranks == 1) only.comm = MPI_COMM_SELF;
  double took = l->rank < ranks ? best(&only, copy, all, sizeof *all, threads, 1) : 1;
  MPI_Barrier(l->comm);
  note(l, name, 2.0 * (double)bytes * threads * ranks / took);
  for (int t = 0; t < threads; ++t) {
    free(all[t].to);
    free((void *)all[t].from);
  }
  free(all);
}

typedef struct gathering {
  const float *table;   /* [rows, 2] */
  const uint32_t *item; /* [count] */
  size_t count;
  float sum[2];
} gathering;

static void gather(void *state) {
  gathering *g = state;
  float x = 0, y = 0;
  for (size_t i = 0; i < g->count; ++i) {
    x += g->table[2 * (size_t)g->item[i]];
    y += g->table[2 * (size_t)g->item[i] + 1];
  }
  g->sum[0] += x;
  g->sum[1] += y;
}

/* Random reads of a point of the map, all threads, each with its index read in order. */
static void measure_gather(limits *l) {
  const size_t count = (size_t)1 << 20;
  float *table = random_floats(2 * (size_t)l->rows, 2);
  uint32_t *item = room(count * sizeof *item);
  uint64_t state = 3;
  for (size_t i = 0; i < count; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    item[i] = (uint32_t)((state >> 32) * (uint64_t)l->rows >> 32);
  }
  gathering *all = room((size_t)l->threads * sizeof *all);
  for (int t = 0; t < l->threads; ++t) all[t] = (gathering){table, item, count, {0, 0}};
  double took = best(l, gather, all, sizeof *all, l->threads, 1);
  note(l, "gathers", (double)count * l->threads * l->ranks / took);
  free(all);
  free(item);
  free(table);
}

/* --- arithmetic ------------------------------------------------------------------------------- */

typedef struct product {
  int m, n, k;
  float *a, *b, *c;
} product;

static void multiply(void *state) {
  product *p = state;
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, p->m, p->n, p->k, 1, p->a, p->k, p->b, p->k,
              0, p->c, p->n);
}

/* Operations a second of a product per thread: [m, k] by [n, k] transposed. */
static void measure_product(limits *l, const char *name, int m, int n, int k) {
  product *all = room((size_t)l->threads * sizeof *all);
  for (int t = 0; t < l->threads; ++t) {
    all[t] = (product){.m = m, .n = n, .k = k, .c = room(sizeof(float) * (size_t)m * (size_t)n)};
    all[t].a = random_floats((size_t)m * (size_t)k, 4);
    all[t].b = random_floats((size_t)n * (size_t)k, 5);
  }
  const double operations = 2.0 * m * n * k;
  const int times = (int)fmax(1, 5e7 / operations);
  double took = best(l, multiply, all, sizeof *all, l->threads, times);
  note(l, name, operations * times * l->threads * l->ranks / took);
  for (int t = 0; t < l->threads; ++t) {
    free(all[t].a);
    free(all[t].b);
    free(all[t].c);
  }
  free(all);
}

typedef struct transform {
  fftwf_plan plan;
  fftwf_complex *values;
} transform;

static void fourier(void *state) {
  const transform *f = state;
  fftwf_execute_dft(f->plan, f->values, f->values);
}

/* 5 n log2 n operations are counted for n numbers, as FFTW's authors do. Transforms are in place;
 * one a thread is under way at a time. Zeros, as long runs of transforms would overflow. */
static void measure_transform(limits *l, const char *name, int rank, int length, int batch) {
  const int64_t points = rank == 2 ? (int64_t)length * length : (int64_t)length * batch;
  const int shape[2] = {length, length};
  transform *all = room((size_t)l->threads * sizeof *all);
  for (int t = 0; t < l->threads; ++t) {
    fftwf_complex *x = room((size_t)points * sizeof *x);
    fftwf_plan plan = fftwf_plan_many_dft(rank, shape, rank == 2 ? 1 : batch, x, NULL, 1, length, x,
                                          NULL, 1, length, FFTW_FORWARD, FFTW_ESTIMATE);
    if (!plan) stop("FFTW has no plan");
    all[t] = (transform){plan, x};
  }
  double took = best(l, fourier, all, sizeof *all, l->threads, 1);
  const double operations = 5.0 * (double)points * log2(rank == 2 ? (double)points : length);
  note(l, name, operations * l->threads * l->ranks / took);
  for (int t = 0; t < l->threads; ++t) {
    fftwf_destroy_plan(all[t].plan);
    free(all[t].values);
  }
  free(all);
}

/* --- messages --------------------------------------------------------------------------------- */

typedef struct message {
  MPI_Comm comm;
  int count; /* 32-bit numbers; of a rank in an Allgather */
  int32_t *from, *to;
} message;

static void add_up(void *state) {
  const message *m = state;
  MPI_Allreduce(m->from, m->to, m->count, MPI_INT32_T, MPI_SUM, m->comm);
}

static void share(void *state) {
  const message *m = state;
  MPI_Allgather(m->from, m->count, MPI_INT32_T, m->to, m->count, MPI_INT32_T, m->comm);
}

/* Bytes of the result a second. */
static void measure_messages(limits *l) {
  const int count = 1 << 20;
  message m = {l->comm, count, room(sizeof(int32_t) * (size_t)count), NULL};
  m.to = room(sizeof(int32_t) * (size_t)count);
  note(l, "allreduce", sizeof(int32_t) * (double)count / best(l, add_up, &m, sizeof m, 1, 1));
  m.count = count / l->ranks;
  const double bytes = sizeof(int32_t) * (double)m.count * l->ranks;
  note(l, "allgather", bytes / best(l, share, &m, sizeof m, 1, 1));
  free(m.from);
  free(m.to);
}

/* --- the program ------------------------------------------------------------------------------ */

static void measure(limits *l) {
  measure_copy(l, "copy_one_thread", 1, 1);
  measure_copy(l, "copy", l->threads, l->ranks);
  measure_gather(l);
  measure_product(l, "sgemm_tile", 64, 512, (int)l->columns);
  measure_product(l, "sgemm", 1024, 1024, 1024);
  measure_transform(l, "fft_512", 1, 512, 64);
  measure_transform(l, "fft_2048", 1, 2048, 16);
  measure_transform(l, "fft_8192", 1, 8192, 4);
  measure_transform(l, "fft_1024x1024", 2, 1024, 1);
  if (l->ranks > 1) measure_messages(l);
}

static bool read_options(limits *l, int count, char **word) {
  for (int i = 1; i < count; i += 2) {
    char *end = NULL;
    double value = i + 1 < count ? strtod(word[i + 1], &end) : NAN;
    if (!end || *end || !(value > 0) || value > 1e9) return false;
    if (!strcmp(word[i], "--seconds"))
      l->seconds = value;
    else if (!strcmp(word[i], "--threads"))
      l->threads = (int)fmax(value, 1);
    else if (!strcmp(word[i], "--columns"))
      l->columns = (int64_t)fmax(value, 1);
    else if (!strcmp(word[i], "--rows"))
      l->rows = (int64_t)fmax(value, 1);
    else
      return false;
  }
  return true;
}

static void print(limits *l) {
  json_t *all = json_pack("{s:i, s:i, s:f, s:I, s:I, s:o}", "ranks", l->ranks, "threads",
                          l->threads, "seconds", l->seconds, "columns", (json_int_t)l->columns,
                          "rows", (json_int_t)l->rows, "rates", l->measured);
  json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
  putchar('\n');
  json_decref(all);
}

int main(int count, char **word) {
  int level;
  MPI_Init_thread(&count, &word, MPI_THREAD_FUNNELED, &level);
  limits l = {.comm = MPI_COMM_WORLD,
              .threads = omp_get_max_threads(),
              .seconds = 0.3,
              .columns = 50,
              .rows = 100000};
  MPI_Comm_rank(l.comm, &l.rank);
  MPI_Comm_size(l.comm, &l.ranks);
  bool good = read_options(&l, count, word);
  if (!good && l.rank == 0)
    fprintf(stderr,
            "usage: shardsne-limits [--seconds S] [--threads T] [--columns D] [--rows N]\n");
  if (good) {
    if (openblas_set_num_threads) openblas_set_num_threads(1); /* threads each call it themselves */
    if (mkl_set_num_threads) mkl_set_num_threads(1);
    if (l.rank == 0) l.measured = json_object();
    measure(&l);
    if (l.rank == 0) print(&l);
  }
  MPI_Finalize();
  return good ? 0 : 2;
}
