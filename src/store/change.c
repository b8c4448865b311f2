/* Changes of a run file's structure: made by rank 0 alone while nobody has the file open, and taken
 * back as a whole where they fail. */
#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "shardsne/partition.h"
#include "store_private.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- before the change ------------------------------------------------------------------- */

static ssne_set_shape shape_of(const ssne_edit *e) {
  ssne_set_shape shape = {
      .exists = true, .rows = e->rows, .columns = e->columns, .width = e->width};
  if (ssne_schema_of(e->set)->element == SSNE_ELEMENT_TEXT) return shape;
  const hid_t type = ssne_schema_type(ssne_schema_of(e->set), e->width);
  shape.width = type < 0 ? 0 : (int64_t)H5Tget_size(type);
  if (type >= 0) H5Tclose(type);
  return shape;
}

static ssne_code check_definition(const ssne_store *store, const ssne_edit *e, ssne_error *err) {
  int64_t bytes = 0;
  const ssne_schema *schema = ssne_schema_of(e->set);
  const ssne_set_shape shape = shape_of(e);
  if (shape.rows < 0 || shape.columns < 1 || shape.width < 1 ||
      (schema->dimensions == 1 && shape.columns != 1))
    return ssne_fail(err, SSNE_FAILED,
                     "%s: %s cannot have %" PRId64 " rows of %" PRId64 " elements of %" PRId64
                     " bytes",
                     store->open_path, schema->name, shape.rows, shape.columns, shape.width);
  if (__builtin_mul_overflow(shape.columns, shape.width, &bytes) || bytes > SSNE_STORE_PIECE ||
      __builtin_mul_overflow(bytes + SSNE_SUM_BYTES, shape.rows, &bytes))
    return ssne_fail(err, SSNE_FAILED,
                     "%s: %s of %" PRId64 " rows of %" PRId64
                     " elements is more than a file can hold",
                     store->open_path, schema->name, shape.rows, shape.columns);
  return SSNE_OK;
}

static int64_t data_bytes(const ssne_schema *schema, const ssne_set_shape *shape) {
  return ssne_set_bytes(shape) + (schema->summed ? shape->rows * SSNE_SUM_BYTES : 0);
}

/* Rank 0 sees to it that there is room. Space of a dataset that is replaced counts as free. */
static ssne_code check_room(const ssne_store *store, const ssne_edit *edits, int count,
                            ssne_error *err) {
  int64_t data = 0, metadata = 0;
  const char *what = "a change";
  for (int i = 0; i < count; i++) {
    if (edits[i].kind == SSNE_EDIT_TEXT) metadata += (int64_t)strlen(edits[i].value);
    if (edits[i].kind != SSNE_EDIT_DEFINE) continue;
    const ssne_schema *schema = ssne_schema_of(edits[i].set);
    const ssne_set_shape shape = shape_of(&edits[i]);
    const int64_t more =
        data_bytes(schema, &shape) - data_bytes(schema, &store->structure.sets[edits[i].set].shape);
    if (more > 0) data += more;
    what = schema->name;
  }
  return ssne_hdf5_room(store->open_path, metadata, data, what, err);
}

static ssne_code may_change(const ssne_store *store, const ssne_edit *edits, int count,
                            ssne_error *err) {
  SSNE_TRY(ssne_store_must_write(store, err));
  for (int i = 0; i < count; i++)
    if (edits[i].kind == SSNE_EDIT_DEFINE) SSNE_TRY(check_definition(store, &edits[i], err));
  return SSNE_OK;
}

static uint64_t mix(uint64_t digest, const void *bytes, size_t size) {
  const uint64_t both[2] = {digest, ssne_digest64(bytes, size)};
  return ssne_digest64(both, sizeof both);
}

