/* Pictures with the images themselves in them: the hover page and the contact map. No MPI, no HDF5,
 * and no decoding in here: small images come from a function of the caller's. */
#ifndef SHARDSNE_PAGE_H
#define SHARDSNE_PAGE_H

#include "shardsne/status.h"
#include <stdbool.h>
#include <stdint.h>

/* A small image; none where `width` is 0. */
typedef struct ssne_small_image {
  int width, height;
  uint8_t *rgb; /* [height, width, 3], in room that the caller gave */
} ssne_small_image;

/* Gives the images of points numbered first ... first + count - 1, each of at most `side` x `side`
 * pixels, into out[0 ... count - 1], where `rgb` has room for that. With `square` the middle square
 * of each, of exactly that size; else in its own shape, and not enlarged. An image that cannot be
 * had is none; an error ends the picture. */
typedef ssne_code ssne_small_images(void *context, int64_t first, int count, int side, bool square,
                                    ssne_small_image *out, ssne_error *err);

/* Whether a path is one of a page, by its extension: .html or .htm. */
bool ssne_page_is(const char *path);

typedef struct ssne_page {
  const char *path;           /* replaced when complete */
  const char *title;          /* any bytes, as all texts here */
  const char *about;          /* what the page says of itself, below the title */
  int64_t count;              /* points, drawn in this order */
  const float *xy;            /* [count, 2], finite */
  const int32_t *label;       /* [count]; unknown where not in 0 ... class_count - 1; NULL: none */
  const int64_t *row;         /* [count] their rows in the run file */
  const char *const *names;   /* [count]; NULL: rows are named by their number */
  const char *const *classes; /* [class_count]; NULL: the labels themselves */
  int64_t class_count;
  ssne_small_images *images; /* NULL: no thumbnails */
  void *context;             /* of images */
} ssne_page;

/* Writes one HTML file that shows the map, and on hover a point's name, class and thumbnail. It
 * holds all that it needs, and fetches nothing. Thumbnails are of at most 96 pixels a side, fewer
 * the more there are, in JPEGs of many. What the names hold is shown as text, and is neither
 * markup nor script. The same input gives the same bytes. */
ssne_code ssne_page_write(const ssne_page *page, ssne_error *err);

/* The most images a side of a contact map. */
#define SSNE_CONTACT_SIDE_MOST 64

typedef struct ssne_contact {
  const char *path;     /* .png; replaced when complete */
  int side;             /* cells a side, 2 to SSNE_CONTACT_SIDE_MOST */
  int width, height;    /* of the picture, in pixels */
  int dpi;              /* for the PNG's header */
  int64_t count;        /* points, at most side * side; cells without one stay empty */
  const float *xy;      /* [count, 2], finite */
  const int32_t *label; /* [count]: a frame in its class's colour around each image; NULL: none */
  int64_t class_count;
  ssne_small_images *images;
  void *context;
} ssne_contact;

/* Whether path and sizes can be had: SSNE_USAGE if not. */
ssne_code ssne_contact_check(const ssne_contact *contact, ssne_error *err);

/* Draws the map with the images themselves, on a grid: each axis is stretched to the grid, and each
 * point has the cell that makes the sum of squared distances from points to cells the least. The
 * same input gives the same bytes. */
ssne_code ssne_contact_draw(const ssne_contact *contact, ssne_error *err);

#endif
