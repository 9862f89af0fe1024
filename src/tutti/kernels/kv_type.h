// How keys and values are stored, and the way of rows of floats into the store.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace tutti::kernels {

enum class KvType : uint8_t { kF32, kF16, kBF16 };

constexpr int64_t KvBytes(KvType type) { return type == KvType::kF32 ? 4 : 2; }

// Rounds x to the nearest value of `type`, ties to even, and writes x.size() of them to `out`
// (aligned to KvBytes). Magnitudes above f16's 65504 become infinite. Threads: any.
void StoreKv(KvType type, std::span<const float> x, std::byte* out);

// The way back, exact.
void LoadKv(KvType type, const std::byte* x, std::span<float> out);

}  // namespace tutti::kernels