/* Ranks that asked for different things would each keep its own idea of the file. */
static ssne_code must_agree(const ssne_store *store, const ssne_edit *edits, int count,
                            ssne_error *err) {
  uint64_t own = (uint64_t)count;
  for (int i = 0; i < count; i++) {
    const ssne_edit *e = &edits[i];
    const int64_t numbers[] = {(int64_t)e->kind, (int64_t)e->set, e->rows, e->columns, e->width};
    own = mix(own, numbers, sizeof numbers);
    if (e->kind != SSNE_EDIT_TEXT) continue;
    own = mix(own, e->name, strlen(e->name));
    own = mix(own, e->value, strlen(e->value));
  }
  uint64_t first = own;
  SSNE_TRY(ssne_broadcast(&first, sizeof first, 0, store->comm, err));
  if (own != first)
    return ssne_fail(err, SSNE_FAILED, "%s: the ranks give different values of %s",
                     store->open_path,
                     edits[0].name ? edits[0].name : ssne_schema_of(edits[0].set)->name);
  return SSNE_OK;
}

/* --- where the rows lie ------------------------------------------------------------------ */

#define MOST_EXTENTS (2 * SSNE_SET_COUNT)

static void add_extent(int64_t place, int64_t bytes, ssne_extent *extents, int *count) {
  if (bytes > 0) extents[(*count)++] = (ssne_extent){place, place + bytes};
}

static void add_extents(const ssne_store_set *s, ssne_extent *extents, int *count) {
  add_extent(s->place, ssne_set_bytes(&s->shape), extents, count);
  add_extent(s->sums_place, s->summed ? s->shape.rows * SSNE_SUM_BYTES : 0, extents, count);
}

static int by_place(const void *a, const void *b) {
  const ssne_extent *x = a, *y = b;
  return (x->first > y->first) - (x->first < y->first);
}

/* --- the change, on rank 0 --------------------------------------------------------------- */

static bool is_replaced(const ssne_edit *edits, int count, ssne_set set) {
  for (int i = 0; i < count; i++)
    if (edits[i].kind != SSNE_EDIT_TEXT && edits[i].set == set) return true;
  return false;
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

static herr_t create_dataset(hid_t file, const ssne_schema *schema, const ssne_set_shape *shape) {
  const hsize_t size[2] = {(hsize_t)shape->rows, (hsize_t)shape->columns};
  herr_t result = -1;
  hid_t id = SSNE_NO_ID;
  const hid_t type = ssne_schema_type(schema, shape->width);
  const hid_t space = H5Screate_simple(schema->dimensions, size, NULL);
  const hid_t list = creation_list(schema);
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  if (type >= 0 && space >= 0 && list >= 0 && links >= 0 &&
      H5Pset_create_intermediate_group(links, 1) >= 0)
    id = H5Dcreate2(file, schema->name, type, space, links, list, H5P_DEFAULT);
  if (id >= 0) result = ssne_attribute_write(id, "description", schema->description);
  if (result >= 0 && schema->units) result = ssne_attribute_write(id, "units", schema->units);
  const hid_t why = H5Eget_current_stack(); /* each call that follows would clear it */
  if (id >= 0) H5Dclose(id);
  if (links >= 0) H5Pclose(links);
  if (list >= 0) H5Pclose(list);
  if (space >= 0) H5Sclose(space);
  if (type >= 0) H5Tclose(type);
  (void)H5Eset_current_stack(why);
  return result;
}

static herr_t create_set(hid_t file, const ssne_edit *e) {
  const ssne_schema *schema = ssne_schema_of(e->set);
  const ssne_set_shape shape = shape_of(e);
  char name[SSNE_SUMS_NAME_LENGTH];
  const ssne_schema sums = {.name = name,
                            .description = "The low half of the XXH3-64 of each row of the dataset "
                                           "of this name, 1 instead of 0; 0: not written",
                            .element = SSNE_ELEMENT_UINT32,
                            .dimensions = 1};
  const ssne_set_shape one = {.rows = shape.rows, .columns = 1, .width = sizeof(uint32_t)};
  ssne_schema_sums_name(schema, name);
  if (create_dataset(file, schema, &shape) < 0) return -1;
  return schema->summed ? create_dataset(file, &sums, &one) : 0;
}

/* What a change does to the datasets that are there; made while the file is open. */
typedef struct plan {
  ssne_extent rows[MOST_EXTENTS], gone[MOST_EXTENTS];
  int row_extents, gone_extents;
  int removals;
  ssne_set removed[SSNE_SET_COUNT];
  bool with_sums[SSNE_SET_COUNT]; /* of the removed */
} plan;

static plan make_plan(const ssne_store *store, const ssne_edit *edits, int count) {
  plan p = {.removals = 0};
  for (int i = 0; i < SSNE_SET_COUNT; i++) {
    const ssne_store_set *s = &store->structure.sets[i];
    add_extents(s, p.rows, &p.row_extents);
    if (!s->shape.exists || !is_replaced(edits, count, (ssne_set)i)) continue;
    add_extents(s, p.gone, &p.gone_extents);
    p.removed[p.removals] = (ssne_set)i;
    p.with_sums[p.removals++] = s->summed;
  }
  qsort(p.rows, (size_t)p.row_extents, sizeof *p.rows, by_place);
  return p;
}

/* Gives the file system back the space of rows that go, where it knows how. */
static void punch(const char *path, const ssne_extent *gone, int count) {
#ifdef FALLOC_FL_PUNCH_HOLE
  const int fd = count > 0 ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  for (int i = 0; i < count; i++)
    (void)fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)gone[i].first,
                    (off_t)(gone[i].end - gone[i].first));
  close(fd);
