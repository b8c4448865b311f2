/* Run files that HDF5 finds in order and that are not what a run file is: the bytes choose the
 * types, the shapes and the contents of its attributes and datasets. */
#include "show.h"

#include <hdf5.h>

#define TEXTS 256

/* --- types and spaces -------------------------------------------------------------------- */

static hid_t text_type(size_t width) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  FUZZ_REQUIRE(H5Tset_size(type, width) >= 0);
  return type;
}

static hid_t history_type(fuzz_bytes *b) {
  static const char *const names[] = {"iteration", "kl", "gradient_norm", "exaggeration",
                                      "seconds"};
  const hid_t type = H5Tcreate(H5T_COMPOUND, 40);
  const int members = fuzz_byte(b) % 6;
  for (int i = 0; i < members; i++)
    FUZZ_REQUIRE(H5Tinsert(type, names[i], (size_t)i * 8,
                           i == 0 || fuzz_byte(b) % 8 == 1 ? H5T_STD_I64LE : H5T_IEEE_F64LE) >= 0);
  if (members == 0) FUZZ_REQUIRE(H5Tinsert(type, "x", 0, H5T_STD_I64LE) >= 0);
  return type;
}

static hid_t make_type(fuzz_bytes *b) {
  const hsize_t three = 3;
  switch (fuzz_byte(b) % 12) {
  case 0:
    return H5Tcopy(H5T_IEEE_F32LE);
  case 1:
    return H5Tcopy(H5T_STD_I32LE);
  case 2:
    return H5Tcopy(H5T_STD_U32LE);
  case 3:
    return H5Tcopy(H5T_STD_U8LE);
  case 4:
    return text_type((size_t)fuzz_byte(b) + 1);
  case 5:
    return text_type(H5T_VARIABLE);
  case 6:
    return history_type(b);
  case 7:
    return H5Tcopy(H5T_IEEE_F64BE);
  case 8:
    return H5Tarray_create2(H5T_STD_I32LE, 1, &three);
  case 9:
    return H5Tcreate(H5T_OPAQUE, (size_t)fuzz_byte(b) + 1);
  case 10:
    return H5Tcopy(H5T_STD_REF_OBJ);
  default:
    return text_type(fuzz_number(b, 3) + 1);
  }
}

/* A number, now and then of a size that nothing has. */
static hsize_t make_size(fuzz_bytes *b) {
  const uint8_t kind = fuzz_byte(b);
  const hsize_t number = fuzz_number(b, 1);
  if (kind < 224) return number % 8;
  if (kind < 240) return number << 8;
  return number << (kind % 64);
}

static hid_t make_space(fuzz_bytes *b) {
  hsize_t size[4];
  const int dimensions = fuzz_byte(b) % 6;
  if (dimensions == 0) return H5Screate(H5S_SCALAR);
  if (dimensions == 5) return H5Screate(H5S_NULL);
  for (int i = 0; i < dimensions; i++) size[i] = make_size(b);
  return H5Screate_simple(dimensions, size, NULL);
}

/* --- contents ---------------------------------------------------------------------------- */

static void fill_attribute(hid_t attribute, hid_t type, hid_t space, fuzz_bytes *b) {
  char *texts[TEXTS], *data = NULL;
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  const size_t width = H5Tget_size(type);
  if (count <= 0 || count > TEXTS || width > 65536) return;
  if (H5Tis_variable_str(type) > 0) {
    for (int i = 0; i < (int)count; i++) texts[i] = fuzz_text(b);
    (void)H5Awrite(attribute, type, texts);
    for (int i = 0; i < (int)count; i++) free(texts[i]);
    return;
  }
  data = calloc((size_t)count, width);
  FUZZ_REQUIRE(data);
  for (size_t i = 0; i < (size_t)count * width && b->left; i++) data[i] = (char)fuzz_byte(b);
  (void)H5Awrite(attribute, type, data);
  free(data);
}

static void add_attribute(hid_t file, const char *name, fuzz_bytes *b) {
  const hid_t type = make_type(b), space = make_space(b);
  if (H5Aexists(file, name) > 0) H5Adelete(file, name);
  const hid_t attribute =
      type < 0 || space < 0 ? -1 : H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  if (attribute >= 0) fill_attribute(attribute, type, space, b);
  if (attribute >= 0) H5Aclose(attribute);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
}

