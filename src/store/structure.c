#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"
#include "store_private.h"

#include <stdio.h>
#include <string.h>

/* Of all text attributes together: far more than this program writes. */
#define MOST_TEXT_BYTES ((int64_t)1 << 28)

/* --- datasets ---------------------------------------------------------------------------- */

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

/* Whether the element type in the file is the schema's, byte for byte. */
static bool type_matches(hid_t dataset, const ssne_schema *schema, int64_t *width) {
  bool same = false;
  const hid_t found = H5Dget_type(dataset);
  if (found < 0) return false;
  *width = (int64_t)H5Tget_size(found);
  const hid_t wanted = ssne_schema_type(schema, *width);
  if (schema->element == SSNE_ELEMENT_TEXT)
    same = H5Tget_class(found) == H5T_STRING && H5Tis_variable_str(found) == 0 &&
           H5Tget_strpad(found) != H5T_STR_SPACEPAD;
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

/* Where the dataset begins in the file; -1 where it is not all in it. */
static int64_t place_of(hid_t file, hid_t dataset, int64_t bytes) {
  hsize_t size = 0;
  if (bytes == 0) return 0;
  const haddr_t place = H5Dget_offset(dataset);
  if (place == HADDR_UNDEF || place > INT64_MAX || H5Fget_filesize(file, &size) < 0) return -1;
  return size <= INT64_MAX && (int64_t)place <= (int64_t)size - bytes ? (int64_t)place : -1;
}

static ssne_code fail_elsewhere(const char *path, const char *name, ssne_error *err) {
  return ssne_fail(err, SSNE_USAGE,
                   "%s: %s is not in one piece and whole in the file itself, as a run file keeps "
                   "it: it was written by another program",
                   path, name);
}

static ssne_code read_dataset(const char *path, hid_t file, hid_t id, const ssne_schema *schema,
                              ssne_store_set *s, ssne_error *err) {
  if (!read_shape(id, schema, &s->shape) || !type_matches(id, schema, &s->shape.width) ||
      !is_sound(schema, &s->shape))
    return ssne_fail(err, SSNE_USAGE,
                     "%s: %s has not the type or the dimensions that a run file has there: it was "
                     "written by another program",
                     path, schema->name);
  if (!is_kept_here(id, &s->shape)) return fail_elsewhere(path, schema->name, err);
  s->place = place_of(file, id, ssne_set_bytes(&s->shape));
  return s->place < 0 ? fail_elsewhere(path, schema->name, err) : SSNE_OK;
}

/* The checksums of a dataset. */
static ssne_code read_sums(const char *path, const char *name, hid_t file, hid_t id,
                           ssne_store_set *s, ssne_error *err) {
  ssne_set_shape shape = {0};
  const ssne_schema sums = {.dimensions = 1, .element = SSNE_ELEMENT_UINT32};
  if (!read_shape(id, &sums, &shape) || !type_matches(id, &sums, &shape.width) ||
      shape.rows != s->shape.rows)
    return ssne_fail(err, SSNE_USAGE,
                     "%s: %s does not belong to the dataset of that name: it was written by "
                     "another program",
                     path, name);
  if (!is_kept_here(id, &shape)) return fail_elsewhere(path, name, err);
  s->sums_place = place_of(file, id, ssne_set_bytes(&shape));
  s->summed = s->sums_place >= 0;
  return s->summed ? SSNE_OK : fail_elsewhere(path, name, err);
}

static ssne_code read_sums_of(const char *path, hid_t file, const ssne_schema *schema,
                              ssne_store_set *s, ssne_error *err) {
  char name[SSNE_SUMS_NAME_LENGTH];
  hid_t id = SSNE_NO_ID;
  if (!schema->summed) return SSNE_OK;
  ssne_schema_sums_name(schema, name);
  SSNE_TRY(open_dataset(path, file, name, &id, err));
  if (id < 0) return SSNE_OK;
  const ssne_code code = read_sums(path, name, file, id, s, err);
  H5Dclose(id);
  return code;
}

/* What there is of one dataset; all zero where there is nothing. */
static ssne_code read_set(const char *path, hid_t file, ssne_set set, ssne_store_set *s,
                          ssne_error *err) {
  const ssne_schema *schema = ssne_schema_of(set);
  hid_t id = SSNE_NO_ID;
  SSNE_TRY(open_dataset(path, file, schema->name, &id, err));
  if (id < 0) return SSNE_OK;
  ssne_code code = read_dataset(path, file, id, schema, s, err);
  H5Dclose(id);
  if (code == SSNE_OK) code = read_sums_of(path, file, schema, s, err);
  if (code != SSNE_OK) memset(s, 0, sizeof *s);
  return code;
}

static ssne_code read_sets(const char *path, hid_t file, ssne_structure *structure, bool *lost,
                           ssne_error *err) {
  for (int i = 0; i < SSNE_SET_COUNT; i++) {
    const ssne_code code = read_set(path, file, (ssne_set)i, &structure->sets[i], err);
    if (lost) lost[i] = code != SSNE_OK;
    if (!lost && code != SSNE_OK) return code;
  }
  return SSNE_OK;
}

/* --- attributes -------------------------------------------------------------------------- */

typedef struct listing {
  const char *path;
  bool lenient;
  FILE *out; /* of name, 0, value, 0, and so on */
  ssne_code code;
  ssne_error *err;
} listing;

static herr_t list_text(hid_t file, const char *name, const H5A_info_t *about, void *data) {
  listing *l = data;
  char *value = NULL;
  (void)about;
  l->code = ssne_attribute_read(file, l->path, name, &value, l->err);
  if (l->code == SSNE_OK && value) {
    (void)fwrite(name, strlen(name) + 1, 1, l->out);
    (void)fwrite(value, strlen(value) + 1, 1, l->out);
    if (ftell(l->out) > MOST_TEXT_BYTES)
      l->code = ssne_fail(l->err, SSNE_USAGE,
                          "%s: its attributes are longer than those of any run file: it was "
                          "written by another program",
                          l->path);
  }
  ssne_free(&value);
  if (l->lenient) l->code = SSNE_OK;
  return l->code == SSNE_OK ? 0 : -1;
}

static ssne_code read_texts(const char *path, hid_t file, ssne_structure *structure, bool lenient,
                            ssne_error *err) {
  size_t bytes = 0;
  listing l = {.path = path, .lenient = lenient, .err = err};
  l.out = open_memstream(&structure->texts, &bytes);
  if (!l.out) return ssne_fail(err, SSNE_FAILED, "out of memory for the attributes of %s", path);
  const herr_t result = H5Aiterate2(file, H5_INDEX_NAME, H5_ITER_INC, NULL, list_text, &l);
  if (result < 0 && l.code == SSNE_OK && !lenient)
    l.code = ssne_hdf5_fail(path, err, "listing the attributes");
  H5Eclear2(H5E_DEFAULT);
  const bool short_of_memory = ferror(l.out) != 0;
  if ((fclose(l.out) != 0 || short_of_memory) && l.code == SSNE_OK)
    l.code = ssne_fail(err, SSNE_FAILED, "out of memory for the attributes of %s", path);
  structure->text_bytes = (int64_t)bytes;
  return l.code;
}

bool ssne_store_next_text(const ssne_store *store, const char **at, const char **name,
                          const char **value) {
  const ssne_structure *s = &store->structure;
  const char *next = *at ? *at : s->texts;
  if (!next || next >= s->texts + s->text_bytes) return false;
  *name = next;
  *value = next + strlen(next) + 1;
  *at = *value + strlen(*value) + 1;
  return true;
}

/* --- all of it --------------------------------------------------------------------------- */

int64_t ssne_set_row_bytes(const ssne_set_shape *shape) {
  return shape->columns * shape->width;
}

int64_t ssne_set_bytes(const ssne_set_shape *shape) {
  return shape->rows * ssne_set_row_bytes(shape);
}

int64_t ssne_structure_end(const ssne_structure *structure) {
  int64_t end = 0;
  for (int i = 0; i < SSNE_SET_COUNT; i++) {
    const ssne_store_set *s = &structure->sets[i];
    const int64_t rows = s->place + ssne_set_bytes(&s->shape);
    const int64_t sums = s->sums_place + (s->summed ? s->shape.rows * SSNE_SUM_BYTES : 0);
    if (rows > end) end = rows;
    if (sums > end) end = sums;
  }
  return end;
}

ssne_code ssne_structure_read(const char *path, hid_t file, ssne_structure *structure, bool *lost,
                              ssne_error *err) {
  memset(structure, 0, sizeof *structure);
  SSNE_TRY(read_sets(path, file, structure, lost, err));
  return read_texts(path, file, structure, lost != NULL, err);
}

ssne_code ssne_structure_share(ssne_structure *structure, MPI_Comm comm, ssne_error *err) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  SSNE_TRY(ssne_broadcast(structure->sets, (int64_t)sizeof structure->sets, 0, comm, err));
  SSNE_TRY(
      ssne_broadcast(&structure->text_bytes, (int64_t)sizeof structure->text_bytes, 0, comm, err));
  ssne_code code = SSNE_OK;
  if (rank > 0) code = ssne_alloc(&structure->texts, structure->text_bytes, 1, "characters", err);
  SSNE_TRY_ALL(comm, code, err);
  return ssne_broadcast(structure->texts, structure->text_bytes, 0, comm, err);
}

void ssne_structure_free(ssne_structure *structure) {
  ssne_free(&structure->texts); /* memory of open_memstream's or ssne_alloc's: both are free's */
  memset(structure, 0, sizeof *structure);
}

ssne_code ssne_store_shape(ssne_store *store, ssne_set set, ssne_set_shape *shape,
                           ssne_error *err) {
  (void)err;
  *shape = store->structure.sets[set].shape;
  return SSNE_OK;
}
