#include "shardsne/neighbour_list.h"
#include "shardsne/memory.h"

ssne_code ssne_neighbours_allocate(const ssne_partition *partition, int64_t k, ssne_neighbours *out,
                                   ssne_error *err) {
  *out = (ssne_neighbours){.partition = *partition, .k = k, .stride = 2 * k};
  SSNE_TRY(ssne_alloc(&out->memory, partition->own_rows * k, sizeof(uint64_t), "neighbours", err));
  out->index = out->memory;
  out->distance = (float *)out->memory + k;
  return SSNE_OK;
}

void ssne_neighbours_free(ssne_neighbours *neighbours) {
  ssne_free(&neighbours->memory);
  *neighbours = (ssne_neighbours){.k = 0};
}
