// Elementwise loops whose last, partial vector takes the same arithmetic as the others.
//
// Included per SIMD target, after highway.h. A scalar loop for the tail would round differently
// (exp, fused multiply-add), and an element would then depend on where its row was cut.
#if defined(TUTTI_KERNELS_TAIL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TUTTI_KERNELS_TAIL_INL_H_
#undef TUTTI_KERNELS_TAIL_INL_H_
#else
#define TUTTI_KERNELS_TAIL_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstring>

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {

// Loads and stores whole vectors at an offset from the arrays' beginnings.
struct WholeVector {
  size_t offset;
  template <class D>
  HWY_INLINE auto Load(D d, const float* x) const {
    return hwy::HWY_NAMESPACE::LoadU(d, x + offset);
  }
  template <class D, class V>
  HWY_INLINE void Store(V v, D d, float* out) const {
    hwy::HWY_NAMESPACE::StoreU(v, d, out + offset);
  }
};

// The same for the first `count` lanes; the others read as zero and are not written.
struct PartialVector {
  size_t offset;
  size_t count;
  template <class D>
  HWY_INLINE auto Load(D d, const float* x) const {
    HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)] = {};
    std::memcpy(lanes, x + offset, count * sizeof(float));
    return hwy::HWY_NAMESPACE::Load(d, lanes);
  }
  template <class D, class V>
  HWY_INLINE void Store(V v, D d, float* out) const {
    HWY_ALIGN float lanes[HWY_MAX_BYTES / sizeof(float)];
    hwy::HWY_NAMESPACE::Store(v, d, lanes);
    std::memcpy(out + offset, lanes, count * sizeof(float));
  }
};

// Calls body(d, io) for each vector of `count` floats.
template <class Body>
HWY_INLINE void ForEachVector(size_t count, const Body& body) {
  const hwy::HWY_NAMESPACE::ScalableTag<float> d;
  const size_t lanes = hwy::HWY_NAMESPACE::Lanes(d);
  size_t i = 0;
  for (; i + lanes <= count; i += lanes) body(d, WholeVector{i});
  if (i < count) body(d, PartialVector{i, count - i});
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
