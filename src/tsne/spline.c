#include "spline.h"

#include <math.h>
#include <string.h>

#define ORDER SSNE_SPLINE_ORDER
#define DEGREES (2 * ORDER - 1)

/* A polynomial in t, by ascending powers. */
typedef struct polynomial {
  double c[DEGREES];
} polynomial;

static polynomial multiply(const polynomial *a, const polynomial *b) {
  polynomial product = {{0}};
  for (int i = 0; i < DEGREES; i++)
    for (int j = 0; i + j < DEGREES; j++) product.c[i + j] += a->c[i] * b->c[j];
  return product;
}

static void add(polynomial *sum, const polynomial *a, double factor) {
  for (int d = 0; d < DEGREES; d++) sum->c[d] += factor * a->c[d];
}

static polynomial derivative(const polynomial *a) {
  polynomial result = {{0}};
  for (int d = 1; d < DEGREES; d++) result.c[d - 1] = d * a->c[d];
  return result;
}

/* piece[j] becomes the spline M_p on [j, j + 1] as a polynomial in t = x - j - 1/2, by
 * (p - 1) M_p(x) = x M_(p-1)(x) + (p - x) M_(p-1)(x - 1) (Essmann et al. 1995, eq. 4.1). */
static void spline_pieces(int order, polynomial piece[ORDER]) {
  memset(piece, 0, ORDER * sizeof *piece);
  piece[0].c[0] = 1;
  for (int p = 2; p <= order; p++)
    for (int j = p - 1; j >= 0; j--) {
      const polynomial rise = {{j + 0.5, 1}}, fall = {{p - j - 0.5, -1}};
      const polynomial left = multiply(&rise, &piece[j]);
      piece[j] = (polynomial){{0}};
      add(&piece[j], &left, 1.0 / (p - 1));
      if (j == 0) continue;
      const polynomial right = multiply(&fall, &piece[j - 1]);
      add(&piece[j], &right, 1.0 / (p - 1));
    }
}

static void store(const polynomial *a, int degrees, int lane, float to[][SSNE_SPLINE_LANES]) {
  for (int d = 0; d < degrees; d++) to[d][lane] = (float)a->c[d];
}

static double value(const polynomial *a, double t) {
  double sum = 0;
  for (int d = DEGREES - 1; d >= 0; d--) sum = sum * t + a->c[d];
  return sum;
}

void ssne_spline_make(int order, ssne_spline *spline) {
  polynomial piece[ORDER];
  *spline = (ssne_spline){.order = order};
  spline_pieces(order, piece);
  for (int l = 0; l < order; l++) {
    /* the first node reached is the farthest to the left: the spline's last piece */
    const polynomial *weight = &piece[order - 1 - l], slope = derivative(weight);
    store(weight, ORDER, l, spline->weight);
    store(&slope, ORDER, l, spline->slope);
    polynomial own = {{0}};
    for (int i = 0; i + l < order; i++) {
      const polynomial pair = multiply(&piece[order - 1 - i], &piece[order - 1 - i - l]);
      add(&own, &pair, l > 0 ? 2 : 1);
    }
    polynomial half = {{0}};
    const polynomial own_slope = derivative(&own);
    add(&half, &own_slope, 0.5);
    store(&own, DEGREES, l, spline->own);
    store(&half, DEGREES, l, spline->own_slope);
  }
  for (int j = 0; j < order / 2; j++) spline->sample[j] = value(&piece[order / 2 + j], -0.5);
}

double ssne_spline_transform(const ssne_spline *spline, double angle) {
  double sum = spline->sample[0];
  for (int j = 1; j < spline->order / 2; j++) sum += 2 * spline->sample[j] * cos(j * angle);
  return sum;
}
