/* Resizing, and the part of the result that a crop keeps; private to this folder. */
#ifndef SSNE_DATASET_RESIZE_H
#define SSNE_DATASET_RESIZE_H

#include "shardsne/dataset.h"

/* Along one direction: the `size` pixels of a resized image, of which `count` from `first` are
 * wanted. */
typedef struct ssne_window {
  int64_t size, first, count;
} ssne_window;

/* Resizes `image` as Pillow's Image.resize does with its filter BILINEAR or, where asked for,
 * BICUBIC, to the last bit, and puts the wanted part into work->resized. */
ssne_code ssne_resize(const ssne_image *image, ssne_window columns, ssne_window rows, bool bicubic,
                      ssne_transform_work *work, ssne_error *err);

#endif
