#include "tutti/kernels/kv_layout.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "tutti/tensor/half.h"

namespace tutti::kernels {
namespace {

template <typename T>
T Read(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

// Where number i of a token's row lies in a block, counted in numbers.
struct Place {
  int64_t key_group = 0;    // > 0: a block of keys
  int64_t value_group = 0;  // > 0: a block of values
  int64_t padded_dim = 0;   // of values

  int64_t Of(int64_t i, int64_t token) const {
    if (key_group > 0) {
      return (i / key_group * kKvBlockTokens + token) * key_group + i % key_group;
    }
    return (token / value_group * padded_dim + i) * value_group + token % value_group;
  }
};

// The same as a beginning and steps, for the loops that store.
struct Steps {
  int64_t first = 0;
  int64_t within = 0;  // from an even number to the next
  int64_t pair = 0;    // from an even number to the next even one
};

Steps StepsOf(const Place& place, int64_t token) {
  const int64_t first = place.Of(0, token);
  return {first, place.Of(1, token) - first, place.Of(2, token) - first};
}

template <typename T, typename Convert>
void Scatter(const float* x, int64_t count, const Steps& steps, T* out, const Convert& convert) {
  T* at = out + steps.first;
  int64_t i = 0;
  for (; i + 2 <= count; i += 2, at += steps.pair) {
    at[0] = convert(x[i]);
    at[steps.within] = convert(x[i + 1]);
  }
  if (i < count) at[0] = convert(x[i]);
}

// One scale per kKvScaleDims: the largest magnitude becomes 127. An infinite or undefined number
// makes its scale undefined, so that it is not forgotten.
void ScatterQ8(const float* x, int64_t count, const Steps& steps, std::byte* block,
               std::byte* scales, int64_t scale_step) {
  for (int64_t begin = 0; begin < count; begin += kKvScaleDims, scales += 2 * scale_step) {
    const int64_t n = std::min(kKvScaleDims, count - begin);
    float largest = 0;
    bool finite = true;
    for (int64_t i = begin; i < begin + n; ++i) {
      largest = std::max(largest, std::abs(x[i]));
      finite &= std::isfinite(x[i]);
    }
    const uint16_t stored = finite ? tensor::FloatToF16(largest / 127) : uint16_t{0x7e00};
    const float scale = tensor::F16ToFloat(stored);
    const float inverse = scale > 0 && std::isfinite(scale) ? 127 / largest : 0;
    std::memcpy(scales, &stored, sizeof(stored));
    const Steps here{steps.first + begin / 2 * steps.pair, steps.within, steps.pair};
    Scatter(x + begin, n, here, reinterpret_cast<int8_t*>(block), [&](float v) {
      return finite ? static_cast<int8_t>(std::nearbyint(v * inverse)) : int8_t{1};
    });
  }
}

// The same of rotated numbers.
void ScatterRotatedQ8(const float* x, int64_t count, int64_t rotation, const Steps& steps,
                      std::byte* block, std::byte* scales, int64_t scale_step) {
  float rotated[kMaxRotation];
  for (int64_t begin = 0; begin < count; begin += kMaxRotation) {
    const int64_t n = std::min(kMaxRotation, count - begin);
    std::copy_n(x + begin, n, rotated);
    Rotate(rotation, {rotated, static_cast<size_t>(n)});
    const Steps here{steps.first + begin / 2 * steps.pair, steps.within, steps.pair};
    ScatterQ8(rotated, n, here, block, scales + begin / kKvScaleDims * 2 * scale_step, scale_step);
  }
}

void StoreRow(KvType type, const float* x, int64_t count, int64_t rotation, const Steps& steps,
              std::byte* block, std::byte* scales, int64_t scale_step) {
  switch (type) {
    case KvType::kF32:
      return Scatter(x, count, steps, reinterpret_cast<float*>(block), [](float v) { return v; });
    case KvType::kF16:
      return Scatter(x, count, steps, reinterpret_cast<uint16_t*>(block), tensor::FloatToF16);
    case KvType::kBF16:
      return Scatter(x, count, steps, reinterpret_cast<uint16_t*>(block), tensor::FloatToBF16);
    case KvType::kQ8_0:
      if (rotation == 1) return ScatterQ8(x, count, steps, block, scales, scale_step);
      return ScatterRotatedQ8(x, count, rotation, steps, block, scales, scale_step);
  }
}

Place KeyPlace(const KvLayout& layout) { return {.key_group = layout.Group()}; }
Place ValuePlace(const KvLayout& layout) {
  return {.value_group = layout.Group(), .padded_dim = layout.PaddedValueDim()};
}

void StoreKey(const KvLayout& layout, const float* x, int64_t token, std::byte* block) {
  StoreRow(layout.type, x, layout.key_dim, layout.KeyRotation(), StepsOf(KeyPlace(layout), token),
           block, block + layout.KeyScalesAt() + 2 * token, kKvBlockTokens);
  if (layout.key_dim % layout.Group() != 0) {
    const int64_t at = KeyPlace(layout).Of(layout.key_dim, token) * layout.NumberBytes();
    std::memset(block + at, 0, static_cast<size_t>(layout.NumberBytes()));
  }
}

void StoreValue(const KvLayout& layout, const float* x, int64_t count, int64_t token,
                std::byte* block) {
  const int64_t scales = layout.Scales(layout.PaddedValueDim());
  StoreRow(layout.type, x, count, 1, StepsOf(ValuePlace(layout), token), block,
           block + layout.ValueScalesAt() + 2 * token * scales, 1);
}

float LoadNumber(KvType type, const std::byte* block, int64_t at, const std::byte* scale) {
  switch (type) {
    case KvType::kF32:
      return Read<float>(block + 4 * at);
    case KvType::kF16:
      return tensor::F16ToFloat(Read<uint16_t>(block + 2 * at));
    case KvType::kBF16:
      return tensor::BF16ToFloat(Read<uint16_t>(block + 2 * at));
    case KvType::kQ8_0:
      return tensor::F16ToFloat(Read<uint16_t>(scale)) *
             static_cast<float>(Read<int8_t>(block + at));
  }
  return 0;
}

// Butterflies over distances of 1, 2, ...: the matrix but for its factor.
template <int64_t kSize>
void RotateBlock(float* x) {
  for (int64_t distance = 1; distance < kSize; distance *= 2) {
    for (int64_t i = 0; i < kSize; i += 2 * distance) {
      for (int64_t j = i; j < i + distance; ++j) {
        const float a = x[j];
        const float b = x[j + distance];
        x[j] = a + b;
        x[j + distance] = a - b;
      }
    }
  }
  const float norm = 1 / std::sqrt(static_cast<float>(kSize));
  for (int64_t i = 0; i < kSize; ++i) x[i] *= norm;
}

template <int64_t kSize>
void RotateBlocks(int64_t size, std::span<float> x) {
  if constexpr (kSize > 1) {
    if (size != kSize) return RotateBlocks<kSize / 2>(size, x);
    for (size_t i = 0; i + kSize <= x.size(); i += kSize) RotateBlock<kSize>(x.data() + i);
  }
}

}  // namespace

void Rotate(int64_t size, std::span<float> x) { RotateBlocks<kMaxRotation>(size, x); }

void StoreToken(const KvLayout& layout, const float* keys, const float* values, int64_t token,
                std::byte* page) {
  if (layout.latent) return StoreValue(layout, keys, layout.key_dim, token, page);
  for (int64_t head = 0; head < layout.kv_heads; ++head) {
    StoreKey(layout, keys + head * layout.key_dim, token, page + layout.KeysAt(head));
    StoreValue(layout, values + head * layout.value_dim, layout.value_dim, token,
               page + layout.ValuesAt(head));
  }
}

void LoadKey(const KvLayout& layout, const std::byte* page, int64_t head, int64_t token,
             std::span<float> out) {
  if (layout.latent) return LoadValue(layout, page, head, token, out);
  const std::byte* block = page + layout.KeysAt(head);
  for (int64_t i = 0; i < std::ssize(out); ++i) {
    const std::byte* scale =
        block + layout.KeyScalesAt() + 2 * (i / kKvScaleDims * kKvBlockTokens + token);
    out[static_cast<size_t>(i)] =
        LoadNumber(layout.type, block, KeyPlace(layout).Of(i, token), scale);
  }
  Rotate(layout.KeyRotation(), out);
}

void LoadValue(const KvLayout& layout, const std::byte* page, int64_t head, int64_t token,
               std::span<float> out) {
  const std::byte* block = page + layout.ValuesAt(head);
  const int64_t scales = layout.Scales(layout.PaddedValueDim());
  for (int64_t i = 0; i < std::ssize(out); ++i) {
    const std::byte* scale =
        block + layout.ValueScalesAt() + 2 * (token * scales + i / kKvScaleDims);
    out[static_cast<size_t>(i)] =
        LoadNumber(layout.type, block, ValuePlace(layout).Of(i, token), scale);
  }
}

}  // namespace tutti::kernels
