/* shardsne-draw-sample: small colour pictures of twelve things, to try the program on.
 *
 * Every pixel is a pure function of (seed, class, number), so that a larger sample begins with the
 * images of a smaller one. The arithmetic is +, -, *, / and sqrt alone, which IEEE 754 rounds in
 * one way, and no sin or cos, which every libm rounds in its own: the pixels are the same
 * everywhere. */
#include "shardsne/options.h"
#include "shardsne/random.h"
#include "shardsne/status.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SIDE 32   /* pixels, of every image */
#define SAMPLES 4 /* a pixel's coverage is counted on a grid of 4 x 4 points */
#define MOST_SPECKS 6
#define MOST_STREAKS 2
#define MOST_IMAGES 10000 /* of a class: numbers of four digits sort as text */

/* this program's own stream, far above the library's purposes */
#define DRAWING ((ssne_purpose)100)

/* the streams of one image: what is in it, its clouds, its noise */
#define CLOUDS (UINT64_C(1) << 32)
#define NOISE (UINT64_C(2) << 32)

typedef struct point {
  double x, y;
} point;

typedef struct color {
  double channel[3]; /* red, green, blue in [0, 1] */
} color;

/* --- the shapes: is a point inside? All fill the unit disc more or less; y points down --- */

static bool in_checkerboard(point p) {
  if (fabs(p.x) > 0.88 || fabs(p.y) > 0.88) return false;
  const int column = (int)((p.x + 0.88) / 0.44), row = (int)((p.y + 0.88) / 0.44);
  return (column + row) % 2 == 0;
}

static bool in_crescent(point p) {
  const double x = p.x - 0.42;
  return p.x * p.x + p.y * p.y <= 0.95 * 0.95 && x * x + p.y * p.y > 0.75 * 0.75;
}

static bool in_cross(point p) {
  const double x = fabs(p.x), y = fabs(p.y);
  return x <= 0.95 && y <= 0.95 && (x <= 0.3 || y <= 0.3);
}

static bool in_disc(point p) {
  return p.x * p.x + p.y * p.y <= 0.9 * 0.9;
}

/* (x^2 + y^2 - 1)^3 < x^2 y^3, moved and scaled into the unit disc */
static bool in_heart(point p) {
  const double x = 1.25 * p.x, y = 0.12 - 1.25 * p.y;
  const double ball = x * x + y * y - 1;
  return ball * ball * ball <= x * x * y * y * y;
}

static bool in_hexagon(point p) {
  const double x = fabs(p.x), y = fabs(p.y), height = 0.82;
  return y <= height && 0.5 * y + 0.8660254037844386 * x <= height;
}

static bool in_ring(point p) {
  const double square = p.x * p.x + p.y * p.y;
  return square <= 0.95 * 0.95 && square > 0.55 * 0.55;
}

/* Half circles about two centres one step apart: each begins where the one before ended. */
static bool in_spiral(point p) {
  const double step = 0.23, x = p.x + step - (p.y < 0 ? 0 : step);
  const double turn = sqrt(x * x + p.y * p.y) / step; /* 1, 3 above the axis and 2, 4 below it */
  const int nearest = p.y < 0 ? (turn < 2 ? 1 : 3) : (turn < 3 ? 2 : 4);
  return fabs(turn - nearest) <= 0.52;
}

static bool in_square(point p) {
  return fabs(p.x) <= 0.75 && fabs(p.y) <= 0.75;
}

/* The five lines of a pentagram: no point of the star is beyond more than one of them. */
static bool in_star(point p) {
  static const point normal[5] = {{0, 1},
                                  {0.9510565162951535, 0.3090169943749474},
                                  {0.5877852522924731, -0.8090169943749475},
                                  {-0.5877852522924731, -0.8090169943749475},
                                  {-0.9510565162951535, 0.3090169943749474}};
  int beyond = 0;
  for (int i = 0; i < 5; i++) beyond += normal[i].x * p.x + normal[i].y * p.y > 0.34;
  return beyond <= 1;
}

static bool in_stripes(point p) {
  return fabs(p.x) <= 0.88 && fabs(p.y) <= 0.88 && (int)((p.x + 0.88) * (7 / 1.76)) % 2 == 0;
}

static bool in_triangle(point p) {
  return p.y <= 0.52 && 1.7320508075688772 * fabs(p.x) <= p.y + 1.04;
}