#else
  (void)path, (void)gone, (void)count;
#endif
}

static herr_t remove_set(hid_t file, ssne_set set, bool with_sums) {
  char name[SSNE_SUMS_NAME_LENGTH];
  ssne_schema_sums_name(ssne_schema_of(set), name);
  if (H5Ldelete(file, ssne_schema_of(set)->name, H5P_DEFAULT) < 0) return -1;
  return with_sums ? H5Ldelete(file, name, H5P_DEFAULT) : 0;
}

static ssne_code close_alone(const char *path, hid_t file, ssne_code code, ssne_error *err) {
  if (H5Fclose(file) < 0 && code == SSNE_OK) return ssne_hdf5_fail(path, err, "writing to disk");
  return code;
}

/* In a session of HDF5's of its own: it forgets at the end what space is free, so that new datasets
 * lie behind everything else, where the file reads as zeros without being written. */
static ssne_code remove_old(const ssne_store *store, const plan *p, ssne_error *err) {
  hid_t file = SSNE_NO_ID;
  ssne_code code = SSNE_OK;
  if (p->removals == 0) return SSNE_OK;
  SSNE_TRY(ssne_hdf5_open(store->open_path, true, &file, err));
  punch(store->open_path, p->gone, p->gone_extents); /* before HDF5 can put anything there */
  for (int i = 0; i < p->removals && code == SSNE_OK; i++)
    if (remove_set(file, p->removed[i], p->with_sums[i]) < 0)
      code =
          ssne_hdf5_fail(store->open_path, err, "removing %s", ssne_schema_of(p->removed[i])->name);
  return close_alone(store->open_path, file, code, err);
}

static ssne_code add_new(const ssne_store *store, const ssne_edit *edits, int count,
                         ssne_error *err) {
  hid_t file = SSNE_NO_ID;
  ssne_code code = SSNE_OK;
  SSNE_TRY(ssne_hdf5_open(store->open_path, true, &file, err));
  for (int i = 0; i < count && code == SSNE_OK; i++) {
    const ssne_edit *e = &edits[i];
    if (e->kind == SSNE_EDIT_DEFINE && create_set(file, e) < 0)
      code = ssne_hdf5_fail(store->open_path, err, "creating %s", ssne_schema_of(e->set)->name);
    if (e->kind == SSNE_EDIT_TEXT && ssne_attribute_write(file, e->name, e->value) < 0)
      code = ssne_hdf5_fail(store->open_path, err, "writing the attribute %s", e->name);
  }
  return close_alone(store->open_path, file, code, err);
}

