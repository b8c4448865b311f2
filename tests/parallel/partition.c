/* Every row has one owner, blocks stay whole, shares are even: checked exhaustively for small
 * sizes, and at the sizes where a product would overflow. */
#include "check.h"

#include "shardsne/partition.h"

static void check_all(int64_t rows, int64_t block_rows, int ranks) {
  int64_t next_row = 0, next_block = 0, least = INT64_MAX, most = 0;
  for (int r = 0; r < ranks; r++) {
    const ssne_partition p = ssne_partition_make(rows, block_rows, ranks, r);
    CHECK(p.first_row == next_row && p.first_block == next_block);
    CHECK(p.first_row % block_rows == 0 || p.first_row == rows);
    int64_t in_blocks = 0;
    for (int64_t b = 0; b < p.own_blocks; b++)
      in_blocks += ssne_partition_block_length(&p, p.first_block + b);
    CHECK(in_blocks == p.own_rows);
    for (int64_t i = p.first_row; i < p.first_row + p.own_rows; i++)
      CHECK(ssne_partition_owner(&p, i) == r);
    next_row += p.own_rows;
    next_block += p.own_blocks;
    least = p.own_blocks < least ? p.own_blocks : least;
    most = p.own_blocks > most ? p.own_blocks : most;
  }
  CHECK(next_row == rows && next_block == (rows + block_rows - 1) / block_rows);
  CHECK(most - least <= 1);
}

static void test_shares(int64_t count, int parts) {
  CHECK(ssne_share_begin(count, parts, 0) == 0 && ssne_share_begin(count, parts, parts) == count);
  const int64_t first = ssne_share_begin(count, parts, 1);
  for (int part = 0; part < parts; part++) {
    const int64_t begin = ssne_share_begin(count, parts, part);
    const int64_t length = ssne_share_begin(count, parts, part + 1) - begin;
    CHECK(length == count / parts || length == count / parts + 1);
    CHECK(length <= first);
  }
}

int main(void) {
  for (int64_t rows = 0; rows < 40; rows++)
    for (int64_t block = 1; block < 9; block++)
      for (int ranks = 1; ranks < 8; ranks++) check_all(rows, block, ranks);
  const int64_t huge = INT64_C(4000000000000000000);
  const ssne_partition p = ssne_partition_make(huge, 1, 100000, 99999);
  CHECK(p.first_row + p.own_rows == huge && p.own_rows == huge / 100000);
  CHECK(ssne_partition_owner(&p, huge - 1) == 99999 && ssne_partition_owner(&p, 0) == 0);
  for (int parts = 1; parts <= 130; parts += 43) {
    test_shares(0, parts);
    test_shares(97, parts);
    test_shares(INT64_MAX, parts);
  }
  return check_result();
}
