#include "tutti/kernels/attention_isa.h"

#include <vector>

#include "tutti/kernels/attention.h"

namespace tutti::kernels {

std::span<const AttentionIsa* const> AttentionIsas(KvType type) {
  static const std::vector<const AttentionIsa*> isas = [] {
    std::vector<const AttentionIsa*> found;
    if (Bf16AttentionIsa() != nullptr) found.push_back(Bf16AttentionIsa());
    found.push_back(&Float32AttentionIsa());
    return found;
  }();
  return std::span(isas).last(type == KvType::kF32 ? 1 : isas.size());
}

KvType FastKvType() { return Bf16AttentionIsa() != nullptr ? KvType::kBF16 : KvType::kF16; }

}  // namespace tutti::kernels
