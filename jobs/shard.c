#include "shard.h"

#include "shardsne/agree.h"
#include "shardsne/dataset.h"
#include "shardsne/exchange.h"
#include "shardsne/memory.h"

#include <string.h>

static int64_t longest_of(const char *texts, const int64_t *offset, int64_t count) {
  size_t longest = 0;
  for (int64_t i = 0; i < count; i++) {
    const size_t length = strlen(texts + offset[i]) + 1;
    if (length > longest) longest = length;
  }
  return (int64_t)longest;
}

/* Rank 0: what all ranks must know of the scan. */
static void state_facts(const ssne_samples *all, shard_facts *facts) {
  *facts =
      (shard_facts){.count = all->count,
                    .ignored = all->ignored,
                    .longest_name = longest_of(all->names, all->name_offset, all->count),
                    .class_count = all->class_count,
                    .classes_size = all->classes_size,
                    .longest_class = longest_of(all->classes, all->class_offset, all->class_count)};
  const uint64_t parts[3] = {ssne_digest64(all->names, (size_t)all->names_size),
                             ssne_digest64(all->label, (size_t)all->count * sizeof *all->label),
                             ssne_digest64(all->classes, (size_t)all->classes_size)};
  ssne_digest_text(parts, sizeof parts, facts->digest);
}

/* Rank 0: rows and bytes of names of each rank. */
static void measure_shares(const ssne_samples *all, const ssne_partition *p, int64_t *rows,
                           int64_t *bytes) {
  for (int r = 0; r < p->ranks; r++) {
    const int64_t first = ssne_partition_first_row(p, r), end = ssne_partition_first_row(p, r + 1);
    const int64_t begin = first < all->count ? all->name_offset[first] : all->names_size;
    const int64_t stop = end < all->count ? all->name_offset[end] : all->names_size;
    rows[r] = end - first;
    bytes[r] = stop - begin;
  }
}

static ssne_code allocate(shard *s, int64_t name_bytes, ssne_error *err) {
  SSNE_TRY(ssne_alloc(&s->classes, s->facts.classes_size, 1, "class names", err));
  SSNE_TRY(ssne_alloc(&s->names, name_bytes, 1, "image names", err));
  SSNE_TRY(ssne_alloc(&s->name_offset, s->partition.own_rows, sizeof(int64_t), "images", err));
  return ssne_alloc(&s->label, s->partition.own_rows, sizeof(int32_t), "labels", err);
}

static ssne_code hand_out(const ssne_samples *all, int64_t *rows, int64_t *bytes, MPI_Comm comm,
                          shard *s, ssne_error *err) {
  const ssne_partition *p = &s->partition;
  int64_t own_bytes = 0;
  if (p->rank == 0) measure_shares(all, p, rows, bytes);
  SSNE_TRY(ssne_broadcast(bytes, p->ranks * (int64_t)sizeof *bytes, 0, comm, err));
  own_bytes = bytes[p->rank];
  SSNE_TRY_ALL(comm, allocate(s, own_bytes, err), err);
  SSNE_TRY(ssne_scatter(all->names, bytes, s->names, own_bytes, 1, 0, comm, err));
  SSNE_TRY(ssne_scatter(all->label, rows, s->label, p->own_rows, sizeof(int32_t), 0, comm, err));
  if (p->rank == 0 && all->classes_size > 0)
    memcpy(s->classes, all->classes, (size_t)all->classes_size);
  SSNE_TRY(ssne_broadcast(s->classes, s->facts.classes_size, 0, comm, err));
  int64_t offset = 0;
  for (int64_t r = 0; r < p->own_rows; r++) {
    s->name_offset[r] = offset;
    offset += (int64_t)strlen(s->names + offset) + 1;
  }
  return SSNE_OK;
}

static ssne_code share_scan(const ssne_samples *all, int64_t batch, MPI_Comm comm, shard *s,
                            ssne_error *err) {
  int rank = 0, ranks = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &ranks);
  if (rank == 0) state_facts(all, &s->facts);
  SSNE_TRY(ssne_broadcast(&s->facts, sizeof s->facts, 0, comm, err));
  s->partition = ssne_partition_make(s->facts.count, batch, ranks, rank);
  int64_t *shares = NULL;
  SSNE_TRY_ALL(comm, ssne_alloc(&shares, 2 * (int64_t)ranks, sizeof *shares, "ranks", err), err);
  const ssne_code code = hand_out(all, shares, shares + ranks, comm, s, err);
  ssne_free(&shares);
  return code;
}

ssne_code shard_scan(const char *folder, int64_t batch, MPI_Comm comm, shard *out,
                     ssne_error *err) {
  *out = (shard){.names = NULL};
  ssne_samples all = {.count = 0};
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  ssne_code code = rank == 0 ? ssne_samples_scan(folder, &all, err) : SSNE_OK;
  code = ssne_agree(comm, code, err);
  if (code == SSNE_OK) code = share_scan(&all, batch, comm, out, err);
  ssne_samples_free(&all);
  if (code != SSNE_OK) shard_free(out);
  return code;
}

void shard_free(shard *s) {
  ssne_free(&s->classes);
  ssne_free(&s->names);
  ssne_free(&s->name_offset);
  ssne_free(&s->label);
}

void shard_widen(const char *texts, int64_t count, int64_t width, char *wide) {
  for (int64_t i = 0; i < count; i++) {
    const size_t length = strlen(texts), kept = length < (size_t)width ? length : (size_t)width;
    memset(wide + i * width, 0, (size_t)width);
    memcpy(wide + i * width, texts, kept);
    texts += length + 1;
  }
}