typedef struct shape {
  const char *name;
  bool (*inside)(point p);
} shape;

static const shape shapes[] = {{"checkerboard", in_checkerboard},
                               {"crescent", in_crescent},
                               {"cross", in_cross},
                               {"disc", in_disc},
                               {"heart", in_heart},
                               {"hexagon", in_hexagon},
                               {"ring", in_ring},
                               {"spiral", in_spiral},
                               {"square", in_square},
                               {"star", in_star},
                               {"stripes", in_stripes},
                               {"triangle", in_triangle}};
#define CLASSES ((int)(sizeof shapes / sizeof *shapes))

/* --- what an image holds --- */

typedef struct placing {
  point centre;         /* pixels */
  point axis;           /* the shape's own x axis, a unit vector */
  double width, height; /* half of each, pixels */
} placing;

typedef struct speck {
  point centre;
  double radius;
  color paint;
  bool in_front; /* of the shape */
} speck;

/* A straight line across the image, behind the shape. */
typedef struct streak {
  point on, normal;
  double half_width, opacity;
  color paint;
} streak;

typedef enum texture { PLAIN, LINES, DOTS, CLOUDY, TEXTURES } texture;

typedef struct scene {
  uint64_t key; /* of the image's random numbers */
  const shape *shape;
  placing place;
  point shadow;           /* how far the shape's shadow falls, pixels */
  double shade;           /* its darkness, 0 to 1 */
  color fore[2], back[2]; /* the two ends of a gradient */
  point slope;            /* along which they change, a unit vector */
  texture texture;
  double period, relief; /* of the background's texture: pixels, and change in brightness */
  point grain;           /* its direction */
  int specks, streaks;
  speck speck[MOST_SPECKS];
  streak streak[MOST_STREAKS];
  double blur, noise;
} scene;

/* An image's random numbers, one after the other. Two draws never share an expression: C leaves
 * open which would come first. */
typedef struct source {
  uint64_t key, next;
} source;

static double draw(source *s, double low, double high) {
  return low + (high - low) * ssne_random_uniform(s->key, DRAWING, s->next++);
}

/* One of 0 ... count - 1. */
static int draw_index(source *s, int count) {
  return (int)draw(s, 0, count);
}

static point draw_point(source *s, double low, double high) {
  const double x = draw(s, low, high), y = draw(s, low, high);
  return (point){x, y};
}

/* Any direction: a quarter turn by the half-angle formula, which is nearly uniform in it, and then
 * as many quarters more. */
static point draw_direction(source *s) {
  const double t = draw(s, 0, 0.41421356237309503), u = draw(s, 0, 1);
  const double c = (1 - t * t) / (1 + t * t), d = 2 * t / (1 + t * t); /* 0 to 45 degrees */
  const point eighth = u < 0.5 ? (point){c, d} : (point){d, c};
  switch (draw_index(s, 4)) {
  case 0:
    return eighth;
  case 1:
    return (point){-eighth.y, eighth.x};
  case 2:
    return (point){-eighth.x, -eighth.y};
  default:
    return (point){eighth.y, -eighth.x};
  }
}

static double clamp(double x, double low, double high) {
  return x < low ? low : x > high ? high : x;
}

/* The colour of a hue (0 to 6, red at both ends) and a brightness, as vivid as `saturation` times
 * the most that is possible. */
static color tint(double hue, double saturation, double brightness) {
  hue = hue < 0 ? hue + 6 : hue >= 6 ? hue - 6 : hue;
  const double pure[3] = {clamp(fabs(hue - 3) - 1, 0, 1), clamp(2 - fabs(hue - 2), 0, 1),
                          clamp(2 - fabs(hue - 4), 0, 1)};
  const double own = 0.3 * pure[0] + 0.59 * pure[1] + 0.11 * pure[2];
  double most = 1;
  for (int i = 0; i < 3; i++) {
    const double away = pure[i] - own;
    const double room = away > 0 ? (1 - brightness) / away : away < 0 ? -brightness / away : 1;
    if (room < most) most = room;
  }
  color c;
  for (int i = 0; i < 3; i++) c.channel[i] = brightness + saturation * most * (pure[i] - own);
  return c;
}

static void draw_gradient(source *s, double saturation, double brightness, color ends[2]) {
  const double hue = draw(s, 0, 6), turn = draw(s, -0.7, 0.7), change = draw(s, -0.09, 0.09);
  ends[0] = tint(hue, saturation, clamp(brightness - change, 0, 1));
  ends[1] = tint(hue + turn, saturation, clamp(brightness + change, 0, 1));
}

