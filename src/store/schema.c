#include "store_private.h"

#include <stdio.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "rows pass between memory and file as they are, and the file is little endian");
_Static_assert(sizeof(ssne_history_entry) == 48 && sizeof(ssne_checkpoint_slot) == 24,
               "rows pass between memory and file as they are, and the file has no gaps");

#define FURTHER_FEATURES(name, which)                                                              \
  {                                                                                                \
    name, "The output of the " which " layer that --layer names; zeros for bad rows", NULL,        \
        SSNE_ELEMENT_FLOAT32, 2, .summed = true                                                    \
  }

static const ssne_schema schema[SSNE_SET_COUNT] = {
    [SSNE_SET_FEATURES] = {"/features", "The network's output for each sample; zeros for bad rows",
                           NULL, SSNE_ELEMENT_FLOAT32, 2, .summed = true},
    [SSNE_SET_FEATURES_2] = FURTHER_FEATURES("/features_2", "second"),
    [SSNE_SET_FEATURES_3] = FURTHER_FEATURES("/features_3", "third"),
    [SSNE_SET_FEATURES_4] = FURTHER_FEATURES("/features_4", "fourth"),
    [SSNE_SET_FEATURES_5] = FURTHER_FEATURES("/features_5", "fifth"),
    [SSNE_SET_FEATURES_6] = FURTHER_FEATURES("/features_6", "sixth"),
    [SSNE_SET_FEATURES_7] = FURTHER_FEATURES("/features_7", "seventh"),
    [SSNE_SET_FEATURES_8] = FURTHER_FEATURES("/features_8", "eighth"),
    [SSNE_SET_LABELS] = {"/labels", "The class of each sample, an index into /classes; -1: unknown",
                         NULL, SSNE_ELEMENT_INT32, 1, .summed = true},
    [SSNE_SET_CLASSES] = {"/classes", "The names of the classes", NULL, SSNE_ELEMENT_TEXT, 1,
                          .summed = true},
    [SSNE_SET_SAMPLE_NAMES] = {"/samples/name", "Where each sample came from", NULL,
                               SSNE_ELEMENT_TEXT, 1, .summed = true},
    [SSNE_SET_SAMPLE_STATUS] = {"/samples/status", "0: pending, 1: good, 2: bad (see reason)", NULL,
                                SSNE_ELEMENT_UINT8, 1, .summed = true},
    [SSNE_SET_SAMPLE_REASON] = {"/samples/reason", "Why a sample is bad; empty for the others",
                                NULL, SSNE_ELEMENT_TEXT, 1, .summed = true},
    [SSNE_SET_BLOCK_DONE] = {"/samples/block_done",
                             "1 for each block of rows that is written; a resumed run does the "
                             "others",
                             NULL, SSNE_ELEMENT_UINT8, 1, .summed = false},
    [SSNE_SET_NEIGHBOUR_INDEX] = {"/neighbours/index",
                                  "The rows nearest to each row, nearest first; zeros for bad rows",
                                  NULL, SSNE_ELEMENT_UINT32, 2, .summed = true},
    [SSNE_SET_NEIGHBOUR_DISTANCE] = {"/neighbours/distance",
                                     "The distances to them, not squared; zeros for bad rows",
                                     "units of the features", SSNE_ELEMENT_FLOAT32, 2,
                                     .summed = true},
    [SSNE_SET_COORDINATES] = {"/embedding/coordinates",
                              "The t-SNE map: x and y of each row; NaN for bad rows", NULL,
                              SSNE_ELEMENT_FLOAT32, 2, .nan = true, .summed = true, .columns = 2},
    [SSNE_SET_NORMALIZED] = {"/embedding/normalized",
                             "The same, each axis stretched to 0 ... 1; NaN for bad rows", NULL,
                             SSNE_ELEMENT_FLOAT32, 2, .nan = true, .summed = true, .columns = 2},
    [SSNE_SET_HISTORY] =
        {"/history",
         "The course of the optimisation: iteration (steps taken), KL divergence, norm "
         "of the gradient, exaggeration, seconds since its start, and span of the map",
         "seconds: s", SSNE_ELEMENT_HISTORY, 1, .summed = true},
    [SSNE_SET_CHECKPOINT_0] =
        {"/checkpoint/state_0",
         "A state of the descent: x, y, the last step, and the gain of each, of "
         "the rows in the order of the descent",
         NULL, SSNE_ELEMENT_FLOAT32, 2, .summed = true, .columns = 6},
    [SSNE_SET_CHECKPOINT_1] = {"/checkpoint/state_1", "Likewise; they are written in turn", NULL,
                               SSNE_ELEMENT_FLOAT32, 2, .summed = true, .columns = 6},
    [SSNE_SET_CHECKPOINT_SLOTS] = {"/checkpoint/slots",
                                   "What the two states are: steps taken (-1: none), entries of "
                                   "/history that belong to it, and seconds",
                                   "seconds: s", SSNE_ELEMENT_SLOT, 1, .summed = true},
    [SSNE_SET_SNAPSHOTS] =
        {"/snapshots/coordinates",
         "Maps on the way to the embedding, one after the other: x and y of each "
         "row; NaN for bad rows",
         NULL, SSNE_ELEMENT_FLOAT32, 2, .summed = true, .columns = 2},
    [SSNE_SET_SNAPSHOT_ITERATION] = {"/snapshots/iteration",
                                     "The iteration after which each of them was kept; 0 but for "
                                     "the first: it was not",
                                     NULL, SSNE_ELEMENT_INT32, 1, .summed = true},
};

