#include "shard.h"

#include "shardsne/agree.h"
#include "shardsne/exchange.h"
#include "shardsne/index.h"
#include "shardsne/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One scan of all ranks. */
typedef struct scan {
  MPI_Comm comm;
  int rank, ranks;
  const char *source;
  ssne_samples part; /* what this rank has found */
  int64_t first;     /* the row of its first sample */
} scan;

static ssne_code reduce(const scan *c, int64_t *values, int count, MPI_Op op, ssne_error *err) {
  return ssne_mpi_check(MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_INT64_T, op, c->comm),
                        "MPI_Allreduce", err);
}

static int64_t longest_of(const char *texts, int64_t size) {
  int64_t longest = 0;
  for (int64_t at = 0; at < size;) {
    const int64_t length = (int64_t)strlen(texts + at) + 1;
    if (length > longest) longest = length;
    at += length;
  }
  return longest;
}

/* --- what all ranks must know ------------------------------------------------------------ */

/* Collective: if rank 0 has all classes, the labels of all ranks count these. */
static ssne_code share_fixed(scan *c, ssne_error *err) {
  SSNE_TRY(ssne_broadcast(&c->part.classes_fixed, sizeof c->part.classes_fixed, 0, c->comm, err));
  if (c->part.classes_fixed) c->part.labels = SSNE_LABELS_NAMES;
  return SSNE_OK;
}

/* Collective: labels of all parts are of one kind. */
static ssne_code check_kinds(const scan *c, ssne_error *err) {
  const int64_t own = (int64_t)c->part.labels, none = SSNE_LABELS_NAMES;
  const bool any = c->part.count > 0;
  int64_t ends[2] = {any ? own : 0, any ? none - own : 0}; /* greatest, and least from above */
  SSNE_TRY(reduce(c, ends, 2, MPI_MAX, err));
  return ssne_label_kinds_agree(c->source, (ssne_label_kind)ends[0],
                                (ssne_label_kind)(none - ends[1]), err);
}

/* Collective: rows in all, and where this rank's begin. */
static ssne_code count_rows(scan *c, shard_facts *facts, ssne_error *err) {
  int64_t sums[3] = {c->part.count, c->part.ignored, c->part.unlabelled};
  int64_t longest = longest_of(c->part.names, c->part.names_size);
  SSNE_TRY(ssne_mpi_check(MPI_Exscan(&c->part.count, &c->first, 1, MPI_INT64_T, MPI_SUM, c->comm),
                          "MPI_Exscan", err));
  if (c->rank == 0) c->first = 0;
  SSNE_TRY(reduce(c, sums, 3, MPI_SUM, err));
  SSNE_TRY(reduce(c, &longest, 1, MPI_MAX, err));
  facts->count = sums[0];
  facts->ignored = sums[1];
  facts->unlabelled = sums[2];
  facts->longest_name = longest;
  if (facts->count > 0) return SSNE_OK;
  return ssne_fail(err, SSNE_USAGE, "%s: no images (jpg jpeg png ppm bmp pgm tif tiff webp)",
                   c->source);
}

/* --- classes ----------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Rank 0: the texts at `all`, sorted and each once, at `*out`. */
static ssne_code unite(const char *all, int64_t size, char **out, int64_t *out_size,
                       ssne_error *err) {
  int64_t count = 0;
  const char **text = NULL, *last = NULL;
  for (int64_t at = 0; at < size; at++) count += !all[at];
  SSNE_TRY(ssne_alloc(&text, count, sizeof *text, "class names", err));
  ssne_code code = ssne_alloc(out, size, 1, "characters of class names", err);
  for (int64_t at = 0, i = 0; at < size; at += (int64_t)strlen(all + at) + 1) text[i++] = all + at;
  qsort((void *)text, (size_t)count, sizeof *text, by_text);
  char *end = *out;
  for (int64_t i = 0; i < count && !code; i++) {
    if (!last || strcmp(last, text[i]) != 0) end = stpcpy(end, text[i]) + 1;
    last = text[i];
  }
  *out_size = end - *out;
  ssne_free(&text);
  return code;
}

