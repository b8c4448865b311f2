#include "places.h"

#include <math.h>

/* Of a name's height: between the turns of the spiral, between its points, and between names. */
static const double turn = 0.3, step = 0.5, gap = 0.12;
/* How much farther it goes sideways. */
static const double aspect = 1.8;

static bool is_free(const ssne_place *places, int index, double x, double y) {
  const ssne_place *p = &places[index];
  for (int i = 0; i < index; i++) {
    const ssne_place *q = &places[i];
    if (q->shown && fabs(q->x - x) < (p->width + q->width) / 2 + gap * p->height &&
        fabs(q->y - y) < (p->height + q->height) / 2 + gap * p->height)
      return false;
  }
  return true;
}

static double clamp(double value, double half, double low, double high) {
  if (high - low < 2 * half) return (low + high) / 2;
  return fmin(fmax(value, low + half), high - half);
}

/* Whether the name fits at a distance from its anchor, within the bounds; and puts it there. */
static bool try_at(ssne_place *places, int index, const ssne_bounds *b, double dx, double dy) {
  ssne_place *p = &places[index];
  const double x = clamp(p->anchor_x + dx, p->width / 2, b->left, b->right);
  const double y = clamp(p->anchor_y + dy, p->height / 2, b->bottom, b->top);
  if (!is_free(places, index, x, y)) return false;
  p->x = x;
  p->y = y;
  return true;
}

static bool settle(ssne_place *places, int index, const ssne_bounds *b, double reach) {
  const double height = places[index].height;
  if (try_at(places, index, b, 0, 0)) return true;
  const int turns = (int)floor(reach / turn);
  for (int t = 1; t <= turns; t++) {
    const double radius = t * turn;
    const int points = (int)fmax(8, ceil(2 * M_PI * radius / step));
    for (int i = 0; i < points; i++) {
      const double angle = 2 * M_PI * i / points + M_PI / 2;
      if (try_at(places, index, b, aspect * radius * height * cos(angle),
                 radius * height * sin(angle)))
        return true;
    }
  }
  return false;
}

void ssne_places_settle(ssne_place *places, int count, const ssne_bounds *bounds, double reach) {
  for (int i = 0; i < count; i++) places[i].shown = settle(places, i, bounds, reach);
}