/* Hues are free; what sets the shape off is brightness, above the ground's or below it. */
static void draw_colors(source *s, scene *image) {
  const double ground = draw(s, 0.12, 0.92), contrast = draw(s, 0.28, 0.45);
  const bool brighter = ground < 0.4 || (ground < 0.6 && draw_index(s, 2));
  const double ground_saturation = draw(s, 0.1, 0.8), saturation = draw(s, 0.5, 1);
  draw_gradient(s, ground_saturation, ground, image->back);
  draw_gradient(s, saturation, brighter ? ground + contrast : ground - contrast, image->fore);
  image->slope = draw_direction(s);
}

static void draw_clutter(source *s, scene *image) {
  image->specks = draw_index(s, MOST_SPECKS + 1);
  for (int i = 0; i < image->specks; i++) {
    speck *one = &image->speck[i];
    one->centre = draw_point(s, 0, SIDE);
    one->radius = draw(s, 0.4, 1.5);
    const double hue = draw(s, 0, 6), brightness = draw(s, 0.1, 0.95);
    one->paint = tint(hue, 0.8, brightness);
    one->in_front = draw_index(s, 3) == 0;
  }
  image->streaks = draw_index(s, MOST_STREAKS + 1);
  for (int i = 0; i < image->streaks; i++) {
    streak *one = &image->streak[i];
    one->on = draw_point(s, 0, SIDE);
    one->normal = draw_direction(s);
    one->half_width = draw(s, 0.2, 1);
    one->opacity = draw(s, 0.2, 0.6);
    const double hue = draw(s, 0, 6), brightness = draw(s, 0.1, 0.95);
    one->paint = tint(hue, 0.6, brightness);
  }
}

static void draw_scene(uint64_t seed, int class, int64_t number, scene *image) {
  *image = (scene){.shape = &shapes[class]};
  image->key = ssne_random_bits(seed, DRAWING, ((uint64_t) class << 32) + (uint64_t)number);
  source s = {.key = image->key};
  const double radius = draw(&s, 8, 13), aspect = draw(&s, 0.86, 1.16);
  image->place.width = radius * aspect;
  image->place.height = radius / aspect;
  image->place.centre = draw_point(&s, 10, SIDE - 10); /* so that a border may cut it, a little */
  image->place.axis = draw_direction(&s);
  image->shadow = draw_point(&s, -2.5, 2.5);
  image->shade = draw(&s, 0, 0.4);
  draw_colors(&s, image);
  image->texture = (texture)draw_index(&s, TEXTURES);
  image->period = draw(&s, 3.5, 9);
  image->relief = draw(&s, 0.02, 0.09);
  image->grain = draw_direction(&s);
  draw_clutter(&s, image);
  image->blur = draw(&s, 0, 0.6);
  image->noise = draw(&s, 0, 0.07);
}

/* --- painting it --- */

static color mix(color a, color b, double share) {
  for (int i = 0; i < 3; i++) a.channel[i] += share * (b.channel[i] - a.channel[i]);
  return a;
}

/* Share of the pixel at (column, row) that the shape covers when moved by `offset`. */
static double coverage(const scene *image, int column, int row, point offset) {
  const placing *at = &image->place;
  int hits = 0;
  for (int i = 0; i < SAMPLES * SAMPLES; i++) {
    const double x = column + (i % SAMPLES + 0.5) / SAMPLES - at->centre.x - offset.x;
    const double y = row + (i / SAMPLES + 0.5) / SAMPLES - at->centre.y - offset.y;
    const point own = {(at->axis.x * x + at->axis.y * y) / at->width,
                       (at->axis.x * y - at->axis.y * x) / at->height};
    hits += image->shape->inside(own);
  }
  return (double)hits / (SAMPLES * SAMPLES);
}

/* A triangle wave of period 1 between -1 and 1. */
static double wave(double t) {
  return 4 * fabs(t - floor(t) - 0.5) - 1;
}