/* Collective: on rank 0 the class names of all ranks, one after the other. */
static ssne_code gather_classes(const scan *c, char **all, int64_t *size, ssne_error *err) {
  int64_t *sizes = NULL;
  *size = 0;
  SSNE_TRY_ALL(c->comm, ssne_alloc(&sizes, c->ranks, sizeof *sizes, "ranks", err), err);
  ssne_code code = ssne_mpi_check(
      MPI_Allgather(&c->part.classes_size, 1, MPI_INT64_T, sizes, 1, MPI_INT64_T, c->comm),
      "MPI_Allgather", err);
  for (int r = 0; r < c->ranks && !code; r++) *size += sizes[r];
  if (!code)
    code = ssne_agree(
        c->comm, ssne_alloc(all, c->rank == 0 ? *size : 0, 1, "characters of class names", err),
        err);
  if (!code)
    code = ssne_gather(c->part.classes, c->part.classes_size, *all, sizes, 1, 0, c->comm, err);
  ssne_free(&sizes);
  return code;
}

/* The number of each of this rank's classes among all. Both are in byte order. */
static ssne_code number_classes(scan *c, const shard *s, ssne_error *err) {
  int32_t *number = NULL;
  if (c->part.class_count == 0) return SSNE_OK;
  SSNE_TRY(ssne_alloc(&number, c->part.class_count, sizeof *number, "classes", err));
  const char *known = s->classes;
  int32_t at = 0;
  for (int64_t own = 0; own < c->part.class_count; own++) {
    while (strcmp(known, c->part.classes + c->part.class_offset[own]) != 0) {
      known += strlen(known) + 1;
      at++;
    }
    number[own] = at;
  }
  for (int64_t i = 0; i < c->part.count; i++)
    if (c->part.label[i] >= 0) c->part.label[i] = number[c->part.label[i]];
  ssne_free(&number);
  return SSNE_OK;
}

static void describe_classes(shard *s) {
  shard_facts *f = &s->facts;
  for (int64_t at = 0; at < f->classes_size; at++) f->class_count += !s->classes[at];
  f->longest_class = longest_of(s->classes, f->classes_size);
}

/* On rank 0: of the class names of all ranks at *all those of the input. */
static ssne_code unite_all(const scan *c, char **all, int64_t *size, ssne_error *err) {
  char *united = NULL;
  if (c->rank > 0 || c->part.classes_fixed) return SSNE_OK;
  const ssne_code code = unite(*all, *size, &united, size, err);
  ssne_free(all);
  *all = united;
  return code;
}

/* Collective: the classes of all ranks on every rank, and labels that count them. */
static ssne_code share_classes(scan *c, shard *s, ssne_error *err) {
  char *all = NULL;
  int64_t *size = &s->facts.classes_size;
  ssne_code code = gather_classes(c, &all, size, err);
  if (!code) code = ssne_agree(c->comm, unite_all(c, &all, size, err), err);
  if (!code) code = ssne_broadcast(size, sizeof *size, 0, c->comm, err);
  if (!code) code = ssne_agree(c->comm, ssne_alloc(&s->classes, *size, 1, "names", err), err);
  if (!code && c->rank == 0) memcpy(s->classes, all, (size_t)*size);
  ssne_free(&all);
  if (!code) code = ssne_broadcast(s->classes, *size, 0, c->comm, err);
  if (code) return code;
  describe_classes(s);
  return c->part.classes_fixed ? SSNE_OK : ssne_agree(c->comm, number_classes(c, s, err), err);
}

static int64_t own_name_bytes(const shard *s) {
  const int64_t rows = s->partition.own_rows, last = rows > 0 ? s->name_offset[rows - 1] : 0;
  return rows > 0 ? last + (int64_t)strlen(s->names + last) + 1 : 0;
}

static void set_offsets(shard *s) {
  int64_t offset = 0;
  for (int64_t r = 0; r < s->partition.own_rows; r++) {
    s->name_offset[r] = offset;
    offset += (int64_t)strlen(s->names + offset) + 1;
  }
}

/* --- rows to their owners ---------------------------------------------------------------- */

/* Of rows `first` on, `count` of them, how many are rank r's. */
static int64_t overlap(const ssne_partition *p, int r, int64_t first, int64_t count) {
  int64_t begin = ssne_partition_first_row(p, r), end = ssne_partition_first_row(p, r + 1);
  if (begin < first) begin = first;
  if (end > first + count) end = first + count;
  return end > begin ? end - begin : 0;
}

/* Bytes of the names of `rows` rows from this rank's row `row` on. */
static int64_t name_bytes(const ssne_samples *part, int64_t row, int64_t rows) {
  const int64_t end = row + rows;
  if (rows == 0) return 0;
  return (end < part->count ? part->name_offset[end] : part->names_size) - part->name_offset[row];
}