const char *ssne_store_name(ssne_set set) {
  return schema[set].name;
}

const ssne_schema *ssne_schema_of(ssne_set set) {
  return &schema[set];
}

static hid_t text_type(int64_t width) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  if (type < 0) return type;
  if (H5Tset_size(type, (size_t)width) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0 ||
      H5Tset_strpad(type, H5T_STR_NULLPAD) < 0) {
    H5Tclose(type);
    return SSNE_NO_ID;
  }
  return type;
}

typedef struct member {
  const char *name;
  size_t offset;
  bool integer; /* else a real number */
} member;

static hid_t compound_type(size_t size, const member *members, int count) {
  const hid_t integer = H5T_STD_I64LE;
  const hid_t real = H5T_IEEE_F64LE;
  const hid_t type = H5Tcreate(H5T_COMPOUND, size);
  herr_t result = type < 0 ? -1 : 0;
  for (int i = 0; i < count && result >= 0; i++)
    result =
        H5Tinsert(type, members[i].name, members[i].offset, members[i].integer ? integer : real);
  if (result >= 0) return type;
  if (type >= 0) H5Tclose(type);
  return SSNE_NO_ID;
}

/* Entries of `width` bytes: before the span was kept they ended with the seconds. */
static hid_t history_type(int64_t width) {
  static const member members[] = {
      {"iteration", HOFFSET(ssne_history_entry, iteration), true},
      {"kl", HOFFSET(ssne_history_entry, kl), false},
      {"gradient_norm", HOFFSET(ssne_history_entry, gradient_norm), false},
      {"exaggeration", HOFFSET(ssne_history_entry, exaggeration), false},
      {"seconds", HOFFSET(ssne_history_entry, seconds), false},
      {"span", HOFFSET(ssne_history_entry, span), false}};
  const size_t before = HOFFSET(ssne_history_entry, span);
  if (width == (int64_t)before) return compound_type(before, members, 5);
  return compound_type(sizeof(ssne_history_entry), members, 6);
}

static hid_t slot_type(void) {
  static const member members[] = {{"steps", HOFFSET(ssne_checkpoint_slot, steps), true},
                                   {"history", HOFFSET(ssne_checkpoint_slot, history), true},
                                   {"seconds", HOFFSET(ssne_checkpoint_slot, seconds), false}};
  return compound_type(sizeof(ssne_checkpoint_slot), members, 3);
}

void ssne_schema_sums_name(const ssne_schema *of, char name[SSNE_SUMS_NAME_LENGTH]) {
  snprintf(name, SSNE_SUMS_NAME_LENGTH, "/checksums%s", of->name);
}

hid_t ssne_schema_type(const ssne_schema *of, int64_t width) {
  switch (of->element) {
  case SSNE_ELEMENT_FLOAT32:
    return H5Tcopy(H5T_IEEE_F32LE);
  case SSNE_ELEMENT_INT32:
    return H5Tcopy(H5T_STD_I32LE);
  case SSNE_ELEMENT_UINT32:
    return H5Tcopy(H5T_STD_U32LE);
  case SSNE_ELEMENT_UINT8:
    return H5Tcopy(H5T_STD_U8LE);
  case SSNE_ELEMENT_TEXT:
    return text_type(width);
  case SSNE_ELEMENT_HISTORY:
    return history_type(width);
  case SSNE_ELEMENT_SLOT:
    return slot_type();
  }
  return SSNE_NO_ID;
}
