#include "tutti/kernels/activation.h"

#include <algorithm>
#include <cmath>

#include "tutti/base/check.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tutti/kernels/activation.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "tutti/kernels/tail-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// hn::Exp is exact to one unit for arguments up to 104; above 88.7 a float is infinite anyway.
constexpr float kExpLimit = 100.0f;

template <class D, class V>
HWY_INLINE V Sigmoid(D d, V x) {
  const auto one = hn::Set(d, 1.0f);
  // exp(-x) overflows to infinity for very negative x, whose sigmoid is then 0. Min returns its
  // second operand for NaN on x86; the sum below would lose it, so NaN is put back.
  const auto e = hn::Exp(d, hn::Min(hn::Neg(x), hn::Set(d, kExpLimit)));
  const auto s = hn::Div(one, hn::Add(one, e));
  return hn::IfThenElse(hn::Eq(x, x), s, x);
}

// x * sigmoid(x) with the limit 0 for very negative x (where sigmoid is 0 and x may be -inf).
template <class D, class V>
HWY_INLINE V XSigmoid(D d, V x, V argument) {
  const auto low = hn::Set(d, -3.0e38f);
  return hn::Mul(hn::IfThenElse(hn::Lt(x, low), low, x), Sigmoid(d, argument));
}

template <class D, class V>
HWY_INLINE V Gelu(D d, V x) {
  // 0.5 x (1 + tanh(z)) = x sigmoid(2 z), z = sqrt(2 / pi) (x + 0.044715 x^3): no cancellation for
  // negative x, where 1 + tanh(z) would lose all digits.
  const auto x2 = hn::Mul(x, x);
  const auto inner = hn::MulAdd(hn::Mul(x2, hn::Set(d, 0.044715f)), x, x);
  return XSigmoid(d, x, hn::Mul(inner, hn::Set(d, 2 * 0.7978845608028654f)));
}

void GatedActivationSimd(Activation kind, float limit, const float* gate, const float* up,
                         size_t count, float* out) {
  switch (kind) {
    case Activation::kSilu:
      ForEachVector(count, [&](auto d, const auto& io) {
        const auto g = io.Load(d, gate);
        io.Store(hn::Mul(XSigmoid(d, g, g), io.Load(d, up)), d, out);
      });
      return;
    case Activation::kGelu:
      ForEachVector(count, [&](auto d, const auto& io) {
        io.Store(hn::Mul(Gelu(d, io.Load(d, gate)), io.Load(d, up)), d, out);
      });
      return;
    case Activation::kClampedSwiglu:
      ForEachVector(count, [&](auto d, const auto& io) {
        const auto high = hn::Set(d, limit);
        const auto low = hn::Set(d, -limit);
        const auto g0 = io.Load(d, gate);
        const auto u0 = io.Load(d, up);
        const auto g = hn::IfThenElse(hn::Gt(g0, high), high, g0);
        const auto u1 = hn::IfThenElse(hn::Gt(u0, high), high, u0);
        const auto u = hn::IfThenElse(hn::Lt(u1, low), low, u1);
        const auto s = XSigmoid(d, g, hn::Mul(g, hn::Set(d, 1.702f)));
        io.Store(hn::Mul(s, hn::Add(u, hn::Set(d, 1.0f))), d, out);
      });
      return;
  }
}

void SigmoidSimd(float* x, size_t count) {
  ForEachVector(count, [&](auto d, const auto& io) { io.Store(Sigmoid(d, io.Load(d, x)), d, x); });
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {
namespace {
HWY_EXPORT(GatedActivationSimd);
HWY_EXPORT(SigmoidSimd);
}  // namespace

void GatedActivation(Activation kind, float limit, std::span<const float> gate,
                     std::span<const float> up, std::span<float> out) {
  TUTTI_CHECK(gate.size() == up.size() && gate.size() == out.size(),
              "GatedActivation: shapes differ");
  HWY_DYNAMIC_DISPATCH(GatedActivationSimd)
  (kind, limit, gate.data(), up.data(), gate.size(), out.data());
}

void SigmoidInPlace(std::span<float> x) { HWY_DYNAMIC_DISPATCH(SigmoidSimd)(x.data(), x.size()); }

double GatedActivationReference(Activation kind, double limit, double gate, double up) {
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  switch (kind) {
    case Activation::kSilu:
      return gate * sigmoid(gate) * up;
    case Activation::kGelu: {
      const double z = std::sqrt(2 / M_PI) * (gate + 0.044715 * gate * gate * gate);
      return 0.5 * gate * (1 + std::tanh(z)) * up;
    }
    case Activation::kClampedSwiglu: {
      const double g = std::min(gate, limit);
      return g * sigmoid(1.702 * g) * (std::clamp(up, -limit, limit) + 1);
    }
  }
  return 0;
}

}  // namespace tutti::kernels
#endif  // HWY_ONCE
