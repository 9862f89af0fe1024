// How keys and values are remembered: the number format of a sequence's memory.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tutti {

// kQ8_0: 8-bit integers with one binary16 scale per 32, as the weight format of that name.
enum class KvType : uint8_t { kF32, kF16, kBF16, kQ8_0 };

inline constexpr std::array<KvType, 4> kKvTypes = {KvType::kF32, KvType::kF16, KvType::kBF16,
                                                   KvType::kQ8_0};

constexpr std::string_view KvTypeName(KvType type) {
  constexpr std::string_view kNames[] = {"f32", "f16", "bf16", "q8_0"};
  return kNames[static_cast<size_t>(type)];
}

constexpr std::optional<KvType> ParseKvType(std::string_view name) {
  for (const KvType type : kKvTypes) {
    if (KvTypeName(type) == name) return type;
  }
  return std::nullopt;
}

}  // namespace tutti
