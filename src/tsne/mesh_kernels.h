/* Inner loops of the repulsion on a mesh: between points and mesh, and between a strip of the mesh
 * and its transform. */
#ifndef SSNE_TSNE_MESH_KERNELS_H
#define SSNE_TSNE_MESH_KERNELS_H

#include "fft_kernels.h"
#include "spline.h"

#include "shardsne/simd.h"

#include <stdint.h>

/* A point on the mesh. */
typedef struct mesh_point {
  uint32_t number; /* among the points given */
  uint32_t node;   /* the first that it reaches: row of the window * stride + column */
  float t[2];      /* its place in the cell, -1/2 <= t < 1/2 (spline.h) */
} mesh_point;

/* 16 nodes of a row: their charges, and later their potentials, a real part and then an imaginary
 * part for each of the first and the last eight. */
typedef union mesh_cell {
  int32_t charge[2 * FFT_LANES];
  fft_cell potential;
} mesh_cell;

/* The potential to be read off, and what to make of it. */
typedef struct mesh_field {
  const float *potential; /* [rows, stride] */
  int64_t stride;
  /* What a single point's charge leaves at nodes (row, column) from its own, to be subtracted. */
  float own[SSNE_SPLINE_LANES][SSNE_SPLINE_LANES];
  float force; /* of a slope of 1 a step */
} mesh_field;

/* What a point reads. */
typedef struct mesh_reading {
  float force[2];
  float potential;
} mesh_reading;

typedef struct mesh_kernels {
  /* Adds the points' weights times `scale`, rounded, to `charge`, which begins at node `first`. */
  void (*spread)(const mesh_point *points, int64_t count, const ssne_spline *spline, float scale,
                 uint32_t first, int64_t stride, int32_t *charge);
  /* The reading [number] of each point. */
  void (*gather)(const mesh_point *points, int64_t count, const ssne_spline *spline,
                 const mesh_field *field, mesh_reading *reading);

  /* `count` rows of charges, times `scale`. */
  void (*load)(const mesh_cell *charges, int64_t count, float scale, fft_cell *strip);
  /* From the transform z [length] of such a strip twice those of its 16 columns: bundles of 8 wave
   * numbers, side by side, from 0 on; the next bundle `stride` cells on, column c in its cell c. */
  void (*part)(const fft_cell *z, int64_t length, int64_t bundles, int64_t stride, fft_cell *waves);
  /* And back, z with its real and imaginary parts swapped, from wave numbers 0 ... length / 2. */
  void (*join)(const fft_cell *waves, int64_t length, int64_t stride, fft_cell *z);
  /* Multiplies z [length] by the kernel's even transform [length / 2 + 1, 8], and swaps real and
   * imaginary parts. */
  void (*multiply)(const float *kernel, int64_t length, fft_cell *z);
} mesh_kernels;
SSNE_KERNELS_DECLARE(mesh_kernels)

#endif
