#include "tutti/kernels/kv_type.h"

#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tutti/kernels/kv_type.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

#include "tutti/kernels/kv_load-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void StoreKvSimd(KvType type, const float* HWY_RESTRICT x, size_t count, std::byte* out) {
  if (type == KvType::kF32) {
    std::memcpy(out, x, count * sizeof(float));
    return;
  }
  size_t i = 0;
#if TUTTI_HAS_F16
  const KvTag d;
  const hn::Rebind<hwy::float16_t, KvTag> d16;
  const size_t lanes = hn::Lanes(d);
  for (; type == KvType::kF16 && i + lanes <= count; i += lanes) {
    hn::StoreU(hn::DemoteTo(d16, hn::LoadU(d, x + i)), d16,
               reinterpret_cast<hwy::float16_t*>(out) + i);
  }
#endif
  for (; i < count; ++i) {
    const uint16_t value =
        type == KvType::kF16 ? tensor::FloatToF16(x[i]) : tensor::FloatToBF16(x[i]);
    std::memcpy(out + 2 * i, &value, sizeof(value));
  }
}

void LoadKvSimd(KvType type, const std::byte* x, size_t count, float* out) {
  HWY_ALIGN float padded[kMaxKvLanes];
  const KvTag d;
  const size_t lanes = hn::Lanes(d);
  const size_t whole = count / lanes * lanes;
  ConvertKvRow(type, x, whole, out);
  ConvertKvRow(type, x + whole * static_cast<size_t>(KvBytes(type)), count - whole, padded);
  std::memcpy(out + whole, padded, (count - whole) * sizeof(float));
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {
namespace {
HWY_EXPORT(StoreKvSimd);
HWY_EXPORT(LoadKvSimd);
}  // namespace

void StoreKv(KvType type, std::span<const float> x, std::byte* out) {
  HWY_DYNAMIC_DISPATCH(StoreKvSimd)(type, x.data(), x.size(), out);
}

void LoadKv(KvType type, const std::byte* x, std::span<float> out) {
  HWY_DYNAMIC_DISPATCH(LoadKvSimd)(type, x, out.size(), out.data());
}

}  // namespace tutti::kernels
#endif  // HWY_ONCE
