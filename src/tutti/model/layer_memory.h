// What a layer remembers of each token, and where in a page it lies.
//
// Grouped attention keeps keys and values head by head, so that a head's history is contiguous
// within a page; latent attention keeps one row per token that serves as key and as value:
//
//   kGrouped   [kv_heads][kPageTokens][key_dim]  [kv_heads][kPageTokens][value_dim]
//   kLatent    [kPageTokens][latent kv_rank | rotary key]
//
// All of it is declared here and nowhere else. A layer that remembers something else (indexer keys,
// a state of fixed size) becomes another kind of LayerMemory.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tutti/kernels/attention.h"
#include "tutti/kernels/kv_type.h"
#include "tutti/memory/kv_pool.h"
#include "tutti/memory/page_table.h"
#include "tutti/spec/model_spec.h"

namespace tutti::model {

struct LayerMemory {
  kernels::KvType type = kernels::KvType::kF32;
  int64_t heads = 0;  // rows of keys per token
  int64_t key_dim = 0;
  int64_t value_dim = 0;           // read from the key's row where value_offset_bytes is 0
  int64_t value_offset_bytes = 0;  // of the values behind the keys, in the layer's part of a page
  int64_t bytes_per_token = 0;

  bool values_in_keys() const { return value_offset_bytes == 0; }
};

LayerMemory MemoryOf(const ModelSpec& spec, const LayerSpec& layer, kernels::KvType type);
// For memory::KvPool: one number per layer.
std::vector<int64_t> BytesPerToken(const ModelSpec& spec, kernels::KvType type);

// One layer's view of the pool.
class LayerStore {
 public:
  LayerStore(const LayerMemory& memory, int64_t page_offset)
      : memory_(memory), page_offset_(page_offset) {}

  const LayerMemory& memory() const { return memory_; }

  // Writes the key rows [heads][key_dim] (and values [heads][value_dim] where they are separate) of
  // one token. There is room for it.
  void Store(const memory::PageTable& table, int32_t position, const float* keys,
             const float* values) const;

  // The history of one sequence for the attention kernel. `pointers` receives the addresses and
  // must live as long as the result.
  kernels::KvHistory History(const memory::PageTable& table,
                             std::vector<const std::byte*>& pointers) const;

 private:
  LayerMemory memory_;
  int64_t page_offset_;
};

}  // namespace tutti::model
