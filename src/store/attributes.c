#include "shardsne/memory.h"
#include "store_private.h"

#include <string.h>

/* Attributes are a little wider than their text, so that most changes ("no" to "yes") are made in
 * place and a kill finds either the old or the new one. */
#define WIDTH_STEP 64

static hid_t attribute_type(size_t width) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  if (type < 0) return type;
  if (H5Tset_size(type, width) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0) {
    H5Tclose(type);
    return SSNE_NO_ID;
  }
  return type;
}

/* The attribute, opened if there is one of this type, else made anew. */
static hid_t open_attribute(hid_t object, const char *name, hid_t type) {
  const htri_t exists = H5Aexists(object, name);
  if (exists < 0) return SSNE_NO_ID;
  if (exists) {
    const hid_t old = H5Aopen(object, name, H5P_DEFAULT);
    const hid_t old_type = old < 0 ? SSNE_NO_ID : H5Aget_type(old);
    const htri_t same = old_type < 0 ? -1 : H5Tequal(old_type, type);
    if (old_type >= 0) H5Tclose(old_type);
    if (same > 0) return old;
    if (old >= 0) H5Aclose(old);
    if (same < 0 || H5Adelete(object, name) < 0) return SSNE_NO_ID;
  }
  const hid_t space = H5Screate(H5S_SCALAR);
  if (space < 0) return SSNE_NO_ID;
  const hid_t made = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Sclose(space);
  return made;
}

herr_t ssne_attribute_write(hid_t object, const char *name, const char *value) {
  const size_t size = strlen(value) + 1;
  herr_t result = -1;
  const hid_t in_file = attribute_type((size + WIDTH_STEP - 1) / WIDTH_STEP * WIDTH_STEP);
  const hid_t in_memory = attribute_type(size);
  const hid_t attribute = in_file < 0 ? SSNE_NO_ID : open_attribute(object, name, in_file);
  if (attribute >= 0 && in_memory >= 0) result = H5Awrite(attribute, in_memory, value);
  const hid_t why = H5Eget_current_stack(); /* each call that follows would clear it */
  if (attribute >= 0) H5Aclose(attribute);
  if (in_memory >= 0) H5Tclose(in_memory);
  if (in_file >= 0) H5Tclose(in_file);
  (void)H5Eset_current_stack(why);
  return result;
}

/* A text of variable length, as others (h5py) write them. */
static herr_t read_variable(hid_t attribute, hid_t type, char **value, ssne_error *err) {
  char *text = NULL;
  herr_t result = H5Aread(attribute, type, &text);
  if (result >= 0 && ssne_copy_text(value, text ? text : "", err) != SSNE_OK) result = -1;
  if (text) H5free_memory(text);
  return result;
}

static herr_t read_fixed(hid_t attribute, hid_t type, char **value, ssne_error *err) {
  const size_t size = H5Tget_size(type);
  if (size == 0 || ssne_alloc(value, (int64_t)size + 1, 1, "characters", err) != SSNE_OK) return -1;
  return H5Aread(attribute, type, *value);
}

/* Many texts would not have room where one is read to. */
static bool is_single(hid_t attribute) {
  const hid_t space = H5Aget_space(attribute);
  const bool single = space >= 0 && H5Sget_simple_extent_npoints(space) == 1;
  if (space >= 0) H5Sclose(space);
  return single;
}

ssne_code ssne_attribute_read(hid_t object, const char *path, const char *name, char **value,
                              ssne_error *err) {
  *value = NULL;
  hid_t attribute = SSNE_NO_ID, type = SSNE_NO_ID;
  herr_t result = 0;
  err->code = SSNE_OK;
  const htri_t exists = H5Aexists(object, name);
  if (exists == 0) return SSNE_OK;
  attribute = exists < 0 ? SSNE_NO_ID : H5Aopen(object, name, H5P_DEFAULT);
  type = attribute < 0 ? SSNE_NO_ID : H5Aget_type(attribute);
  if (type < 0)
    result = -1;
  else if (H5Tget_class(type) == H5T_STRING && is_single(attribute))
    result = H5Tis_variable_str(type) > 0 ? read_variable(attribute, type, value, err)
                                          : read_fixed(attribute, type, value, err);
  ssne_code code = SSNE_OK;
  if (result < 0) {
    ssne_free(value);
    code = err->code != SSNE_OK ? ssne_fail_in(err, "%s: attribute %s", path, name)
                                : ssne_hdf5_fail(path, err, "reading the attribute %s", name);
  }
  if (type >= 0) H5Tclose(type);
  if (attribute >= 0) H5Aclose(attribute);
  return code;
}

ssne_code ssne_store_get_text(ssne_store *store, const char *name, char **value, ssne_error *err) {
  const char *at = NULL, *its_name = NULL, *its_value = NULL;
  *value = NULL;
  while (ssne_store_next_text(store, &at, &its_name, &its_value))
    if (strcmp(its_name, name) == 0) return ssne_copy_text(value, its_value, err);
  return SSNE_OK;
}
