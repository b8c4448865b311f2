#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "store_private.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#define FILL_BYTES ((int64_t)1 << 22)

static int64_t row_bytes(const ssne_set_shape *shape) {
  return shape->columns * shape->width;
}

void ssne_store_close_set(ssne_store_set *set) {
  if (set->id >= 0) H5Dclose(set->id);
  if (set->type >= 0) H5Tclose(set->type);
  set->id = set->type = SSNE_NO_ID;
  memset(&set->shape, 0, sizeof set->shape);
}

/* --- opening ----------------------------------------------------------------------------- */

/* H5Lexists fails where the group before the last slash is missing, so ask for that first. */
static htri_t link_exists(hid_t file, const char *name) {
  char group[64] = "";
  const char *slash = strchr(name + 1, '/');
  if (slash) {
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

static ssne_code open_set(ssne_store *store, ssne_set set, ssne_error *err) {
  const ssne_schema *schema = ssne_schema_of(set);
  ssne_store_set *s = &store->sets[set];
  const htri_t exists = link_exists(store->file, schema->name);
  if (exists == 0) return SSNE_OK;
  s->id = exists < 0 ? SSNE_NO_ID : H5Dopen2(store->file, schema->name, H5P_DEFAULT);
  if (s->id < 0) return ssne_hdf5_fail(store->open_path, err, "opening %s", schema->name);
  if (!read_shape(s->id, schema, &s->shape) || !type_matches(s->id, schema, &s->shape.width))
    return ssne_fail(err, SSNE_USAGE,
                     "%s: %s has not the type or the dimensions that a run file has there: it was "
                     "written by another program",
                     store->open_path, schema->name);
  s->type = ssne_schema_type(schema, s->shape.width, false);
  if (s->type < 0)
    return ssne_hdf5_fail(store->open_path, err, "making a type for %s", schema->name);
  return SSNE_OK;
}

ssne_code ssne_store_open_sets(ssne_store *store, ssne_error *err) {
  ssne_code code = SSNE_OK;
  for (int i = 0; i < SSNE_SET_COUNT && code == SSNE_OK; i++)
    code = open_set(store, (ssne_set)i, err);
  return ssne_agree(store->comm, code, err);
}

ssne_code ssne_store_shape(ssne_store *store, ssne_set set, ssne_set_shape *shape,
                           ssne_error *err) {
  (void)err;
  *shape = store->sets[set].shape;
  return SSNE_OK;
}

/* --- removing ---------------------------------------------------------------------------- */

static ssne_code unlink_set(ssne_store *store, ssne_set set, ssne_error *err) {
  const char *name = ssne_schema_of(set)->name;
  ssne_store_close_set(&store->sets[set]);
  if (H5Ldelete(store->file, name, H5P_DEFAULT) < 0)
    return ssne_hdf5_fail(store->open_path, err, "removing %s", name);
  return SSNE_OK;
}

/* Collective. Flushed before anything reuses the space: after a kill no dataset shows what is
 * another's. */
static ssne_code remove_set(ssne_store *store, ssne_set set, ssne_error *err) {
  if (store->sets[set].id < 0) return SSNE_OK;
  SSNE_TRY_ALL(store->comm, unlink_set(store, set, err), err);
  return ssne_store_flush(store, err);
}

static ssne_code may_remove(ssne_store *store, ssne_set set, ssne_error *err) {
  SSNE_TRY(ssne_store_must_write(store, err));
  if (store->rank > 0) return SSNE_OK;
  return ssne_hdf5_room(store->open_path, 0, 0, ssne_schema_of(set)->name, err);
}

ssne_code ssne_store_remove(ssne_store *store, ssne_set set, ssne_error *err) {
  SSNE_TRY_ALL(store->comm, may_remove(store, set, err), err);
  return remove_set(store, set, err);
}

/* --- defining ---------------------------------------------------------------------------- */

static ssne_code check_shape(const ssne_store *store, const ssne_schema *schema,
                             const ssne_set_shape *shape, ssne_error *err) {
  int64_t bytes = 0;
  SSNE_TRY(ssne_store_must_write(store, err));
  if (shape->rows < 0 || shape->columns < 1 || shape->width < 1 ||
      (schema->dimensions == 1 && shape->columns != 1))
    return ssne_fail(err, SSNE_FAILED,
                     "%s: %s cannot have %" PRId64 " rows of %" PRId64 " elements of %" PRId64
                     " bytes",
                     store->open_path, schema->name, shape->rows, shape->columns, shape->width);
  if (__builtin_mul_overflow(shape->columns, shape->width, &bytes) || bytes > SSNE_STORE_PIECE ||
      __builtin_mul_overflow(bytes, shape->rows, &bytes))
    return ssne_fail(err, SSNE_FAILED,
                     "%s: %s of %" PRId64 " rows of %" PRId64
                     " elements is more than a file can hold",
                     store->open_path, schema->name, shape->rows, shape->columns);
  return SSNE_OK;
}

static ssne_code may_define(const ssne_store *store, ssne_set set, const ssne_set_shape *shape,
                            ssne_error *err) {
  const ssne_schema *schema = ssne_schema_of(set);
  const ssne_set_shape *old = &store->sets[set].shape;
  SSNE_TRY(check_shape(store, schema, shape, err));
  if (store->rank > 0) return SSNE_OK;
  const int64_t bytes = shape->rows * row_bytes(shape);
  const bool reused = bytes <= old->rows * row_bytes(old); /* it fits where the old one is */
  return ssne_hdf5_room(store->open_path, 0, reused ? 0 : bytes, schema->name, err);
}

/* Contiguous, allocated at once, and not filled by HDF5, which would do that on one rank. */
static hid_t creation_list(const ssne_schema *schema) {
  const float nan_value = NAN;
  const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
  if (list < 0) return list;
  if (H5Pset_layout(list, H5D_CONTIGUOUS) < 0 ||
      H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY) < 0 ||
      H5Pset_fill_time(list, H5D_FILL_TIME_NEVER) < 0 ||
      (schema->nan && H5Pset_fill_value(list, H5T_NATIVE_FLOAT, &nan_value) < 0)) {
    H5Pclose(list);
    return SSNE_NO_ID;
  }
  return list;
}

static hid_t create_dataset(hid_t file, const ssne_schema *schema, const ssne_set_shape *shape) {
  const hsize_t size[2] = {(hsize_t)shape->rows, (hsize_t)shape->columns};
  hid_t id = SSNE_NO_ID;
  const hid_t type = ssne_schema_type(schema, shape->width, true);
  const hid_t space = H5Screate_simple(schema->dimensions, size, NULL);
  const hid_t list = creation_list(schema);
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  if (type >= 0 && space >= 0 && list >= 0 && links >= 0 &&
      H5Pset_create_intermediate_group(links, 1) >= 0)
    id = H5Dcreate2(file, schema->name, type, space, links, list, H5P_DEFAULT);
  const hid_t why = H5Eget_current_stack(); /* each call that follows would clear it */
  if (links >= 0) H5Pclose(links);
  if (list >= 0) H5Pclose(list);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  (void)H5Eset_current_stack(why);
  return id;
}

static ssne_code create_set(ssne_store *store, ssne_set set, const ssne_set_shape *shape,
                            ssne_error *err) {
  const ssne_schema *schema = ssne_schema_of(set);
  ssne_store_set *s = &store->sets[set];
  s->id = create_dataset(store->file, schema, shape);
  s->type = s->id < 0 ? SSNE_NO_ID : ssne_schema_type(schema, shape->width, false);
  if (s->type < 0 || ssne_attribute_write(s->id, "description", schema->description) < 0 ||
      (schema->units && ssne_attribute_write(s->id, "units", schema->units) < 0))
    return ssne_hdf5_fail(store->open_path, err, "creating %s", schema->name);
  s->shape = *shape;
  return SSNE_OK;
}

/* Where this rank begins when all share `rows` evenly. */
static int64_t share(int64_t rows, int rank, int ranks) {
  return rows / ranks * rank + (rows % ranks < rank ? rows % ranks : rank);
}

/* Not collective: gives this rank's share of the rows the value that rows not written have. */
static ssne_code fill(ssne_store *store, ssne_set set, ssne_error *err) {
  const ssne_set_shape *shape = &store->sets[set].shape;
  const int64_t end = share(shape->rows, store->rank + 1, store->ranks);
  const int64_t at_once = FILL_BYTES / row_bytes(shape) + 1;
  int64_t row = share(shape->rows, store->rank, store->ranks);
  char *rows = NULL;
  SSNE_TRY(ssne_alloc(&rows, at_once, (size_t)row_bytes(shape), "rows", err));
  if (ssne_schema_of(set)->nan) {
    float *value = (void *)rows;
    for (int64_t i = 0; i < at_once * shape->columns; i++) value[i] = NAN;
  }
  ssne_code code = SSNE_OK;
  for (; row < end && code == SSNE_OK; row += at_once)
    code = ssne_store_write(store, set, row, end - row < at_once ? end - row : at_once, rows, err);
  ssne_free(&rows);
  return code;
}

/* Collective: the bytes that the file has on disk. */
static ssne_code file_size(const ssne_store *store, int64_t *size, ssne_error *err) {
  struct stat facts = {.st_size = 0};
  ssne_code code = SSNE_OK;
  if (store->rank == 0 && stat(store->open_path, &facts) != 0)
    code = ssne_fail(err, SSNE_FAILED, "%s: asking for its size failed: %s", store->open_path,
                     strerror(errno));
  SSNE_TRY_ALL(store->comm, code, err);
  *size = (int64_t)facts.st_size;
  return ssne_broadcast(size, sizeof *size, 0, store->comm, err);
}

/* Collective. Space behind the old end of the file reads as zeros without being written. */
static ssne_code create_and_fill(ssne_store *store, ssne_set set, const ssne_set_shape *shape,
                                 ssne_error *err) {
  int64_t end = 0;
  SSNE_TRY(file_size(store, &end, err));
  SSNE_TRY_ALL(store->comm, create_set(store, set, shape, err), err);
  const haddr_t place = H5Dget_offset(store->sets[set].id);
  if (shape->rows == 0 || (place >= (haddr_t)end && !ssne_schema_of(set)->nan)) return SSNE_OK;
  return ssne_agree(store->comm, fill(store, set, err), err);
}

ssne_code ssne_store_define(ssne_store *store, ssne_set set, int64_t rows, int64_t columns,
                            int64_t width, ssne_error *err) {
  const ssne_schema *schema = ssne_schema_of(set);
  ssne_set_shape shape = {.exists = true, .rows = rows, .columns = columns, .width = width};
  ssne_error later;
  if (schema->element != SSNE_ELEMENT_TEXT) {
    const hid_t type = ssne_schema_type(schema, 0, true);
    shape.width = type < 0 ? 0 : (int64_t)H5Tget_size(type);
    if (type >= 0) H5Tclose(type);
  }
  SSNE_TRY_ALL(store->comm, may_define(store, set, &shape, err), err);
  SSNE_TRY(remove_set(store, set, err));
  const ssne_code code = create_and_fill(store, set, &shape, err);
  if (code == SSNE_OK) return ssne_store_flush(store, err);
  (void)remove_set(store, set, &later);
  return code;
}
