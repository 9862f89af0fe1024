// Encoders: byte-equal to what the gguf package wrote (tests/golden/quants, shared fixtures).
#include "tutti/tensor/encode.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/recorded_tensors.h"
#include "tests/shared_fixtures.h"
#include "tutti/tensor/decode.h"

namespace tutti::tensor {
namespace {

using testing::RecordedTensors;
using testing::SharedFixture;

constexpr DType kRecorded[] = {DType::kF16,   DType::kBF16, DType::kQ4_0, DType::kQ4_1,
                               DType::kQ5_0,  DType::kQ5_1, DType::kQ8_0, DType::kMXFP4,
                               DType::kTQ1_0, DType::kTQ2_0};

std::vector<std::byte> Encode(DType dtype, std::span<const float> row) {
  const DTypeInfo& info = InfoOf(dtype);
  std::vector<std::byte> out(row.size() / static_cast<size_t>(info.block_size) *
                             static_cast<size_t>(info.block_bytes));
  EncodeRow(dtype, row, out);
  return out;
}

void ExpectEncodes(DType dtype, const RecordedTensors& file, const std::string& name) {
  const std::vector<int64_t> shape = file.Shape("input");
  ASSERT_EQ(shape.size(), 2u);
  const auto cols = static_cast<size_t>(shape[1]);
  const std::vector<float> input = file.Values<float>("input");
  const std::span<const std::byte> expected = file.Bytes(name);
  const auto block_bytes = static_cast<size_t>(InfoOf(dtype).block_bytes);
  const auto block_size = static_cast<size_t>(InfoOf(dtype).block_size);
  ASSERT_EQ(expected.size(), input.size() / block_size * block_bytes);
  size_t at = 0;
  for (size_t r = 0; r < static_cast<size_t>(shape[0]); ++r) {
    for (const std::byte byte : Encode(dtype, std::span(input).subspan(r * cols, cols))) {
      ASSERT_EQ(byte, expected[at])
          << NameOf(dtype) << " row " << r << ", byte " << at % block_bytes << " of block "
          << at / block_bytes % (cols / block_size);
      ++at;
    }
  }
}

class EncodeTest : public ::testing::TestWithParam<DType> {};

TEST_P(EncodeTest, EqualsTheCommittedBytes) {
  const RecordedTensors file(std::filesystem::path(TUTTI_SOURCE_DIR) /
                             "tests/golden/quants/blocks.safetensors");
  ExpectEncodes(GetParam(), file, std::string(NameOf(GetParam())) + ".encoded");
}

TEST_P(EncodeTest, EqualsEveryRecordedByte) {
  TUTTI_NEEDS_SHARED("quants/quantize_reference.safetensors");
  const RecordedTensors file(SharedFixture("quants/quantize_reference.safetensors"));
  ExpectEncodes(GetParam(), file, std::string(NameOf(GetParam())));
}

// Whatever the floats are, there are bytes and they decode (run under the sanitizers).
TEST_P(EncodeTest, IsTotal) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float max = std::numeric_limits<float>::max();
  for (const auto& [a, b] : {std::pair{inf, 1.0f},
                             {-inf, inf},
                             {nan, 1.0f},
                             {1.0f, nan},
                             {max, -max},
                             {1e-45f, -1e-45f},
                             {nan, inf}}) {
    std::vector<float> row(256);
    for (size_t i = 0; i < row.size(); ++i) row[i] = i % 3 == 0 ? a : b;
    const std::vector<std::byte> bytes = Encode(GetParam(), row);
    WeightView view;
    view.dtype = GetParam();
    view.rows = 1;
    view.cols = 256;
    view.data = bytes.data();
    std::vector<float> decoded(256);
    DecodeRow(view, 0, decoded);
  }
}

INSTANTIATE_TEST_SUITE_P(AllTypes, EncodeTest, ::testing::ValuesIn(kRecorded),
                         [](const auto& param_info) {
                           return std::string(NameOf(param_info.param));
                         });

TEST(EncodeTest, EveryTypeThatCanBeEncodedKeepsWhatItCanHold) {
  // 0 and +-1 are exact in every one of these formats.
  std::vector<float> row(256);
  for (size_t i = 0; i < row.size(); ++i) row[i] = static_cast<float>(static_cast<int>(i % 3) - 1);
  int count = 0;
  for (int id = 0; id <= static_cast<int>(DType::kMXFP4Split); ++id) {
    const auto dtype = static_cast<DType>(id);
    if (!CanEncode(dtype)) continue;
    ++count;
    const std::vector<std::byte> bytes = Encode(dtype, row);
    WeightView view;
    view.dtype = dtype;
    view.rows = 1;
    view.cols = 256;
    view.data = bytes.data();
    std::vector<float> decoded(256);
    DecodeRow(view, 0, decoded);
    for (size_t i = 0; i < row.size(); ++i) {
      ASSERT_NEAR(decoded[i], row[i], 0.13) << NameOf(dtype) << " at " << i;
    }
  }
  EXPECT_EQ(count, 13);
}

}  // namespace
}  // namespace tutti::tensor
