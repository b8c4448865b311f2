#include "store_private.h"

#include <string.h>

void ssne_store_close_set(ssne_store_set *set) {
  if (set->id >= 0) H5Dclose(set->id);
  if (set->sums >= 0) H5Dclose(set->sums);
  if (set->type >= 0) H5Tclose(set->type);
  set->id = set->sums = set->type = SSNE_NO_ID;
  memset(&set->shape, 0, sizeof set->shape);
}

/* --- opening ----------------------------------------------------------------------------- */

/* H5Lexists fails where a group on the way is missing, so ask for each of them first. */
static htri_t link_exists(hid_t file, const char *name) {
  char group[SSNE_SUMS_NAME_LENGTH] = "";
  for (const char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    memcpy(group, name, (size_t)(slash - name));
    const htri_t exists = H5Lexists(file, group, H5P_DEFAULT);
    if (exists <= 0) return exists;
  }
  return H5Lexists(file, name, H5P_DEFAULT);
}

/* Whether the element type in the file is the schema's. */
static bool type_matches(hid_t dataset, const ssne_schema *schema, int64_t *width) {
  bool same = false;
  const hid_t found = H5Dget_type(dataset);
  if (found < 0) return false;
  *width = (int64_t)H5Tget_size(found);
  const hid_t wanted = ssne_schema_type(schema, *width, true);
  if (schema->element == SSNE_ELEMENT_TEXT)
    same = H5Tget_class(found) == H5T_STRING && H5Tis_variable_str(found) == 0;
  else
    same = wanted >= 0 && H5Tequal(found, wanted) > 0;
  if (wanted >= 0) H5Tclose(wanted);
  H5Tclose(found);
  return same;
}

static bool read_shape(hid_t dataset, const ssne_schema *schema, ssne_set_shape *shape) {
  hsize_t size[2] = {0, 1};
  const hid_t space = H5Dget_space(dataset);
  if (space < 0) return false;
  const bool known = H5Sget_simple_extent_ndims(space) == schema->dimensions &&
                     H5Sget_simple_extent_dims(space, size, NULL) == schema->dimensions;
  H5Sclose(space);
  shape->exists = known;
  shape->rows = (int64_t)size[0];
  shape->columns = (int64_t)size[1];
  return known;
}

/* The checksums of a dataset, where the file has them. */
static ssne_code open_sums(const char *path, hid_t file, const ssne_schema *schema,
                           ssne_store_set *s, ssne_error *err) {
  char name[SSNE_SUMS_NAME_LENGTH];
  ssne_set_shape shape = {0};
  const ssne_schema sums = {.dimensions = 1, .element = SSNE_ELEMENT_UINT32};
  if (!schema->summed) return SSNE_OK;
  ssne_schema_sums_name(schema, name);
  const htri_t exists = link_exists(file, name);
  if (exists == 0) return SSNE_OK;
  s->sums = exists < 0 ? SSNE_NO_ID : H5Dopen2(file, name, H5P_DEFAULT);
  if (s->sums < 0) return ssne_hdf5_fail(path, err, "opening %s", name);
  if (!read_shape(s->sums, &sums, &shape) || !type_matches(s->sums, &sums, &shape.width) ||
      shape.rows != s->shape.rows)
    return ssne_fail(err, SSNE_USAGE,
                     "%s: %s does not belong to %s: it was written by another program", path, name,
                     schema->name);
  return SSNE_OK;
}

ssne_code ssne_store_open_set(const char *path, hid_t file, ssne_set set, ssne_store_set *out,
                              ssne_error *err) {
  const ssne_schema *schema = ssne_schema_of(set);
  ssne_store_set *s = out;
  const htri_t exists = link_exists(file, schema->name);
  if (exists == 0) return SSNE_OK;
  s->id = exists < 0 ? SSNE_NO_ID : H5Dopen2(file, schema->name, H5P_DEFAULT);
  if (s->id < 0) return ssne_hdf5_fail(path, err, "opening %s", schema->name);
  if (!read_shape(s->id, schema, &s->shape) || !type_matches(s->id, schema, &s->shape.width))
    return ssne_fail(err, SSNE_USAGE,
                     "%s: %s has not the type or the dimensions that a run file has there: it was "
                     "written by another program",
                     path, schema->name);
  s->type = ssne_schema_type(schema, s->shape.width, false);
  if (s->type < 0) return ssne_hdf5_fail(path, err, "making a type for %s", schema->name);
  return open_sums(path, file, schema, s, err);
}

ssne_code ssne_store_shape(ssne_store *store, ssne_set set, ssne_set_shape *shape,
                           ssne_error *err) {
  (void)err;
  *shape = store->sets[set].shape;
  return SSNE_OK;
}
