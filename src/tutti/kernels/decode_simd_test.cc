// The fast decoders against their scalar twin, on every SIMD target of this machine.
#include "tutti/kernels/decode_simd.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "tutti/base/rng.h"
#include "tutti/kernels/simd_targets_test.h"
#include "tutti/tensor/decode.h"

namespace tutti::kernels {
namespace {

using tensor::WeightView;

class DecodeSimdTest : public SimdTest {};

std::vector<std::byte> RandomBytes(size_t count, Rng& rng) {
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(rng.NextU64() & 0xff);
  return bytes;
}

void ExpectTwins(const WeightView& w) {
  std::vector<float> expected(static_cast<size_t>(w.cols));
  std::vector<float> actual(static_cast<size_t>(w.cols), 12345.0f);
  for (int64_t row = 0; row < w.rows; ++row) {
    tensor::DecodeRow(w, row, expected);
    DecodeRowFast(w, row, actual);
    for (size_t c = 0; c < expected.size(); ++c) {
      if (std::isnan(expected[c]) && std::isnan(actual[c])) continue;
      ASSERT_EQ(actual[c], expected[c])
          << NameOf(w.dtype) << " row " << row << " column " << c << " of " << w.cols;
    }
  }
}

TEST_P(DecodeSimdTest, EveryTypeWithoutScales) {
  Rng rng(5);
  for (int id = 0; id < static_cast<int>(DType::kInt4Packed); ++id) {
    const auto dtype = static_cast<DType>(id);
    const DTypeInfo& info = InfoOf(dtype);
    // Plain numbers: every length up to a few vectors, for the tails.
    for (int64_t blocks = 1; blocks <= (info.block_size == 1 ? 70 : 5); ++blocks) {
      const int64_t rows = 20;
      const std::vector<std::byte> bytes =
          RandomBytes(static_cast<size_t>(rows * blocks * info.block_bytes), rng);
      WeightView w;
      w.dtype = dtype;
      w.rows = rows;
      w.cols = blocks * info.block_size;
      w.data = bytes.data();
      w.row_stride_bytes = blocks * info.block_bytes;
      ASSERT_NO_FATAL_FAILURE(ExpectTwins(w));
    }
  }
}

TEST_P(DecodeSimdTest, EveryCodeOfTheSmallFloats) {
  std::vector<uint16_t> halves(65536);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  std::vector<uint8_t> bytes(256);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i);
  WeightView w;
  w.rows = 1;
  w.cols = 65536;
  w.data = reinterpret_cast<const std::byte*>(halves.data());
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    w.dtype = dtype;
    ASSERT_NO_FATAL_FAILURE(ExpectTwins(w));
  }
  w.cols = 256;
  w.data = reinterpret_cast<const std::byte*>(bytes.data());
  for (const DType dtype : {DType::kF8E4M3, DType::kF8E5M2}) {
    w.dtype = dtype;
    ASSERT_NO_FATAL_FAILURE(ExpectTwins(w));
  }
}

TEST_P(DecodeSimdTest, ScalesInASecondTensor) {
  Rng rng(6);
  struct Case {
    DType dtype;
    DType scale_dtype;
    int64_t cols;
    int32_t block_rows;
    int32_t block_cols;
  };
  for (const Case& c :
       {Case{DType::kF8E4M3, DType::kF32, 200, 4, 128},
        Case{DType::kF8E5M2, DType::kF32, 75, 4, 16},
        Case{DType::kF8E4M3, DType::kBF16, 131, 1, 131}, Case{DType::kF16, DType::kF32, 48, 1, 16},
        Case{DType::kBF16, DType::kF32, 48, 1, 16},
        Case{DType::kInt4Packed, DType::kBF16, 96, 1, 32},
        Case{DType::kInt4Packed, DType::kF32, 256, 1, 128},
        Case{DType::kInt4Packed, DType::kF16, 40, 1, 8},
        Case{DType::kMXFP4Split, DType::kU8, 96, 1, 32},
        Case{DType::kMXFP4Split, DType::kBF16, 64, 1, 32}}) {
    const DTypeInfo& info = InfoOf(c.dtype);
    const int64_t scale_cols = (c.cols + c.block_cols - 1) / c.block_cols;
    WeightView w;
    w.dtype = c.dtype;
    w.rows = 9;
    w.cols = c.cols;
    w.row_stride_bytes = c.cols / info.block_size * info.block_bytes;
    w.scale_dtype = c.scale_dtype;
    w.scale_row_stride_bytes = scale_cols * InfoOf(c.scale_dtype).block_bytes;
    w.scale_block_rows = c.block_rows;
    w.scale_block_cols = c.block_cols;
    const std::vector<std::byte> weights =
        RandomBytes(static_cast<size_t>(w.rows * w.row_stride_bytes), rng);
    const std::vector<std::byte> scales =
        RandomBytes(static_cast<size_t>(w.rows * w.scale_row_stride_bytes), rng);
    w.data = weights.data();
    w.scales = scales.data();
    ASSERT_NO_FATAL_FAILURE(ExpectTwins(w));
  }
}

INSTANTIATE_TEST_SUITE_P(AllTargets, DecodeSimdTest, ::testing::ValuesIn(SimdTargets()),
                         SimdTargetName);

}  // namespace
}  // namespace tutti::kernels
