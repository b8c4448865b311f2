/* Names moved apart: against every pair of them, for crowds drawn at random. */
#include "places.h"
#include "check.h"

#include "shardsne/random.h"

#include <math.h>
#include <string.h>

#define MOST 200

static const ssne_bounds bounds = {.left = 10, .right = 510, .bottom = 20, .top = 420};

static double uniform(uint64_t seed, int index) {
  return ssne_random_uniform(seed, SSNE_RANDOM_INIT, (uint64_t)index);
}

/* `spread`: how much of the bounds the anchors are scattered over. */
static void scatter(ssne_place *places, int count, uint64_t seed, double spread) {
  for (int i = 0; i < count; i++)
    places[i] = (ssne_place){.anchor_x = 500 * (0.5 + spread * (uniform(seed, 3 * i) - 0.5)),
                             .anchor_y = 420 * (0.5 + spread * (uniform(seed, 3 * i + 1) - 0.5)),
                             .width = 10 + 60 * uniform(seed, 3 * i + 2),
                             .height = 8};
}

static bool overlap(const ssne_place *p, const ssne_place *q) {
  return fabs(p->x - q->x) < (p->width + q->width) / 2 &&
         fabs(p->y - q->y) < (p->height + q->height) / 2;
}

static int check_readable(const ssne_place *places, int count) {
  int shown = 0;
  for (int i = 0; i < count; i++) {
    const ssne_place *p = &places[i];
    if (!p->shown) continue;
    shown++;
    CHECK(p->x - p->width / 2 >= bounds.left - 1e-9 && p->x + p->width / 2 <= bounds.right + 1e-9);
    CHECK(p->y - p->height / 2 >= bounds.bottom - 1e-9 &&
          p->y + p->height / 2 <= bounds.top + 1e-9);
    for (int j = 0; j < i; j++) CHECK(!places[j].shown || !overlap(p, &places[j]));
  }
  return shown;
}

static void test_crowds(void) {
  static const double spreads[] = {0, 0.1, 0.5, 1, 1.2};
  ssne_place places[MOST], again[MOST];
  for (uint64_t seed = 0; seed < 20; seed++)
    for (int s = 0; s < 5; s++) {
      scatter(places, 40, seed, spreads[s]);
      ssne_places_settle(places, 40, &bounds, 200);
      CHECK(check_readable(places, 40) == 40); /* there is room for them */
      scatter(again, 40, seed, spreads[s]);
      ssne_places_settle(again, 40, &bounds, 200);
      for (int i = 0; i < 40; i++) CHECK(again[i].x == places[i].x && again[i].y == places[i].y);
      scatter(places, MOST, seed, spreads[s]);
      ssne_places_settle(places, MOST, &bounds, 2.5);
      CHECK(check_readable(places, MOST) > 0 && places[0].shown);
      for (int i = 0; i < MOST; i++) /* near enough, but where the bounds push */
        CHECK(!places[i].shown || spreads[s] >= 1 ||
              fabs(places[i].y - places[i].anchor_y) <= 2.5 * 8 + 1e-9);
    }
}

static void test_unmoved(void) {
  ssne_place places[3] = {{.anchor_x = 100, .anchor_y = 100, .width = 50, .height = 10},
                          {.anchor_x = 200, .anchor_y = 100, .width = 50, .height = 10},
                          {.anchor_x = 102, .anchor_y = 101, .width = 50, .height = 10}};
  ssne_places_settle(places, 3, &bounds, 100);
  CHECK(places[0].x == 100 && places[0].y == 100 && places[1].x == 200 && places[1].y == 100);
  CHECK(places[2].shown && fabs(places[2].y - 101) < 20 && fabs(places[2].x - 102) < 40);
}

/* One wider than the bounds stands in their middle rather than nowhere. */
static void test_wide(void) {
  ssne_place place = {.anchor_x = 20, .anchor_y = 0, .width = 900, .height = 10};
  ssne_places_settle(&place, 1, &bounds, 100);
  CHECK(place.shown && place.x == 260 && place.y == 25);
}

int main(void) {
  test_crowds();
  test_unmoved();
  test_wide();
  return check_result();
}
