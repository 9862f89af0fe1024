#include "tutti/model/layer_memory.h"

#include <span>

namespace tutti::model {

using memory::kPageTokens;
static_assert(kPageTokens == kernels::kKvBlockTokens);

kernels::KvLayout LayoutOf(const ModelSpec& spec, const LayerSpec& layer, KvType type) {
  const AttentionSpec& attention = spec.attention[static_cast<size_t>(layer.attention)];
  if (attention.kind == AttentionKind::kLatent) {
    const int64_t rope_dim = spec.rope[static_cast<size_t>(layer.rope)].dim;
    return {.type = type,
            .kv_heads = 1,
            .key_dim = attention.kv_rank + rope_dim,
            .value_dim = attention.kv_rank,
            .latent = true};
  }
  return {.type = type,
          .kv_heads = attention.kv_heads,
          .key_dim = attention.key_dim,
          .value_dim = attention.value_dim};
}

std::vector<int64_t> BytesPerToken(const ModelSpec& spec, KvType type) {
  std::vector<int64_t> bytes;
  for (const LayerSpec& layer : spec.layers) {
    bytes.push_back(LayoutOf(spec, layer, type).BytesPerToken());
  }
  return bytes;
}

void LayerStore::Store(const memory::PageTable& table, int32_t position, const float* keys,
                       const float* values) const {
  std::byte* page = table.pages()[static_cast<size_t>(position / kPageTokens)] + page_offset_;
  kernels::StoreToken(layout_, keys, values, position % kPageTokens, page);
}

kernels::KvHistory LayerStore::History(const memory::PageTable& table,
                                       std::vector<const std::byte*>& pointers) const {
  pointers.clear();
  for (std::byte* const page : table.pages()) pointers.push_back(page + page_offset_);
  return {.layout = layout_, .pages = pointers};
}

}  // namespace tutti::model
