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

/* Whether there is a link of this name, and in *own whether it is to an object of the file itself:
 * one to another file would have this program open, and write, what the user did not name. */
static htri_t find_link(hid_t file, const char *name, bool *own) {
  H5L_info_t about;
  const htri_t exists = H5Lexists(file, name, H5P_DEFAULT);
  if (exists <= 0) return exists;
  if (H5Lget_info(file, name, &about, H5P_DEFAULT) < 0) return -1;
  *own = *own && about.type == H5L_TYPE_HARD;
  return exists;
}

/* H5Lexists fails where a group on the way is missing, so ask for each of them first. */
static htri_t link_exists(hid_t file, const char *name, bool *own) {
  char group[SSNE_SUMS_NAME_LENGTH] = "";
  *own = true;
  for (const char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    memcpy(group, name, (size_t)(slash - name));
    const htri_t exists = find_link(file, group, own);
    if (exists <= 0 || !*own) return exists;
  }
  return find_link(file, name, own);
}

/* Opens a dataset that the file holds itself; SSNE_NO_ID where there is none. */
static ssne_code open_dataset(const char *path, hid_t file, const char *name, hid_t *id,
                              ssne_error *err) {
  bool own = true;
  const htri_t exists = link_exists(file, name, &own);
  *id = SSNE_NO_ID;
  if (exists == 0) return SSNE_OK;
  if (exists > 0 && !own)
    return ssne_fail(
        err, SSNE_USAGE,
        "%s: %s is a link, not a dataset of the file itself: it was written by another "
        "program",
        path, name);
  if (exists > 0) *id = H5Dopen2(file, name, H5P_DEFAULT);
  if (*id < 0) return ssne_hdf5_fail(path, err, "opening %s", name);
  return SSNE_OK;
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

/* Whether the dataset's data lie in the file, all of them: a few bytes can claim a dataset of any
 * size that nobody has written. */
static bool is_kept_here(hid_t dataset, const ssne_set_shape *shape) {
  H5D_space_status_t status = H5D_SPACE_STATUS_NOT_ALLOCATED;
  const hid_t list = H5Dget_create_plist(dataset);
  const bool here = list >= 0 && H5Pget_layout(list) == H5D_CONTIGUOUS &&
                    H5Pget_external_count(list) == 0 &&
                    H5Dget_space_status(dataset, &status) >= 0 &&
                    (status == H5D_SPACE_STATUS_ALLOCATED || shape->rows == 0);
  if (list >= 0) H5Pclose(list);
  return here;
}

/* Whether the rows can be counted and moved. */
static bool is_sound(const ssne_schema *schema, const ssne_set_shape *shape) {
  int64_t bytes = 0;
  if (shape->rows < 0 || shape->columns < 1 || shape->width < 1) return false;
  if (schema->columns && shape->columns != schema->columns) return false;
  return !__builtin_mul_overflow(shape->columns, shape->width, &bytes) &&
         bytes <= SSNE_STORE_PIECE && !__builtin_mul_overflow(bytes, shape->rows, &bytes);
}

static ssne_code check_dataset(hid_t id, const char *path, const ssne_schema *schema,
                               ssne_set_shape *shape, ssne_error *err) {
  if (!read_shape(id, schema, shape) || !type_matches(id, schema, &shape->width) ||
      !is_sound(schema, shape))
    return ssne_fail(err, SSNE_USAGE,
                     "%s: %s has not the type or the dimensions that a run file has there: it was "
                     "written by another program",
                     path, schema->name);
  if (!is_kept_here(id, shape))
    return ssne_fail(err, SSNE_USAGE,
                     "%s: %s is not in one piece and whole in the file itself, as a run file keeps "
                     "it: it was written by another program",
                     path, schema->name);
  return SSNE_OK;
}

/* The checksums of a dataset, where the file has them. */
static ssne_code open_sums(const char *path, hid_t file, const ssne_schema *schema,
                           ssne_store_set *s, ssne_error *err) {
  char name[SSNE_SUMS_NAME_LENGTH];
  ssne_set_shape shape = {0};
  const ssne_schema sums = {.dimensions = 1, .element = SSNE_ELEMENT_UINT32};
  if (!schema->summed) return SSNE_OK;
  ssne_schema_sums_name(schema, name);
  SSNE_TRY(open_dataset(path, file, name, &s->sums, err));
  if (s->sums < 0) return SSNE_OK;
  if (!read_shape(s->sums, &sums, &shape) || !type_matches(s->sums, &sums, &shape.width) ||
      shape.rows != s->shape.rows || !is_kept_here(s->sums, &shape))
    return ssne_fail(err, SSNE_USAGE,
                     "%s: %s does not belong to %s: it was written by another program", path, name,
                     schema->name);
  return SSNE_OK;
}

ssne_code ssne_store_open_set(const char *path, hid_t file, ssne_set set, ssne_store_set *out,
                              ssne_error *err) {
  const ssne_schema *schema = ssne_schema_of(set);
  SSNE_TRY(open_dataset(path, file, schema->name, &out->id, err));
  if (out->id < 0) return SSNE_OK;
  SSNE_TRY(check_dataset(out->id, path, schema, &out->shape, err));
  out->type = ssne_schema_type(schema, out->shape.width, false);
  if (out->type < 0) return ssne_hdf5_fail(path, err, "making a type for %s", schema->name);
  return open_sums(path, file, schema, out, err);
}

ssne_code ssne_store_shape(ssne_store *store, ssne_set set, ssne_set_shape *shape,
                           ssne_error *err) {
  (void)err;
  *shape = store->sets[set].shape;
  return SSNE_OK;
}