typedef struct counts {
  int64_t *send_rows, *recv_rows, *send_bytes, *recv_bytes; /* [ranks] each */
} counts;

static ssne_code allocate(shard *s, int64_t bytes, bool places, ssne_error *err) {
  const int64_t rows = s->partition.own_rows;
  SSNE_TRY(ssne_alloc(&s->names, bytes, 1, "image names", err));
  SSNE_TRY(ssne_alloc(&s->name_offset, rows, sizeof(int64_t), "images", err));
  if (places) SSNE_TRY(ssne_alloc(&s->place, rows, sizeof(ssne_place), "images", err));
  return ssne_alloc(&s->label, rows, sizeof(int32_t), "labels", err);
}

/* Collective. */
static ssne_code send_rows(const scan *c, const counts *n, shard *s, ssne_error *err) {
  int64_t bytes = 0, places = c->part.place != NULL, row = 0;
  for (int r = 0; r < c->ranks; r++) {
    n->send_rows[r] = overlap(&s->partition, r, c->first, c->part.count);
    n->send_bytes[r] = name_bytes(&c->part, row, n->send_rows[r]);
    row += n->send_rows[r];
  }
  SSNE_TRY(ssne_exchange_counts(n->send_rows, n->recv_rows, c->comm, err));
  SSNE_TRY(ssne_exchange_counts(n->send_bytes, n->recv_bytes, c->comm, err));
  SSNE_TRY(reduce(c, &places, 1, MPI_MAX, err));
  for (int r = 0; r < c->ranks; r++) bytes += n->recv_bytes[r];
  SSNE_TRY_ALL(c->comm, allocate(s, bytes, places, err), err);
  SSNE_TRY(ssne_exchange(c->part.names, n->send_bytes, s->names, n->recv_bytes, 1, c->comm, err));
  SSNE_TRY(ssne_exchange(c->part.label, n->send_rows, s->label, n->recv_rows, sizeof(int32_t),
                         c->comm, err));
  if (places)
    SSNE_TRY(ssne_exchange(c->part.place, n->send_rows, s->place, n->recv_rows, sizeof(ssne_place),
                           c->comm, err));
  set_offsets(s);
  return SSNE_OK;
}

static ssne_code share_rows(const scan *c, shard *s, ssne_error *err) {
  counts n = {.send_rows = NULL};
  int64_t *room = NULL;
  SSNE_TRY_ALL(c->comm, ssne_alloc(&room, 4 * (int64_t)c->ranks, sizeof *room, "ranks", err), err);
  n.send_rows = room;
  n.recv_rows = room + c->ranks;
  n.send_bytes = n.recv_rows + c->ranks;
  n.recv_bytes = n.send_bytes + c->ranks;
  const ssne_code code = send_rows(c, &n, s, err);
  ssne_free(&room);
  return code;
}

/* --- digest ------------------------------------------------------------------------------ */

/* Of one own block, what its samples are. */
static uint64_t digest_block(const shard *s, int64_t block, int64_t bytes) {
  const ssne_partition *p = &s->partition;
  const int64_t first = block * p->block_rows;
  const int64_t rows = ssne_partition_block_length(p, p->first_block + block), end = first + rows;
  const int64_t from = s->name_offset[first], to = end < p->own_rows ? s->name_offset[end] : bytes;
  const uint64_t parts[3] = {
      ssne_digest64(s->names + from, (size_t)(to - from)),
      ssne_digest64(s->label + first, (size_t)rows * sizeof(int32_t)),
      s->place ? ssne_digest64(s->place + first, (size_t)rows * sizeof(ssne_place)) : 0};
  return ssne_digest64(parts, sizeof parts);
}

static ssne_code digest_own(const shard *s, uint64_t **out, ssne_error *err) {
  const ssne_partition *p = &s->partition;
  const int64_t bytes = own_name_bytes(s);
  SSNE_TRY(ssne_alloc(out, p->own_blocks, sizeof **out, "blocks", err));
  for (int64_t b = 0; b < p->own_blocks; b++) (*out)[b] = digest_block(s, b, bytes);
  return SSNE_OK;
}

