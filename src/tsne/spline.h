/* Cardinal B-splines of even order, to spread charges to a mesh and to read a potential off it
 * (smooth particle-mesh Ewald: Essmann et al. 1995).
 *
 * A point between nodes c and c + 1, at c + 1/2 + t, -1/2 <= t < 1/2, in units of the mesh's step,
 * reaches the `order` nodes from c + 1 - order / 2 on. What each of them gets is a polynomial in t;
 * coefficients are kept lane by lane, so that all nodes are evaluated at once. */
#ifndef SSNE_TSNE_SPLINE_H
#define SSNE_TSNE_SPLINE_H

#define SSNE_SPLINE_ORDER 6 /* the greatest */
#define SSNE_SPLINE_LANES 8 /* lanes past the order are zero */

typedef struct ssne_spline {
  int order; /* p: 4 or 6 */
  /* [d][l] the coefficient of t^d: the weight of the l-th node reached, degree p - 1 */
  float weight[SSNE_SPLINE_ORDER][SSNE_SPLINE_LANES];
  float slope[SSNE_SPLINE_ORDER][SSNE_SPLINE_LANES]; /* its derivative by t */
  /* The autocorrelation of the weights, sum_i w_i w_(i+l), twice that for l > 0, degree 2 p - 2:
   * what a point's charge, read by the point itself, counts at a distance of l nodes; and half its
   * derivative by t, which is what the slopes read. */
  float own[2 * SSNE_SPLINE_ORDER - 1][SSNE_SPLINE_LANES];
  float own_slope[2 * SSNE_SPLINE_ORDER - 1][SSNE_SPLINE_LANES];
  double sample[SSNE_SPLINE_ORDER / 2]; /* the spline 0, 1, 2 nodes from its centre, its peak */
} ssne_spline;

/* `order` 4 or 6. */
void ssne_spline_make(int order, ssne_spline *spline);

/* The transform of the spline sampled at the nodes, sum_j sample[|j|] e^(i j angle): real,
 * positive. */
double ssne_spline_transform(const ssne_spline *spline, double angle);

#endif
