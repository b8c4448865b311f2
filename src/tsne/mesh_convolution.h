/* Charges on a mesh to potentials, in free space, on one rank or shared among several.
 *
 * The mesh is doubled in both directions with nothing (Hockney & Eastwood 1988, section 6-5-4) and
 * transformed, first along columns, then along rows: a strip of 16 columns is eight complex
 * sequences side by side, two real columns in each, and its transform is cut into bundles of eight
 * wave numbers, whose rows are again eight sequences side by side. A rank owns a run of strips and
 * a run of bundles; between the two lies one exchange of all with all, which one rank does without,
 * since bundles are where the strips put them. Where that takes longer than what more ranks would
 * save, some ranks own nothing. Sequences are transformed by one thread each, in the
 * same way anywhere, so the result does not depend on who does it. */
#ifndef SSNE_TSNE_MESH_CONVOLUTION_H
#define SSNE_TSNE_MESH_CONVOLUTION_H

#include "fft.h"
#include "mesh_geometry.h"
#include "mesh_kernels.h"
#include "mesh_transpose.h"
#include "spline.h"

#include "shardsne/exchange.h"

typedef struct mesh_kernel {
  double tail_df; /* a: K = (1 + r^2 / a)^-a */
  double floor;   /* subtracted from K, so that values are no larger than they need be */
} mesh_kernel;

/* At a distance of (x, y). */
double mesh_kernel_at(const mesh_kernel *kernel, double x, double y);

typedef struct mesh_convolution {
  MPI_Comm comm; /* not owned */
  int ranks, rank, threads;
  mesh_geometry geometry; /* that of the kernel's transform */
  fft along[2];           /* rows, columns */
  /* [ranks + 1] each rank's first strip and first bundle; owned */
  int64_t *strips, *bundles;
  mesh_transpose transpose;
  float *kernel; /* [own bundles, columns + 1, 8] its transform, made sharper for the splines */
  fft_cell *by_strip; /* [bundles, own columns] */
  fft_cell *work;     /* [threads, work_cells] */
  int64_t work_cells;
  int64_t kernel_capacity, strip_capacity, work_capacity;
} mesh_convolution;

/* Collective over `comm`, which must outlive it, as must `meanwhile`, which may be NULL and is
 * worked on in waits. Free with mesh_convolution_free, after a failure too. */
ssne_code mesh_convolution_create(MPI_Comm comm, int threads, ssne_meanwhile *meanwhile,
                                  mesh_convolution *c, ssne_error *err);

/* Not collective. Makes room for a mesh shared on a grid of ranks (mesh_transpose.h), as a part of
 * mesh_convolution_prepare that may fail on one rank alone. */
ssne_code mesh_convolution_reserve(mesh_convolution *c, ssne_workers grid, const mesh_geometry *g,
                                   ssne_error *err);

/* Not collective. Computes the transform of the kernel on a mesh for which there is room, divided
 * by that of the splines, once for spreading and once for gathering. */
void mesh_convolution_prepare(mesh_convolution *c, const mesh_geometry *g,
                              const mesh_kernel *kernel, const ssne_spline *spline);

/* Collective. Own `strips` [own strips, rows]: from charges, to be multiplied by `scale`, a power
 * of two, to potentials. */
ssne_code mesh_convolution_apply(mesh_convolution *c, mesh_cell *strips, float scale,
                                 ssne_error *err);

void mesh_convolution_free(mesh_convolution *c);

#endif
