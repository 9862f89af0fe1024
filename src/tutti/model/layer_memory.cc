#include "tutti/model/layer_memory.h"

#include <span>

namespace tutti::model {

using memory::kPageTokens;

LayerMemory MemoryOf(const ModelSpec& spec, const LayerSpec& layer, kernels::KvType type) {
  const AttentionSpec& attention = spec.attention[static_cast<size_t>(layer.attention)];
  const int64_t size = kernels::KvBytes(type);
  LayerMemory memory;
  memory.type = type;
  if (attention.kind == AttentionKind::kLatent) {
    memory.heads = 1;
    memory.key_dim = attention.kv_rank + spec.rope[static_cast<size_t>(layer.rope)].dim;
    memory.value_dim = attention.kv_rank;
    memory.bytes_per_token = memory.key_dim * size;
  } else {
    memory.heads = attention.kv_heads;
    memory.key_dim = attention.key_dim;
    memory.value_dim = attention.value_dim;
    memory.value_offset_bytes = memory.heads * memory.key_dim * size * kPageTokens;
    memory.bytes_per_token = memory.heads * (memory.key_dim + memory.value_dim) * size;
  }
  return memory;
}

std::vector<int64_t> BytesPerToken(const ModelSpec& spec, kernels::KvType type) {
  std::vector<int64_t> bytes;
  for (const LayerSpec& layer : spec.layers) {
    bytes.push_back(MemoryOf(spec, layer, type).bytes_per_token);
  }
  return bytes;
}

void LayerStore::Store(const memory::PageTable& table, int32_t position, const float* keys,
                       const float* values) const {
  const int64_t size = kernels::KvBytes(memory_.type);
  const int64_t slot = position % kPageTokens;
  std::byte* page = table.pages()[static_cast<size_t>(position / kPageTokens)] + page_offset_;
  const auto store = [&](const float* rows, int64_t dim, std::byte* out) {
    for (int64_t h = 0; h < memory_.heads; ++h) {
      kernels::StoreKv(memory_.type, {rows + h * dim, static_cast<size_t>(dim)},
                       out + (h * kPageTokens + slot) * dim * size);
    }
  };
  store(keys, memory_.key_dim, page);
  if (!memory_.values_in_keys()) {
    store(values, memory_.value_dim, page + memory_.value_offset_bytes);
  }
}

kernels::KvHistory LayerStore::History(const memory::PageTable& table,
                                       std::vector<const std::byte*>& pointers) const {
  const std::span<std::byte* const> pages = table.pages();
  pointers.resize(2 * pages.size());
  for (size_t i = 0; i < pages.size(); ++i) {
    pointers[i] = pages[i] + page_offset_;
    pointers[pages.size() + i] = pointers[i] + memory_.value_offset_bytes;
  }
  kernels::KvHistory history;
  history.type = memory_.type;
  history.page_tokens = kPageTokens;
  history.key_pages = {pointers.data(), pages.size()};
  history.value_pages = {pointers.data() + pages.size(), pages.size()};
  history.key_token_stride = memory_.key_dim;
  history.key_head_stride = kPageTokens * memory_.key_dim;
  history.value_token_stride = memory_.values_in_keys() ? memory_.key_dim : memory_.value_dim;
  history.value_head_stride = kPageTokens * history.value_token_stride;
  return history;
}

}  // namespace tutti::model