/* Collective: from the digests of blocks, which do not depend on who owns them. */
static ssne_code digest_all(const scan *c, shard *s, ssne_error *err) {
  const ssne_partition *p = &s->partition;
  uint64_t *own = NULL, *all = NULL;
  int64_t *blocks = NULL;
  ssne_code code = digest_own(s, &own, err);
  if (!code) code = ssne_alloc(&blocks, c->ranks, sizeof *blocks, "ranks", err);
  if (!code) code = ssne_alloc(&all, c->rank == 0 ? p->blocks + 1 : 0, sizeof *all, "blocks", err);
  code = ssne_agree(c->comm, code, err);
  for (int r = 0; r < c->ranks && !code; r++)
    blocks[r] = ssne_partition_first_block(p, r + 1) - ssne_partition_first_block(p, r);
  if (!code) code = ssne_gather(own, p->own_blocks, all, blocks, sizeof *all, 0, c->comm, err);
  if (!code && c->rank == 0) {
    all[p->blocks] = ssne_digest64(s->classes, (size_t)s->facts.classes_size);
    ssne_digest_text(all, (size_t)(p->blocks + 1) * sizeof *all, s->facts.digest);
  }
  ssne_free(&own);
  ssne_free(&all);
  ssne_free(&blocks);
  return code ? code : ssne_broadcast(s->facts.digest, sizeof s->facts.digest, 0, c->comm, err);
}

/* --- the index --------------------------------------------------------------------------- */

/* The own rows, from the index. */
static ssne_code read_own(const scan *c, const char *path, const ssne_index_head *head, shard *s,
                          ssne_error *err) {
  const ssne_partition p = ssne_partition_make(head->count, head->block_rows, c->ranks, c->rank);
  ssne_index_rows rows;
  s->partition = p;
  const ssne_code code = ssne_index_read_rows(path, head, p.first_row, p.own_rows, &rows, err);
  s->place = rows.place;
  s->label = rows.label;
  s->names = rows.names;
  SSNE_TRY(code);
  SSNE_TRY(ssne_alloc(&s->name_offset, p.own_rows, sizeof(int64_t), "images", err));
  set_offsets(s);
  return SSNE_OK;
}

/* Collective: *found says whether the index is of the input as it is; `s` then is what a scan would
 * have made. */
static ssne_code read_index(const scan *c, const char *path, const char *state, int64_t size,
                            int64_t batch, shard *s, bool *found, ssne_error *err) {
  ssne_index_head head = {.count = 0};
  ssne_error why = {SSNE_OK, ""};
  *found = c->rank == 0 &&
           ssne_index_read_head(path, state, size, &head, &s->classes, &why) == SSNE_OK &&
           head.block_rows == batch;
  SSNE_TRY(ssne_broadcast(found, sizeof *found, 0, c->comm, err));
  if (!*found) return SSNE_OK;
  SSNE_TRY(ssne_broadcast(&head, sizeof head, 0, c->comm, err));
  if (c->rank > 0) *found = ssne_alloc(&s->classes, head.classes_size, 1, "names", err) == SSNE_OK;
  *found = *found && read_own(c, path, &head, s, &why) == SSNE_OK;
  *found = ssne_agree(c->comm, *found ? SSNE_OK : SSNE_FAILED, &why) == SSNE_OK;
  if (!*found) return SSNE_OK;
  SSNE_TRY(ssne_broadcast(s->classes, head.classes_size, 0, c->comm, err));
  s->facts = (shard_facts){.count = head.count,
                           .ignored = head.ignored,
                           .unlabelled = head.unlabelled,
                           .longest_name = head.longest_name,
                           .classes_size = head.classes_size,
                           .index = SHARD_INDEX_READ};
  describe_classes(s);
  SSNE_TRY(digest_all(c, s, err));
  *found = strcmp(s->facts.digest, head.digest) == 0; /* the same on every rank */
  return SSNE_OK;
}

/* Collective: the index of what has been scanned, written by all ranks, whole before it has its
 * name. */
static ssne_code write_all(const scan *c, const char *path, const char *made, const char *state,
                           ssne_index_head *head, const shard *s, ssne_error *err) {
  ssne_index_rows rows = {.first = s->partition.first_row,
                          .count = s->partition.own_rows,
                          .place = s->place,
                          .label = s->label,
                          .names = s->names,
                          .names_size = own_name_bytes(s)};
  SSNE_TRY(ssne_mpi_check(
      MPI_Exscan(&rows.names_size, &rows.first_name, 1, MPI_INT64_T, MPI_SUM, c->comm),
      "MPI_Exscan", err));
  if (c->rank == 0) rows.first_name = 0;
  head->names_size = rows.names_size;
  SSNE_TRY(reduce(c, &head->names_size, 1, MPI_SUM, err));
  SSNE_TRY_ALL(c->comm,
               c->rank == 0 ? ssne_index_write_head(made, head, state, s->classes, err) : SSNE_OK,
               err);
  SSNE_TRY_ALL(c->comm, rows.count > 0 ? ssne_index_write_rows(made, head, &rows, err) : SSNE_OK,
               err);
  if (c->rank == 0 && rename(made, path) != 0)
    return ssne_fail(err, SSNE_FAILED, "%s: cannot be renamed", made);
  return SSNE_OK;
}