/* Random heights on a lattice, and between them their bilinear mean. */
static double clouds(const scene *image, double x, double y) {
  const uint64_t i = (uint64_t)x, j = (uint64_t)y, first = CLOUDS + 64 * j + i;
  const double u = x - (double)i, v = y - (double)j;
  const double top = (1 - u) * ssne_random_uniform(image->key, DRAWING, first) +
                     u * ssne_random_uniform(image->key, DRAWING, first + 1);
  const double bottom = (1 - u) * ssne_random_uniform(image->key, DRAWING, first + 64) +
                        u * ssne_random_uniform(image->key, DRAWING, first + 65);
  return 2 * ((1 - v) * top + v * bottom) - 1;
}

/* The texture at a point, between -1 and 1. */
static double pattern(const scene *image, point p) {
  const double along = (image->grain.x * p.x + image->grain.y * p.y) / image->period;
  const double across = (image->grain.x * p.y - image->grain.y * p.x) / image->period;
  switch (image->texture) {
  case LINES:
    return wave(along);
  case DOTS:
    return wave(along) * wave(across);
  case CLOUDY:
    return clouds(image, p.x / image->period, p.y / image->period);
  default:
    return 0;
  }
}

static color paint_ground(const scene *image, point p, double along) {
  color c = mix(image->back[0], image->back[1], along);
  const double relief = image->relief * pattern(image, p);
  for (int i = 0; i < 3; i++) c.channel[i] += relief;
  for (int i = 0; i < image->streaks; i++) {
    const streak *one = &image->streak[i];
    const double away = fabs(one->normal.x * (p.x - one->on.x) + one->normal.y * (p.y - one->on.y));
    c = mix(c, one->paint, one->opacity * clamp(one->half_width + 0.5 - away, 0, 1));
  }
  return c;
}

static color paint_specks(const scene *image, point p, bool in_front, color c) {
  for (int i = 0; i < image->specks; i++) {
    const speck *one = &image->speck[i];
    const double x = p.x - one->centre.x, y = p.y - one->centre.y;
    if (one->in_front == in_front)
      c = mix(c, one->paint, clamp(one->radius + 0.5 - sqrt(x * x + y * y), 0, 1));
  }
  return c;
}

static color paint_pixel(const scene *image, int column, int row) {
  const color black = {{0, 0, 0}};
  const point p = {column + 0.5, row + 0.5}, middle = {SIDE / 2.0, SIDE / 2.0};
  const double along =
      0.5 + (image->slope.x * (p.x - middle.x) + image->slope.y * (p.y - middle.y)) / (1.5 * SIDE);
  color c = paint_specks(image, p, false, paint_ground(image, p, along));
  c = mix(c, black, image->shade * coverage(image, column, row, image->shadow));
  c = mix(c, mix(image->fore[0], image->fore[1], along),
          coverage(image, column, row, (point){0, 0}));
  return paint_specks(image, p, true, c);
}

/* A channel of the canvas under the weights 1 2 1 in both directions, the border repeated. */
static double smooth(color canvas[SIDE][SIDE], int column, int row, int channel) {
  double sum = 0;
  for (int j = -1; j <= 1; j++)
    for (int i = -1; i <= 1; i++) {
      const int x = column + i < 0 ? 0 : column + i >= SIDE ? SIDE - 1 : column + i;
      const int y = row + j < 0 ? 0 : row + j >= SIDE ? SIDE - 1 : row + j;
      sum += (i ? 1 : 2) * (j ? 1 : 2) * canvas[y][x].channel[channel];
    }
  return sum / 16;
}

/* The scene through a camera, which blurs and adds noise: 8-bit RGB. */
static void paint(const scene *image, uint8_t pixels[SIDE][SIDE][3]) {
  color canvas[SIDE][SIDE];
  for (int row = 0; row < SIDE; row++)
    for (int column = 0; column < SIDE; column++)
      canvas[row][column] = paint_pixel(image, column, row);
  for (int row = 0; row < SIDE; row++)
    for (int column = 0; column < SIDE; column++)
      for (int i = 0; i < 3; i++) {
        const double sharp = canvas[row][column].channel[i];
        const double soft = smooth(canvas, column, row, i);
        const uint64_t index = NOISE + (uint64_t)((row * SIDE + column) * 3 + i);
        const double noise = 2 * ssne_random_uniform(image->key, DRAWING, index) - 1;
        const double value = sharp + image->blur * (soft - sharp) + image->noise * noise;
        pixels[row][column][i] = (uint8_t)(255 * clamp(value, 0, 1) + 0.5);
      }
}

/* --- the files --- */

