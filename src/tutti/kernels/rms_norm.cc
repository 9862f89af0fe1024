#include "tutti/kernels/rms_norm.h"

#include <cmath>

#include "tutti/base/check.h"

// Compiles the rest of this file once per SIMD target.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tutti/kernels/rms_norm.cc"
#include <hwy/foreach_target.h>
// foreach_target.h must come first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tutti::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// `x` is not HWY_RESTRICT because `out` may alias it.
void RmsNormSimd(const float* x, const float* HWY_RESTRICT weight, float eps, size_t dim,
                 float* out) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d);

  // Two independent sums, so that one FMA need not wait for the previous one.
  auto sum0 = hn::Zero(d);
  auto sum1 = hn::Zero(d);
  size_t i = 0;
  for (; i + 2 * lanes <= dim; i += 2 * lanes) {
    const auto a = hn::LoadU(d, x + i);
    const auto b = hn::LoadU(d, x + i + lanes);
    sum0 = hn::MulAdd(a, a, sum0);
    sum1 = hn::MulAdd(b, b, sum1);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(sum0, sum1)));
  for (; i < dim; ++i) sum += x[i] * x[i];

  const float scale = 1.0f / std::sqrt(sum / static_cast<float>(dim) + eps);
  const auto vscale = hn::Set(d, scale);
  i = 0;
  for (; i + lanes <= dim; i += lanes) {
    const auto v = hn::Mul(hn::LoadU(d, x + i), vscale);
    hn::StoreU(hn::Mul(v, hn::LoadU(d, weight + i)), d, out + i);
  }
  for (; i < dim; ++i) out[i] = x[i] * scale * weight[i];
}

}  // namespace HWY_NAMESPACE
}  // namespace tutti::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tutti::kernels {
namespace {
HWY_EXPORT(RmsNormSimd);

// Rows handed to a member at a time: enough work to be worth waking it up.
constexpr int64_t kRowGrain = 4;
}  // namespace

void RmsNorm(std::span<const float> x, std::span<const float> weight, float eps,
             std::span<float> out) {
  TUTTI_CHECK(!x.empty() && x.size() == weight.size() && x.size() == out.size(),
              "RmsNorm: shapes differ");
  HWY_DYNAMIC_DISPATCH(RmsNormSimd)(x.data(), weight.data(), eps, x.size(), out.data());
}

void RmsNormRows(const float* x, int64_t rows, int64_t groups, int64_t x_stride,
                 std::span<const float> weight, float eps, float* out, int64_t out_stride,
                 KernelContext& context) {
  const size_t dim = weight.size();
  TUTTI_CHECK(dim > 0, "RmsNormRows: no weights");
  context.pool.ParallelFor(rows, kRowGrain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t group = 0; group < groups; ++group) {
        const int64_t offset = group * static_cast<int64_t>(dim);
        HWY_DYNAMIC_DISPATCH(RmsNormSimd)
        (x + row * x_stride + offset, weight.data(), eps, dim, out + row * out_stride + offset);
      }
    }
  });
}

void RmsNormReference(std::span<const float> x, std::span<const float> weight, float eps,
                      std::span<float> out) {
  double sum = 0;
  for (const float v : x) sum += static_cast<double>(v) * v;
  const double scale = 1 / std::sqrt(sum / static_cast<double>(x.size()) + eps);
  for (size_t i = 0; i < x.size(); ++i) out[i] = static_cast<float>(x[i] * scale * weight[i]);
}

}  // namespace tutti::kernels
#endif  // HWY_ONCE
