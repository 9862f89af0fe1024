// Mixtures of number formats against the files that llama-quantize made of the same model.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

#include "tests/shared_fixtures.h"
#include "tutti/engine/convert.h"
#include "tutti/engine/tensor_values_test.h"
#include "tutti/format/gguf_reader.h"

namespace tutti::engine {
namespace {

namespace fs = std::filesystem;

double SquaredError(const tensor::TensorView& a, const tensor::TensorView& b) {
  const std::vector<float> x = ValuesOf(a);
  const std::vector<float> y = ValuesOf(b);
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return sum;
}

class ConvertMixtures : public ::testing::TestWithParam<const char*> {};

// The mixture is the one that llama-quantize chooses, tensor by tensor, and not less faithful.
TEST_P(ConvertMixtures, AsFaithfulAsTheOther) {
  const std::string mix = GetParam();
  const auto fixture = testing::SharedFixture("gguf/qwen3_moe_wide-" + mix + ".gguf");
  TUTTI_NEEDS_SHARED("gguf/qwen3_moe_wide-" + mix + ".gguf");
  const auto published = format::OpenGguf(testing::SharedFixture("gguf/qwen3_moe_wide.gguf"));
  const auto theirs = format::OpenGguf(fixture);
  ASSERT_TRUE(published.ok() && theirs.ok());
  const fs::path path = fs::path(::testing::TempDir()) / ("tutti_mix_" + mix + ".gguf");
  const auto report = ConvertToGguf(*published, nullptr, {.mix = *FindQuantMix(mix)}, path);
  ASSERT_TRUE(report.ok()) << report.status().message();
  const auto ours = format::OpenGguf(path);
  ASSERT_TRUE(ours.ok()) << ours.status().message();
  double our_error = 0;
  double their_error = 0;
  for (const auto& [name, view] : theirs->tensors) {
    const tensor::TensorView* written = ours->Find(name);
    ASSERT_NE(written, nullptr) << name;
    EXPECT_EQ(NameOf(written->dtype), NameOf(view.dtype)) << name;
    our_error += SquaredError(*written, *published->Find(name));
    their_error += SquaredError(view, *published->Find(name));
  }
  EXPECT_GT(our_error, 0);
  EXPECT_LE(our_error, their_error * 1.001);
  std::printf("%s: squared error %.4f of llama-quantize's\n", mix.c_str(), our_error / their_error);
  fs::remove(path);
}

INSTANTIATE_TEST_SUITE_P(Mixtures, ConvertMixtures,
                         ::testing::Values("Q2_K", "Q4_K_M", "Q6_K", "Q8_0", "IQ4_XS"));

}  // namespace
}  // namespace tutti::engine
