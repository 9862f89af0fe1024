// Vectors of floats from stored F32, BF16, F16 and 8-bit floats. Included per SIMD target, after
// highway.h.
//
// Every format has its Code (the stored type), Load (a vector from as many codes) and ToFloat (one
// value): the same bits as tensor/half.h gives, on every target.
#if defined(TUTTI_KERNELS_SMALL_FLOAT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TUTTI_KERNELS_SMALL_FLOAT_INL_H_
#undef TUTTI_KERNELS_SMALL_FLOAT_INL_H_
#else
#define TUTTI_KERNELS_SMALL_FLOAT_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "tutti/tensor/half.h"

// Highway emulates binary16 where the machine lacks it, but makes numbers of infinities: those
// targets take the bits apart here.
#undef TUTTI_NATIVE_F16
#if HWY_TARGET == HWY_SCALAR || (HWY_ARCH_X86 && HWY_TARGET > HWY_AVX2) || \
    !(HWY_ARCH_X86 || HWY_ARCH_ARM_A64)
#define TUTTI_NATIVE_F16 0
#else
#define TUTTI_NATIVE_F16 1
#endif

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {

struct StoredF32 {
  using Code = float;
  static float ToFloat(Code code) { return code; }
  template <class D>
  static HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> Load(D d, const Code* from) {
    return hwy::HWY_NAMESPACE::LoadU(d, from);
  }
};

struct StoredBF16 {
  using Code = uint16_t;
  static float ToFloat(Code code) { return tensor::BF16ToFloat(code); }
  template <class D>
  static HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> Load(D d, const Code* from) {
    namespace hn = hwy::HWY_NAMESPACE;
    const hn::Rebind<uint16_t, D> d16;
    const hn::Rebind<uint32_t, D> d32;
    return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d16, from))));
  }
};

// Sign, exponent and mantissa moved to their places in a float32. kSpecial: the first code without
// sign that is no number; kUnit: the last place of a subnormal.
template <class Format, class D>
HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> FloatByParts(D d, const typename Format::Code* from) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr int kShift = 23 - Format::kMantissaBits;
  const hn::Rebind<uint32_t, D> d32;
  const hn::Rebind<int32_t, D> di;
  const hn::Rebind<typename Format::Code, D> d_code;
  const auto code = hn::PromoteTo(d32, hn::LoadU(d_code, from));
  const auto magnitude = hn::And(code, hn::Set(d32, Format::kMagnitude));
  const auto sign = hn::ShiftLeft<32 - 8 * sizeof(typename Format::Code)>(hn::Xor(code, magnitude));
  const auto shifted = hn::ShiftLeft<kShift>(magnitude);
  const auto normal = hn::Add(shifted, hn::Set(d32, (127u - Format::kBias) << 23));
  const auto subnormal = hn::BitCast(
      d32, hn::Mul(hn::ConvertTo(d, hn::BitCast(di, magnitude)), hn::Set(d, Format::kUnit)));
  // In E4M3 the code that is NaN has a mantissa other than zero, like the NaN of the others.
  const auto special = hn::Or(shifted, hn::Set(d32, 0x7f800000u));
  const auto is_subnormal = hn::Lt(magnitude, hn::Set(d32, 1u << Format::kMantissaBits));
  const auto is_special = hn::Gt(magnitude, hn::Set(d32, Format::kSpecial - 1));
  const auto bits =
      hn::IfThenElse(is_special, special, hn::IfThenElse(is_subnormal, subnormal, normal));
  return hn::BitCast(d, hn::Or(bits, sign));
}

struct StoredF16 {
  using Code = uint16_t;
  static constexpr int kMantissaBits = 10;
  static constexpr uint32_t kBias = 15;
  static constexpr uint32_t kMagnitude = 0x7fff;
  static constexpr uint32_t kSpecial = 0x7c00;
  static constexpr float kUnit = 0x1p-24f;
  static float ToFloat(Code code) { return tensor::F16ToFloat(code); }
  template <class D>
  static HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> Load(D d, const Code* from) {
#if TUTTI_NATIVE_F16
    namespace hn = hwy::HWY_NAMESPACE;
    const hn::Rebind<uint16_t, D> d16;
    const hn::Rebind<hwy::float16_t, D> d_half;
    return hn::PromoteTo(d, hn::BitCast(d_half, hn::LoadU(d16, from)));
#else
    return FloatByParts<StoredF16>(d, from);
#endif
  }
};

struct StoredE5M2 {
  using Code = uint8_t;
  static constexpr int kMantissaBits = 2;
  static constexpr uint32_t kBias = 15;
  static constexpr uint32_t kMagnitude = 0x7f;
  static constexpr uint32_t kSpecial = 0x7c;
  static constexpr float kUnit = 0x1p-16f;
  static float ToFloat(Code code) { return tensor::E5M2ToFloat(code); }
  template <class D>
  static HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> Load(D d, const Code* from) {
#if TUTTI_NATIVE_F16
    namespace hn = hwy::HWY_NAMESPACE;
    const hn::Rebind<uint8_t, D> d8;
    const hn::Rebind<uint16_t, D> d16;
    const hn::Rebind<hwy::float16_t, D> d_half;
    const auto half = hn::ShiftLeft<8>(hn::PromoteTo(d16, hn::LoadU(d8, from)));
    return hn::PromoteTo(d, hn::BitCast(d_half, half));
#else
    return FloatByParts<StoredE5M2>(d, from);
#endif
  }
};

struct StoredE4M3 {
  using Code = uint8_t;
  static constexpr int kMantissaBits = 3;
  static constexpr uint32_t kBias = 7;
  static constexpr uint32_t kMagnitude = 0x7f;
  static constexpr uint32_t kSpecial = 0x7f;
  static constexpr float kUnit = 0x1p-9f;
  static float ToFloat(Code code) { return tensor::E4M3ToFloat(code); }
  template <class D>
  static HWY_INLINE hwy::HWY_NAMESPACE::Vec<D> Load(D d, const Code* from) {
#if TUTTI_NATIVE_F16
    // Seven bits to the left it is a binary16 whose exponent is eight too small, also where it is
    // subnormal; only NaN has no counterpart.
    namespace hn = hwy::HWY_NAMESPACE;
    const hn::Rebind<uint8_t, D> d8;
    const hn::Rebind<uint16_t, D> d16;
    const hn::Rebind<hwy::float16_t, D> d_half;
    const auto code = hn::PromoteTo(d16, hn::LoadU(d8, from));
    const auto magnitude = hn::And(code, hn::Set(d16, 0x7f));
    const auto is_nan = hn::Eq(magnitude, hn::Set(d16, 0x7f));
    const auto shifted = hn::ShiftLeft<7>(hn::Add(code, hn::Sub(code, magnitude)));
    const auto half = hn::IfThenElse(is_nan, hn::Set(d16, 0x7e00), shifted);
    return hn::Mul(hn::PromoteTo(d, hn::BitCast(d_half, half)), hn::Set(d, 256.0f));
#else
    return FloatByParts<StoredE4M3>(d, from);
#endif
  }
};

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