static ssne_code write_image(const char *path, uint8_t pixels[SIDE][SIDE][3], ssne_error *err) {
  png_image header = {
      .version = PNG_IMAGE_VERSION, .width = SIDE, .height = SIDE, .format = PNG_FORMAT_RGB};
  if (png_image_write_to_file(&header, path, 0, pixels, 0, NULL)) return SSNE_OK;
  return ssne_fail(
      err, SSNE_FAILED,
      "%s: the image cannot be written: %s; choose a folder you may write in, on a disk "
      "with room left",
      path, header.message);
}

/* Makes a folder unless it is there. */
static ssne_code make_folder(const char *path, ssne_error *err) {
  struct stat found;
  if (mkdir(path, 0777) == 0) return SSNE_OK;
  const int cause = errno;
  if (cause == EEXIST && stat(path, &found) == 0 && S_ISDIR(found.st_mode)) return SSNE_OK;
  return ssne_fail(err, SSNE_FAILED,
                   "%s: the folder cannot be made: %s; choose one in a folder that exists and that "
                   "you may write in",
                   path, cause == EEXIST ? "a file of that name is in its place" : strerror(cause));
}

static ssne_code draw_class(const char *folder, uint64_t seed, int class, int64_t count,
                            ssne_error *err) {
  char path[PATH_MAX];
  scene image;
  uint8_t pixels[SIDE][SIDE][3];
  snprintf(path, sizeof path, "%s/%s", folder, shapes[class].name);
  SSNE_TRY(make_folder(path, err));
  for (int64_t i = 0; i < count; i++) {
    snprintf(path, sizeof path, "%s/%s/%04" PRId64 ".png", folder, shapes[class].name, i);
    draw_scene(seed, class, i, &image);
    paint(&image, pixels);
    SSNE_TRY(write_image(path, pixels, err));
  }
  return SSNE_OK;
}

typedef struct settings {
  int64_t count, seed;
  bool help;
} settings;

static const ssne_option options[] = {{.name = "count",
                                       .kind = SSNE_OPTION_INTEGER,
                                       .offset = offsetof(settings, count),
                                       .value = "N",
                                       .help = "images of each class",
                                       .low = 1,
                                       .high = MOST_IMAGES},
                                      {.name = "seed",
                                       .kind = SSNE_OPTION_INTEGER,
                                       .offset = offsetof(settings, seed),
                                       .value = "S",
                                       .help = "another seed draws other images",
                                       .low = 0,
                                       .high = 0x1p53},
                                      {.name = "help",
                                       .kind = SSNE_OPTION_FLAG,
                                       .offset = offsetof(settings, help),
                                       .help = "show this and stop"}};

static ssne_code run(int argc, char **argv, ssne_error *err) {
  settings chosen = {.count = 300};
  const ssne_option_group group = {"Options", options, sizeof options / sizeof *options, &chosen};
  const char *folder = NULL;
  int words = 0;
  SSNE_TRY(ssne_options_parse(&group, 1, argc, argv, &folder, 1, &words, err));
  if (chosen.help) {
    printf("shardsne-draw-sample DIR [options]\n\n"
           "Draws colour images of %d x %d pixels in %d classes: DIR/CLASS/0000.png and on.\n"
           "The same seed draws the same images; files of those names are replaced.\n",
           SIDE, SIDE, CLASSES);
    ssne_options_help(&group, 1);
    return SSNE_OK;
  }
  if (words == 0)
    return ssne_fail(err, SSNE_USAGE, "say which folder to draw into: shardsne-draw-sample DIR");
  /* the longest name below it, so that none is cut short unnoticed */
  if (strlen(folder) + sizeof "/checkerboard/0000.png" > PATH_MAX)
    return ssne_fail(
        err, SSNE_USAGE,
        "the folder's path is too long for this system: %zu characters; choose a shorter one",
        strlen(folder));
  SSNE_TRY(make_folder(folder, err));
  for (int class = 0; class < CLASSES; class ++)
    SSNE_TRY(draw_class(folder, (uint64_t)chosen.seed, class, chosen.count, err));
  printf("%" PRId64 " images of %d classes in %s\n", CLASSES * chosen.count, CLASSES, folder);
  return SSNE_OK;
}

int main(int argc, char **argv) {
  ssne_error err = {.code = SSNE_OK};
  if (run(argc, argv, &err) != SSNE_OK) fprintf(stderr, "shardsne-draw-sample: %s\n", err.text);
  return err.code;
}
