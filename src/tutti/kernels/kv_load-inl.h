// Rows of stored keys and values to floats. Included per SIMD target, after highway.h.
#if defined(TUTTI_KERNELS_KV_LOAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TUTTI_KERNELS_KV_LOAD_INL_H_
#undef TUTTI_KERNELS_KV_LOAD_INL_H_
#else
#define TUTTI_KERNELS_KV_LOAD_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstring>

#include "tutti/kernels/kv_type.h"
#include "tutti/tensor/half.h"

// Highway emulates binary16 where the machine lacks it, but rounds towards zero and loses infinity:
// those targets convert one value at a time instead.
#undef TUTTI_HAS_F16
#if HWY_TARGET == HWY_SCALAR || (HWY_ARCH_X86 && HWY_TARGET > HWY_AVX2)
#define TUTTI_HAS_F16 0
#else
#define TUTTI_HAS_F16 1
#endif

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {

// At most 16 lanes, so that rows padded to 16 floats suit every machine.
using KvTag = hwy::HWY_NAMESPACE::CappedTag<float, 16>;
constexpr size_t kMaxKvLanes = 16;

template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> LoadKvVector(D d, const float* x) {
  return hwy::HWY_NAMESPACE::LoadU(d, x);
}
template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> LoadKvVector(D d, const hwy::float16_t* x) {
#if TUTTI_HAS_F16
  const hwy::HWY_NAMESPACE::Rebind<hwy::float16_t, D> d16;
  return hwy::HWY_NAMESPACE::PromoteTo(d, hwy::HWY_NAMESPACE::LoadU(d16, x));
#else
  HWY_ALIGN float floats[kMaxKvLanes];
  for (size_t i = 0; i < hwy::HWY_NAMESPACE::Lanes(d); ++i) {
    uint16_t bits;
    std::memcpy(&bits, x + i, sizeof(bits));
    floats[i] = tensor::F16ToFloat(bits);
  }
  return hwy::HWY_NAMESPACE::Load(d, floats);
#endif
}
template <class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> LoadKvVector(D d, const hwy::bfloat16_t* x) {
  const hwy::HWY_NAMESPACE::Rebind<hwy::bfloat16_t, D> d16;
  return hwy::HWY_NAMESPACE::PromoteTo(d, hwy::HWY_NAMESPACE::LoadU(d16, x));
}

// out[0 .. count) = x, and zeros up to the next whole vector. Reads nothing behind x[count - 1].
template <typename T>
HWY_INLINE void ConvertKvRowOf(const T* x, size_t count, float* out) {
  namespace hn = hwy::HWY_NAMESPACE;
  const KvTag d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(LoadKvVector(d, x + i), d, out + i);
  if (i < count) {
    HWY_ALIGN T rest[kMaxKvLanes];
    std::memset(static_cast<void*>(rest), 0, sizeof(rest));
    std::memcpy(static_cast<void*>(rest), x + i, (count - i) * sizeof(T));
    hn::StoreU(LoadKvVector(d, rest), d, out + i);
  }
}

HWY_INLINE void ConvertKvRow(KvType type, const std::byte* x, size_t count, float* out) {
  switch (type) {
    case KvType::kF32:
      ConvertKvRowOf(reinterpret_cast<const float*>(x), count, out);
      return;
    case KvType::kF16:
      ConvertKvRowOf(reinterpret_cast<const hwy::float16_t*>(x), count, out);
      return;
    case KvType::kBF16:
      ConvertKvRowOf(reinterpret_cast<const hwy::bfloat16_t*>(x), count, out);
      return;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
