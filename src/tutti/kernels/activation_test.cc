#include "tutti/kernels/activation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "tutti/kernels/elementwise.h"
#include "tutti/kernels/simd_targets_test.h"

namespace tutti::kernels {
namespace {

constexpr Activation kAll[] = {Activation::kSilu, Activation::kGelu, Activation::kClampedSwiglu};

class ActivationTest : public SimdTest {};

TEST_P(ActivationTest, MatchesReferenceForEverySize) {
  std::mt19937 rng(1);
  std::normal_distribution<float> normal(0, 4);
  for (const Activation kind : kAll) {
    for (size_t count = 0; count <= 70; ++count) {
      std::vector<float> gate(count), up(count), out(count);
      for (float& v : gate) v = normal(rng);
      for (float& v : up) v = normal(rng);
      GatedActivation(kind, 7.0f, gate, up, out);
      for (size_t i = 0; i < count; ++i) {
        const double expected = GatedActivationReference(kind, 7.0, gate[i], up[i]);
        // Reference 1 + tanh(z) cancels for negative z, hence the absolute part.
        ASSERT_NEAR(out[i], expected, 3e-6 * std::abs(expected) + 1e-12)
            << "kind " << int(kind) << " gate " << gate[i] << " up " << up[i];
      }
      GatedActivation(kind, 7.0f, gate, up, gate);  // in place
      ASSERT_EQ(gate, out);
    }
  }
}

// One unit of the exponential carries over: |error| of sigmoid stays within 2^-22 of the value.
TEST_P(ActivationTest, SiluIsAccurateOverTheWholeRange) {
  for (int i = -8800; i <= 8800; ++i) {
    const float x = static_cast<float>(i) * 0.01f;
    float gate = x, up = 1, out = 0;
    GatedActivation(Activation::kSilu, 0, {&gate, 1}, {&up, 1}, {&out, 1});
    const double expected = GatedActivationReference(Activation::kSilu, 0, x, 1);
    ASSERT_NEAR(out, expected, std::abs(expected) * 0x1p-21 + 1e-37) << x;
  }
}

TEST_P(ActivationTest, ExtremesSaturateAndNanStays) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> gate = {-inf, -1e30f, -200, 200, 1e30f, inf, std::nanf("")};
  const std::vector<float> up(gate.size(), 1.0f);
  std::vector<float> out(gate.size());
  for (const Activation kind : kAll) {
    GatedActivation(kind, 7.0f, gate, up, out);
    for (size_t i = 0; i < 3; ++i) ASSERT_NEAR(out[i], 0, 1e-30) << gate[i];
    const bool clamps = kind == Activation::kClampedSwiglu;
    for (size_t i = 3; i < 6; ++i) {
      ASSERT_FLOAT_EQ(out[i], clamps ? 14.0f / (1 + std::exp(-1.702f * 7)) : gate[i]);
    }
    ASSERT_TRUE(std::isnan(out[6])) << int(kind);
  }
}

TEST_P(ActivationTest, CuttingARowChangesNoBit) {
  std::mt19937 rng(3);
  std::normal_distribution<float> normal(0, 3);
  std::vector<float> gate(37), up(37), whole(37), parts(37);
  for (float& v : gate) v = normal(rng);
  for (float& v : up) v = normal(rng);
  for (const Activation kind : kAll) {
    GatedActivation(kind, 2.0f, gate, up, whole);
    for (size_t cut = 0; cut <= 37; ++cut) {
      std::fill(parts.begin(), parts.end(), -9.0f);
      const std::span g(gate), u(up), o(parts);
      GatedActivation(kind, 2.0f, g.first(cut), u.first(cut), o.first(cut));
      GatedActivation(kind, 2.0f, g.subspan(cut), u.subspan(cut), o.subspan(cut));
      ASSERT_EQ(whole, parts) << "cut at " << cut;
    }
  }
}

TEST_P(ActivationTest, SigmoidAndSums) {
  std::vector<float> x(21), y(21);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(i) - 10;
    y[i] = 0.25f * static_cast<float>(i);
  }
  std::vector<float> s = x;
  SigmoidInPlace(s);
  for (size_t i = 0; i < x.size(); ++i) {
    ASSERT_NEAR(s[i], 1 / (1 + std::exp(-static_cast<double>(x[i]))), 2e-7);
  }
  std::vector<float> sum = y;
  AddTo(x, sum);
  AddScaledTo(x, 2.0f, sum);
  ScaleInPlace(0.5f, sum);
  for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(sum[i], 0.5f * (y[i] + 3 * x[i]));
}

INSTANTIATE_TEST_SUITE_P(Targets, ActivationTest, ::testing::ValuesIn(SimdTargets()),
                         SimdTargetName);

}  // namespace
}  // namespace tutti::kernels
