/* The rollback journal beside a run file: raw (the first byte is 0), or pieces with places and
 * lengths out of the bytes and digests that are right. The file is put back as the pieces say, or
 * not touched. */
#include "fuzz.h"

#include "shardsne/digest.h"
#include "store_private.h"

#define FILE_BYTES 256
#define MODEL_BYTES 4096 /* of the file as it should be */
#define LAST_PIECE INT64_C(-1)

typedef struct piece {
  int64_t place, length;
  uint64_t digest;
} piece;

typedef struct model {
  uint8_t bytes[MODEL_BYTES];
  int64_t size;
} model;

static model read_file(const char *path) {
  model m = {.size = 0};
  FILE *file = fopen(path, "rb");
  FUZZ_REQUIRE(file);
  m.size = (int64_t)fread(m.bytes, 1, sizeof m.bytes, file);
  fclose(file);
  return m;
}

static void add_piece(FILE *journal, const piece *p, const uint8_t *bytes) {
  piece signed_one = *p;
  const uint64_t of_bytes = p->length > 0 ? ssne_digest64(bytes, (size_t)p->length) : 0;
  const uint64_t place = (uint64_t)p->place;
  signed_one.digest = of_bytes ^ ssne_digest64(&place, sizeof place);
  FUZZ_REQUIRE(fwrite(&signed_one, sizeof signed_one, 1, journal) == 1);
  if (p->length > 0)
    FUZZ_REQUIRE(fwrite(bytes, 1, (size_t)p->length, journal) == (size_t)p->length);
}

static void apply(model *m, const piece *p, const uint8_t *bytes) {
  memcpy(m->bytes + p->place, bytes, (size_t)p->length);
  if (p->place + p->length > m->size) m->size = p->place + p->length;
}

/* Whole pieces and, unless the bytes say otherwise, a last one; returns whether it has one. */
static int write_pieces(FILE *journal, fuzz_bytes *b, model *m) {
  uint8_t bytes[256];
  const int ends = fuzz_byte(b) % 8 != 1;
  for (int pieces = fuzz_byte(b) % 5; pieces > 0; pieces--) {
    const piece p = {.place = fuzz_number(b, 2) % (MODEL_BYTES - 256), .length = fuzz_byte(b) + 1};
    for (int64_t i = 0; i < p.length; i++) bytes[i] = fuzz_byte(b);
    add_piece(journal, &p, bytes);
    apply(m, &p, bytes);
  }
  const piece last = {.place = fuzz_number(b, 2) % MODEL_BYTES, .length = LAST_PIECE};
  if (!ends) return 0;
  add_piece(journal, &last, NULL);
  if (last.place > m->size) memset(m->bytes + m->size, 0, (size_t)(last.place - m->size));
  m->size = last.place;
  return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  uint8_t before[FILE_BYTES];
  char name[sizeof fuzz_path + 16];
  fuzz_bytes b = {bytes, size};
  ssne_error err;
  memset(before, 'x', sizeof before);
  const char *path = fuzz_file(before, sizeof before);
  model expected = read_file(path);
  snprintf(name, sizeof name, "%s.journal", path);
  FILE *journal = fopen(name, "wb");
  FUZZ_REQUIRE(journal);
  const uint8_t kind = fuzz_byte(&b);
  model changed = expected;
  if (kind == 0) FUZZ_REQUIRE(fwrite(b.at, 1, b.left, journal) == b.left);
  if (kind != 0 && write_pieces(journal, &b, &changed)) expected = changed;
  FUZZ_REQUIRE(fclose(journal) == 0);
  const ssne_code code = ssne_journal_roll_back(path, -1, &err);
  FUZZ_REQUIRE(fuzz_well(code, &err) || kind == 0);
  if (code != SSNE_OK) (void)unlink(name);
  FUZZ_REQUIRE(access(name, F_OK) != 0);
  const model found = read_file(path);
  if (kind != 0)
    FUZZ_REQUIRE(found.size == expected.size &&
                 memcmp(found.bytes, expected.bytes, (size_t)found.size) == 0);
  return 0;
}
