// What a layer remembers of each token: where it lies is kernels/kv_layout.h's affair, in which
// page and which part of it is decided here.
//
// A layer that remembers something else (indexer keys, a state of fixed size) becomes another kind
// of LayerStore.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tutti/kernels/attention.h"
#include "tutti/kernels/kv_layout.h"
#include "tutti/memory/kv_pool.h"
#include "tutti/memory/page_table.h"
#include "tutti/spec/model_spec.h"

namespace tutti::model {

kernels::KvLayout LayoutOf(const ModelSpec& spec, const LayerSpec& layer, KvType type);
// For memory::KvPool: one number per layer.
std::vector<int64_t> BytesPerToken(const ModelSpec& spec, KvType type);

// One layer's view of the pool.
class LayerStore {
 public:
  LayerStore(const kernels::KvLayout& layout, int64_t page_offset)
      : layout_(layout), page_offset_(page_offset) {}

  const kernels::KvLayout& layout() const { return layout_; }

  // Writes the keys [kv_heads][key_dim] and values [kv_heads][value_dim] (none where the layout is
  // latent) of one token. There is room for it.
  void Store(const memory::PageTable& table, int32_t position, const float* keys,
             const float* values) const;

  // The history of one sequence for the attention kernel. `pointers` receives the addresses and
  // must live as long as the result.
  kernels::KvHistory History(const memory::PageTable& table,
                             std::vector<const std::byte*>& pointers) const;

 private:
  kernels::KvLayout layout_;
  int64_t page_offset_;
};

}  // namespace tutti::model
