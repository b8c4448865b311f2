#include "near.h"

#include "shardsne/agree.h"
#include "shardsne/memory.h"

#include <string.h>

#define TAG 31
#define WORD 64 /* bits */
/* Ghosts per own row where there are many ranks, and entries of P per neighbour (both measured). */
#define GHOSTS 8
#define ENTRIES 1.5

/* A set of places, and how many of it there are before each word. */
typedef struct places {
  uint64_t *word;   /* [words] */
  uint32_t *before; /* [words + 1] */
  int64_t words;
} places;

static void places_free(places *s) {
  ssne_free(&s->word);
  ssne_free(&s->before);
}

static ssne_code places_create(int64_t rows, places *s, ssne_error *err) {
  s->words = (rows + WORD - 1) / WORD;
  SSNE_TRY(ssne_alloc(&s->word, s->words, sizeof *s->word, "places", err));
  return ssne_alloc(&s->before, s->words + 1, sizeof *s->before, "places", err);
}

/* Threads meet in the words, seldom in one that changes: most are found as they should be. */
static void mark(places *s, uint32_t place) {
  const uint64_t bit = UINT64_C(1) << place % WORD;
  uint64_t now = 0;
#pragma omp atomic read
  now = s->word[place / WORD];
  if (now & bit) return;
#pragma omp atomic update
  s->word[place / WORD] |= bit;
}

static void count_up(places *s) {
  for (int64_t w = 0; w < s->words; w++)
    s->before[w + 1] = s->before[w] + (uint32_t)__builtin_popcountll(s->word[w]);
}

/* The number of a place of the set, by ascending place. */
static uint32_t number_of(const places *s, uint32_t place) {
  const uint64_t lower = (UINT64_C(1) << place % WORD) - 1;
  return s->before[place / WORD] + (uint32_t)__builtin_popcountll(s->word[place / WORD] & lower);
}

/* --- ghosts ------------------------------------------------------------------------------ */

static bool is_own(const ssne_partition *p, uint32_t place) {
  return place >= p->first_row && place < p->first_row + p->own_rows;
}

static void find_ghosts(const ssne_near *n, places *ghosts) {
  const ssne_affinities *a = n->affinities;
#pragma omp parallel for schedule(static) num_threads(n->threads)
  for (int64_t e = 0; e < a->start[a->partition.own_rows]; e++)
    if (!is_own(&a->partition, a->column[e])) mark(ghosts, a->column[e]);
  count_up(ghosts);
}

static void renumber(const ssne_near *n, const places *ghosts) {
  const ssne_affinities *a = n->affinities;
  const ssne_partition *p = &a->partition;
#pragma omp parallel for schedule(static) num_threads(n->threads)
  for (int64_t e = 0; e < a->start[p->own_rows]; e++)
    n->column[e] = is_own(p, a->column[e])
                       ? a->column[e] - (uint32_t)p->first_row
                       : (uint32_t)p->own_rows + number_of(ghosts, a->column[e]);
}

static void list(const places *set, uint32_t *place) {
  for (int64_t w = 0; w < set->words; w++)
    for (uint64_t left = set->word[w]; left; left &= left - 1)
      *place++ = (uint32_t)(w * WORD + __builtin_ctzll(left));
}

/* Ghosts of each rank: those below its last place, less those below its first. */
static void count_taken(const ssne_near *n, const uint32_t *place) {
  const ssne_partition *p = &n->affinities->partition;
  int64_t next = 0;
  for (int r = 0; r < p->ranks; r++) {
    const int64_t end = ssne_partition_first_row(p, r + 1), first = next;
    while (next < n->ghosts && place[next] < end) next++;
    n->taken[r] = next - first;
  }
}

/* Collective: tells the owners of the ghosts at `place`, ascending, who wants them. */
static ssne_code ask(ssne_near *n, const uint32_t *place, ssne_error *err) {
  const ssne_partition *p = &n->affinities->partition;
  count_taken(n, place);
  SSNE_TRY(ssne_exchange_counts(n->taken, n->given, n->comm, err));
  for (int r = 0; r < p->ranks; r++) n->given_rows += n->given[r];
  ssne_code code = ssne_alloc(&n->row, n->given_rows, sizeof *n->row, "rows to send", err);
  if (code == SSNE_OK)
    code = ssne_alloc(&n->sent, n->given_rows, 2 * sizeof *n->sent, "coordinates", err);
  SSNE_TRY_ALL(n->comm, code, err);
  SSNE_TRY(ssne_exchange(place, n->taken, n->row, n->given, sizeof *place, n->comm, err));
  for (int64_t i = 0; i < n->given_rows; i++) n->row[i] -= (uint32_t)p->first_row;
  return SSNE_OK;
}

