/* Where names stand so that each can be read. */
#ifndef SSNE_RENDER_PLACES_H
#define SSNE_RENDER_PLACES_H

#include <stdbool.h>

typedef struct ssne_place {
  double anchor_x, anchor_y; /* what is named */
  double width, height;      /* of the name */
  double x, y;               /* where its middle has come to be */
  bool shown;
} ssne_place;

typedef struct ssne_bounds {
  double left, right, bottom, top;
} ssne_bounds;

/* Puts each of the `count` names at its anchor or, where an earlier one stands there or it would
 * leave the bounds, at the nearest place on a spiral around it that is free, farther off sideways
 * than up or down as names are wide; one without a free place within `reach` of its heights is not
 * shown. The same names always come to the same places. */
void ssne_places_settle(ssne_place *places, int count, const ssne_bounds *bounds, double reach);

#endif