static void sign(hid_t file) {
  const int version = 1;
  const hid_t space = H5Screate(H5S_SCALAR), type = text_type(64);
  char format[64] = "shardsne run file";
  hid_t a = H5Acreate2(file, "format", type, space, H5P_DEFAULT, H5P_DEFAULT);
  FUZZ_REQUIRE(H5Awrite(a, type, format) >= 0);
  H5Aclose(a);
  a = H5Acreate2(file, "format_version", H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT);
  FUZZ_REQUIRE(H5Awrite(a, H5T_NATIVE_INT, &version) >= 0);
  H5Aclose(a);
  H5Sclose(space);
  H5Tclose(type);
}

static void add_dataset(hid_t file, const char *name, fuzz_bytes *b) {
  const hid_t type = make_type(b), space = make_space(b);
  const hid_t links = H5Pcreate(H5P_LINK_CREATE), list = H5Pcreate(H5P_DATASET_CREATE);
  const uint8_t how = fuzz_byte(b);
  FUZZ_REQUIRE(H5Pset_create_intermediate_group(links, 1) >= 0);
  if (how % 4 == 1) H5Pset_layout(list, H5D_COMPACT);
  /* without space for it, or it would be made here */
  H5Pset_alloc_time(list, how % 4 == 2 ? H5D_ALLOC_TIME_EARLY : H5D_ALLOC_TIME_LATE);
  const hssize_t count = space < 0 ? 0 : H5Sget_simple_extent_npoints(space);
  const bool small = count >= 0 && count < 1000 && H5Tget_size(type) < 1000;
  if (how % 4 != 2 || small) {
    const hid_t set = H5Dcreate2(file, name, type, space, links, list, H5P_DEFAULT);
    if (set >= 0) H5Dclose(set);
  }
  H5Pclose(list);
  H5Pclose(links);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
}

static void add_link(hid_t file, const char *name, fuzz_bytes *b) {
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  FUZZ_REQUIRE(H5Pset_create_intermediate_group(links, 1) >= 0);
  switch (fuzz_byte(b) % 3) {
  case 0:
    (void)H5Lcreate_soft(name, file, name, links, H5P_DEFAULT); /* to itself */
    break;
  case 1:
    (void)H5Lcreate_external("/nowhere", "/", file, name, links, H5P_DEFAULT);
    break;
  default: {
    const hid_t group = H5Gcreate2(file, name, links, H5P_DEFAULT, H5P_DEFAULT);
    if (group >= 0) H5Gclose(group);
  }
  }
  H5Pclose(links);
}

/* --- the file ---------------------------------------------------------------------------- */

static void add_parts(hid_t file, fuzz_bytes *b) {
  static const char *const sets[] = {"/features",
                                     "/labels",
                                     "/classes",
                                     "/samples/name",
                                     "/samples/status",
                                     "/samples/reason",
                                     "/samples/block_done",
                                     "/neighbours/index",
                                     "/neighbours/distance",
                                     "/embedding/coordinates",
                                     "/embedding/normalized",
                                     "/history",
                                     "/samples",
                                     "/embedding"};
  static const char *const texts[] = {"format", "format_version", "program", "extract_options",
                                      "neighbours_made"};
  for (int parts = 0; parts < 6 && b->left; parts++) {
    const uint8_t kind = fuzz_byte(b), which = fuzz_byte(b);
    if (kind % 4 == 0)
      add_attribute(file, texts[which % 5], b);
    else if (kind % 16 == 1)
      add_link(file, sets[which % 14], b);
    else
      add_dataset(file, sets[which % 12], b);
  }
}

/* Built in memory. */
static void *make_file(fuzz_bytes *b, size_t *size) {
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  FUZZ_REQUIRE(H5Pset_fapl_core(access, 65536, false) >= 0);
  const hid_t file = H5Fcreate("schema", H5F_ACC_TRUNC, H5P_DEFAULT, access);
  FUZZ_REQUIRE(file >= 0);
  sign(file);
  add_parts(file, b);
  const ssize_t length =
      H5Fflush(file, H5F_SCOPE_GLOBAL) < 0 ? -1 : H5Fget_file_image(file, NULL, 0);
  void *image = length < 0 ? NULL : malloc((size_t)length);
  FUZZ_REQUIRE(image && H5Fget_file_image(file, image, (size_t)length) == length);
  H5Fclose(file);
  H5Pclose(access);
  *size = (size_t)length;
  return image;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  fuzz_bytes b = {bytes, size};
  size_t length = 0;
  void *image = make_file(&b, &length);
  show_file(fuzz_file(image, length));
  free(image);
  return 0;
}