static ssne_code number(ssne_near *n, places *ghosts, uint32_t **place, ssne_error *err) {
  const ssne_affinities *a = n->affinities;
  const int64_t own = a->partition.own_rows;
  SSNE_TRY(places_create(a->partition.rows, ghosts, err));
  find_ghosts(n, ghosts);
  n->ghosts = ghosts->before[ghosts->words];
  SSNE_TRY(ssne_alloc(place, n->ghosts, sizeof **place, "places", err));
  SSNE_TRY(
      ssne_alloc_in_large_pages(&n->column, a->start[own], sizeof *n->column, "affinities", err));
  SSNE_TRY(ssne_alloc(&n->slot, own, sizeof *n->slot, "slots of coordinates", err));
  for (int64_t r = 0; r < own; r++) n->slot[r] = (uint32_t)r;
  list(ghosts, *place);
  renumber(n, ghosts);
  return SSNE_OK;
}

static ssne_code connect(ssne_near *n, ssne_error *err) {
  places ghosts = {0};
  uint32_t *place = NULL;
  ssne_code code = ssne_agree(n->comm, number(n, &ghosts, &place, err), err);
  places_free(&ghosts);
  if (code == SSNE_OK) code = ask(n, place, err);
  ssne_free(&place);
  return code;
}

int64_t ssne_near_bytes(const ssne_partition *partition, int64_t k) {
  const int64_t own = partition->own_rows, others = partition->rows - own;
  const int64_t ghosts = GHOSTS * own < others ? GHOSTS * own : others;
  const int64_t columns = own * (int64_t)(ENTRIES * (double)k + SSNE_AFFINITY_PAD / 2.0) * 4;
  /* xy and slot; xy, sent (a ghost here is a row to be sent elsewhere) and row */
  const int64_t kept = own * (8 + 4) + ghosts * (8 + 8 + 4);
  /* while coordinates are laid out: keyed, what qsort copies it to, and moved; with wanted, asked
   * and row */
  const int64_t in_layout = own * (8 + 8 + 4) + ghosts * (8 + 4 + 4 + 4 + 4);
  return columns + kept + in_layout;
}

/* --- life, and what for ------------------------------------------------------------------ */

ssne_code ssne_near_create(const ssne_affinities *affinities, int threads, MPI_Comm comm,
                           ssne_near *out, ssne_error *err) {
  const ssne_partition *p = &affinities->partition;
  *out = (ssne_near){.affinities = affinities, .comm = comm, .threads = threads};
  ssne_code code = ssne_messages_create(comm, TAG, NULL, &out->messages, err);
  if (code == SSNE_OK) code = ssne_alloc(&out->taken, p->ranks, sizeof *out->taken, "ranks", err);
  if (code == SSNE_OK) code = ssne_alloc(&out->given, p->ranks, sizeof *out->given, "ranks", err);
  SSNE_TRY_ALL(comm, code, err);
  SSNE_TRY(connect(out, err));
  return ssne_agree(
      comm,
      ssne_alloc(&out->xy, p->own_rows + out->ghosts, 2 * sizeof *out->xy, "coordinates", err),
      err);
}

void ssne_near_free(ssne_near *near) {
  ssne_messages_free(&near->messages);
  ssne_free(&near->column);
  ssne_free(&near->slot);
  ssne_free(&near->xy);
  ssne_free(&near->taken);
  ssne_free(&near->given);
  ssne_free(&near->row);
  ssne_free(&near->sent);
}

ssne_code ssne_near_exchange(ssne_near *near, const float *own, ssne_error *err) {
  const ssne_partition *p = &near->affinities->partition;
  int64_t from = p->own_rows, to = 0;
  for (int r = 0; r < p->ranks; from += near->taken[r++])
    SSNE_TRY(ssne_messages_receive(&near->messages, near->xy + 2 * from, 2 * near->taken[r],
                                   MPI_FLOAT, r, err));
#pragma omp parallel for schedule(static) num_threads(near->threads)
  for (int64_t i = 0; i < near->given_rows; i++)
    memcpy(near->sent + 2 * i, own + 2 * (int64_t)near->row[i], 2 * sizeof *own);
  for (int r = 0; r < p->ranks; to += near->given[r++])
    SSNE_TRY(ssne_messages_send(&near->messages, near->sent + 2 * to, 2 * near->given[r], MPI_FLOAT,
                                r, err));
#pragma omp parallel for schedule(static) num_threads(near->threads)
  for (int64_t i = 0; i < p->own_rows; i++)
    memcpy(near->xy + 2 * (int64_t)near->slot[i], own + 2 * i, 2 * sizeof *own);
  return ssne_messages_wait(&near->messages, err);
}
