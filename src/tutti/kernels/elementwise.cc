#include "tutti/kernels/elementwise.h"

#include "tutti/base/check.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tutti/kernels/elementwise.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

#include "tutti/kernels/tail-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void AddToSimd(const float* x, size_t count, float* out) {
  ForEachVector(count, [&](auto d, const auto& io) {
    io.Store(hn::Add(io.Load(d, out), io.Load(d, x)), d, out);
  });
}

void AddScaledToSimd(const float* x, float scale, size_t count, float* out) {
  ForEachVector(count, [&](auto d, const auto& io) {
    io.Store(hn::MulAdd(io.Load(d, x), hn::Set(d, scale), io.Load(d, out)), d, out);
  });
}

void ScaleSimd(float scale, float* x, size_t count) {
  ForEachVector(count, [&](auto d, const auto& io) {
    io.Store(hn::Mul(io.Load(d, x), hn::Set(d, scale)), d, x);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {
namespace {
HWY_EXPORT(AddToSimd);
HWY_EXPORT(AddScaledToSimd);
HWY_EXPORT(ScaleSimd);
}  // namespace

void AddTo(std::span<const float> x, std::span<float> out) {
  TUTTI_CHECK(x.size() == out.size(), "AddTo: shapes differ");
  HWY_DYNAMIC_DISPATCH(AddToSimd)(x.data(), x.size(), out.data());
}

void AddScaledTo(std::span<const float> x, float scale, std::span<float> out) {
  TUTTI_CHECK(x.size() == out.size(), "AddScaledTo: shapes differ");
  HWY_DYNAMIC_DISPATCH(AddScaledToSimd)(x.data(), scale, x.size(), out.data());
}

void ScaleInPlace(float scale, std::span<float> x) {
  HWY_DYNAMIC_DISPATCH(ScaleSimd)(scale, x.data(), x.size());
}

}  // namespace tutti::kernels
#endif  // HWY_ONCE