static ssne_code change_alone(const ssne_store *store, const plan *p, const ssne_edit *edits,
                              int count, ssne_error *err) {
  const char *path = store->open_path;
  int lock = -1;
  SSNE_TRY(ssne_journal_write(path, p->rows, p->row_extents, &lock, err));
  ssne_code code = remove_old(store, p, err);
  if (code == SSNE_OK) code = add_new(store, edits, count, err);
  if (code == SSNE_OK) return ssne_journal_drop(path, lock, err);
  ssne_error later;
  (void)ssne_journal_roll_back(path, lock, &later); /* or whoever opens the file next does it */
  return code;
}

/* --- all ranks --------------------------------------------------------------------------- */

/* Not collective: this rank's share of the rows of new datasets whose unwritten rows are not zero.
 */
static ssne_code fill(ssne_store *store, const ssne_edit *edits, int count, ssne_error *err) {
  for (int i = 0; i < count; i++) {
    if (edits[i].kind != SSNE_EDIT_DEFINE || !ssne_schema_of(edits[i].set)->nan) continue;
    const int64_t first = ssne_share_begin(edits[i].rows, store->ranks, store->rank);
    const int64_t end = ssne_share_begin(edits[i].rows, store->ranks, store->rank + 1);
    SSNE_TRY(ssne_store_write_unwritten(store, edits[i].set, first, end - first, err));
  }
  return SSNE_OK;
}

/* Rank 0: whether the file is not as `edits` want it already. */
static int is_change(ssne_store *store, const ssne_edit *edits, int count) {
  bool same = true;
  for (int i = 0; i < count && same; i++) {
    char *value = NULL;
    ssne_error unused;
    if (edits[i].kind == SSNE_EDIT_REMOVE) same = !store->structure.sets[edits[i].set].shape.exists;
    if (edits[i].kind == SSNE_EDIT_DEFINE) same = false;
    if (edits[i].kind != SSNE_EDIT_TEXT) continue;
    same = ssne_store_get_text(store, edits[i].name, &value, &unused) == SSNE_OK && value &&
           strcmp(value, edits[i].value) == 0;
    ssne_free(&value);
  }
  return !same;
}

ssne_code ssne_store_change(ssne_store *store, const ssne_edit *edits, int count, ssne_error *err) {
  ssne_error later;
  SSNE_TRY_ALL(store->comm, may_change(store, edits, count, err), err);
  int needed = store->rank == 0 && is_change(store, edits, count);
  SSNE_TRY_ALL(store->comm, must_agree(store, edits, count, err), err);
  SSNE_TRY(ssne_broadcast(&needed, sizeof needed, 0, store->comm, err));
  if (!needed) return SSNE_OK;
  ssne_code code = store->rank == 0 ? check_room(store, edits, count, err) : SSNE_OK;
  SSNE_TRY_ALL(store->comm, code, err);
  const plan p = make_plan(store, edits, count);
  SSNE_TRY(ssne_store_close_file(store, err));
  code = store->rank == 0 ? change_alone(store, &p, edits, count, err) : SSNE_OK;
  code = ssne_agree(store->comm, code, err);
  const ssne_code reopened = ssne_store_open_file(store, NULL, code == SSNE_OK ? err : &later);
  if (code != SSNE_OK || reopened != SSNE_OK) return code != SSNE_OK ? code : reopened;
  return ssne_agree(store->comm, fill(store, edits, count, err), err);
}

ssne_code ssne_store_define(ssne_store *store, ssne_set set, int64_t rows, int64_t columns,
                            int64_t width, ssne_error *err) {
  const ssne_edit edit = ssne_edit_define(set, rows, columns, width);
  return ssne_store_change(store, &edit, 1, err);
}

ssne_code ssne_store_remove(ssne_store *store, ssne_set set, ssne_error *err) {
  const ssne_edit edit = ssne_edit_remove(set);
  return ssne_store_change(store, &edit, 1, err);
}

ssne_code ssne_store_set_text(ssne_store *store, const char *name, const char *value,
                              ssne_error *err) {
  const ssne_edit edit = ssne_edit_text(name, value);
  return ssne_store_change(store, &edit, 1, err);
}
