#include "shardsne/agree.h"
#include "store_private.h"

#include <inttypes.h>

/* Each rank moves its own rows when it has them: H5P_DEFAULT is an independent transfer, and
 * datasets that are contiguous and allocated need no one else. */

static ssne_code check_rows(const ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                            ssne_error *err) {
  const ssne_store_set *s = &store->sets[set];
  const char *name = ssne_schema_of(set)->name;
  if (s->id < 0) return ssne_fail(err, SSNE_FAILED, "%s has no %s", store->open_path, name);
  if (first < 0 || rows < 0 || first > s->shape.rows || rows > s->shape.rows - first)
    return ssne_fail(err, SSNE_FAILED,
                     "%s: %" PRId64 " rows from row %" PRId64 " on are not all in %s, which has "
                     "%" PRId64,
                     store->open_path, rows, first, name, s->shape.rows);
  return SSNE_OK;
}

/* Moves a few rows, from `from` to the file or, where that is NULL, from the file to `to`. */
static herr_t move_rows(const ssne_store_set *s, int dimensions, int64_t first, int64_t rows,
                        const char *from, char *to) {
  const hsize_t start[2] = {(hsize_t)first, 0};
  const hsize_t count[2] = {(hsize_t)rows, (hsize_t)s->shape.columns};
  herr_t result = -1;
  const hid_t memory = H5Screate_simple(dimensions, count, NULL);
  const hid_t space = H5Dget_space(s->id);
  if (memory >= 0 && space >= 0 &&
      H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0)
    result = from ? H5Dwrite(s->id, s->type, memory, space, H5P_DEFAULT, from)
                  : H5Dread(s->id, s->type, memory, space, H5P_DEFAULT, to);
  const hid_t why = H5Eget_current_stack(); /* each call that follows would clear it */
  if (space >= 0) H5Sclose(space);
  if (memory >= 0) H5Sclose(memory);
  (void)H5Eset_current_stack(why);
  return result;
}

static ssne_code transfer(ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                          const char *from, char *to, ssne_error *err) {
  const ssne_schema *schema = ssne_schema_of(set);
  SSNE_TRY(check_rows(store, set, first, rows, err));
  const ssne_store_set *s = &store->sets[set];
  const int64_t bytes = s->shape.columns * s->shape.width;
  const int64_t at_once = bytes < store->piece ? store->piece / bytes : 1;
  for (int64_t done = 0; done < rows;) {
    const int64_t now = rows - done < at_once ? rows - done : at_once;
    if (move_rows(s, schema->dimensions, first + done, now, from ? from + done * bytes : NULL,
                  to ? to + done * bytes : NULL) < 0)
      return ssne_hdf5_fail(store->open_path, err, "%s rows %" PRId64 " to %" PRId64 " of %s",
                            from ? "writing" : "reading", first + done, first + done + now - 1,
                            schema->name);
    done += now;
  }
  return SSNE_OK;
}

ssne_code ssne_store_write(ssne_store *store, ssne_set set, int64_t first, int64_t rows,
                           const void *data, ssne_error *err) {
  SSNE_TRY(ssne_store_must_write(store, err));
  return transfer(store, set, first, rows, data, NULL, err);
}

ssne_code ssne_store_read(ssne_store *store, ssne_set set, int64_t first, int64_t rows, void *data,
                          ssne_error *err) {
  return transfer(store, set, first, rows, NULL, data, err);
}