/* Collective. That there is no index in the end is no failure of the run. */
static void write_index(const scan *c, const char *path, const char *state, int64_t size,
                        int64_t batch, shard *s) {
  ssne_index_head head = {.count = s->facts.count,
                          .block_rows = batch,
                          .ignored = s->facts.ignored,
                          .unlabelled = s->facts.unlabelled,
                          .longest_name = s->facts.longest_name,
                          .classes_size = s->facts.classes_size,
                          .state_size = size};
  char made[4096];
  ssne_error why = {SSNE_OK, ""};
  memcpy(head.digest, s->facts.digest, sizeof s->facts.digest);
  const bool fits = snprintf(made, sizeof made, "%s.partial", path) < (int)sizeof made;
  ssne_code code = fits ? write_all(c, path, made, state, &head, s, &why) : SSNE_FAILED;
  code = ssne_agree(c->comm, code, &why);
  if (code && fits && c->rank == 0) (void)unlink(made);
  s->facts.index = code ? SHARD_INDEX_FAILED : SHARD_INDEX_WRITTEN;
}

/* --- the whole --------------------------------------------------------------------------- */

static ssne_code share(scan *c, int64_t batch, shard *s, ssne_error *err) {
  SSNE_TRY(count_rows(c, &s->facts, err));
  SSNE_TRY(share_fixed(c, err));
  SSNE_TRY(check_kinds(c, err));
  SSNE_TRY(share_classes(c, s, err));
  s->partition = ssne_partition_make(s->facts.count, batch, c->ranks, c->rank);
  SSNE_TRY(share_rows(c, s, err));
  return digest_all(c, s, err);
}

static ssne_code scan_all(scan *c, const ssne_input *input, int64_t batch, shard *s,
                          ssne_error *err) {
  SSNE_TRY_ALL(c->comm, ssne_input_scan(input, c->rank, c->ranks, &c->part, err), err);
  return share(c, batch, s, err);
}

/* By the index if it is there. */
static ssne_code scan_indexed(scan *c, const ssne_input *input, const char *index, int64_t batch,
                              shard *s, ssne_error *err) {
  char *state = NULL;
  int64_t size = 0;
  bool found = false;
  ssne_code code = c->rank == 0 && index ? ssne_input_state(input, &state, &size, err) : SSNE_OK;
  code = ssne_agree(c->comm, code, err);
  if (!code) code = ssne_broadcast(&size, sizeof size, 0, c->comm, err);
  if (!code && size > 0) code = read_index(c, index, state, size, batch, s, &found, err);
  if (!code && !found) {
    shard_free(s); /* what a damaged index has left */
    *s = (shard){.names = NULL};
    code = scan_all(c, input, batch, s, err);
    if (!code && size > 0) write_index(c, index, state, size, batch, s);
  }
  ssne_free(&state);
  return code;
}

ssne_code shard_scan(const ssne_input *input, const char *source, const char *index, int64_t batch,
                     MPI_Comm comm, shard *out, ssne_error *err) {
  *out = (shard){.names = NULL};
  scan c = {.comm = comm, .source = source};
  MPI_Comm_rank(comm, &c.rank);
  MPI_Comm_size(comm, &c.ranks);
  const ssne_code code = scan_indexed(&c, input, index, batch, out, err);
  ssne_samples_free(&c.part);
  if (code) shard_free(out);
  return code;
}

void shard_free(shard *s) {
  ssne_free(&s->classes);
  ssne_free(&s->names);
  ssne_free(&s->name_offset);
  ssne_free(&s->label);
  ssne_free(&s->place);
}

void shard_widen(const char *texts, int64_t count, int64_t width, char *wide) {
  for (int64_t i = 0; i < count; i++) {
    const size_t length = strlen(texts), kept = length < (size_t)width ? length : (size_t)width;
    memset(wide + i * width, 0, (size_t)width);
    memcpy(wide + i * width, texts, kept);
    texts += length + 1;
  }
}
