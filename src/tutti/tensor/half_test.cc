#include "tutti/tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/recorded_tensors.h"
#include "tests/shared_fixtures.h"

namespace tutti::tensor {
namespace {

using testing::RecordedTensors;
using testing::SharedFixture;

RecordedTensors Committed() {
  return RecordedTensors(std::filesystem::path(TUTTI_SOURCE_DIR) /
                         "tests/golden/quants/blocks.safetensors");
}

// Encoding by the definition: the nearest of all finite codes, ties to the even code. `top` is the
// first code that is no finite number and stands for everything that rounds to it.
template <typename Decode>
uint32_t NearestCode(float magnitude, uint32_t top, double value_of_top, const Decode& decode) {
  uint32_t best = 0;
  double best_distance = std::numeric_limits<double>::infinity();
  for (uint32_t code = 0; code <= top; ++code) {
    const double value = code == top ? value_of_top : static_cast<double>(decode(code));
    const double distance = std::abs(value - static_cast<double>(magnitude));
    if (distance < best_distance || (distance == best_distance && code % 2 == 0)) {
      best = code;
      best_distance = distance;
    }
  }
  return best;
}

TEST(HalfTest, EveryF16CodeComesBack) {
  for (uint32_t code = 0; code < 0x10000; ++code) {
    const auto half = static_cast<uint16_t>(code);
    const float value = F16ToFloat(half);
    if ((code & 0x7fff) > 0x7c00) {
      EXPECT_TRUE(std::isnan(value));
      EXPECT_TRUE(std::isnan(F16ToFloat(FloatToF16(value))));
    } else {
      ASSERT_EQ(FloatToF16(value), half);
    }
  }
}

TEST(HalfTest, F16RoundsToNearestEvenBetweenNeighbours) {
  for (uint32_t code = 0; code < 0x7c00; ++code) {
    const float low = F16ToFloat(static_cast<uint16_t>(code));
    const double high = code + 1 == 0x7c00 ? 65536.0 : F16ToFloat(static_cast<uint16_t>(code + 1));
    const float middle = static_cast<float>((low + high) / 2);  // exact
    const uint32_t even = code % 2 == 0 ? code : code + 1;
    ASSERT_EQ(FloatToF16(middle), even);
    ASSERT_EQ(FloatToF16(std::nextafter(middle, 0.0f)), code);
    ASSERT_EQ(FloatToF16(std::nextafter(middle, 1e30f)), code + 1);
    ASSERT_EQ(FloatToF16(-middle), even | 0x8000);
  }
  EXPECT_EQ(FloatToF16(std::numeric_limits<float>::max()), 0x7c00);
  EXPECT_EQ(FloatToF16(-std::numeric_limits<float>::infinity()), 0xfc00);
  EXPECT_EQ(FloatToF16(1e-40f), 0);
}

TEST(HalfTest, BF16RoundsToNearestEven) {
  EXPECT_EQ(FloatToBF16(1.0f), 0x3f80);
  EXPECT_EQ(FloatToBF16(1.0f + 0x1p-8f), 0x3f80);      // tie to even
  EXPECT_EQ(FloatToBF16(1.0f + 3 * 0x1p-8f), 0x3f82);  // tie to even
  EXPECT_EQ(FloatToBF16(1.0f + 0x1p-8f + 0x1p-20f), 0x3f81);
  EXPECT_EQ(FloatToBF16(std::numeric_limits<float>::max()), 0x7f80);
  EXPECT_EQ(FloatToBF16(-std::numeric_limits<float>::infinity()), 0xff80);
  // A NaN whose payload lies in the lower half only must not become infinite.
  EXPECT_TRUE(std::isnan(BF16ToFloat(FloatToBF16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_EQ(BF16ToFloat(0x0001), 0x1p-133f);
}

TEST(HalfTest, EightBitCodesMatchTheRecording) {
  const RecordedTensors file = Committed();
  const std::vector<float> e4m3 = file.Values<float>("F8_E4M3.f32");
  const std::vector<float> e5m2 = file.Values<float>("F8_E5M2.f32");
  ASSERT_EQ(e4m3.size(), 256u);
  ASSERT_EQ(e5m2.size(), 256u);
  for (size_t i = 0; i < 256; ++i) {
    const float a = E4M3ToFloat(static_cast<uint8_t>(i));
    const float b = E5M2ToFloat(static_cast<uint8_t>(i));
    EXPECT_TRUE(std::isnan(e4m3[i]) ? std::isnan(a) : a == e4m3[i]) << i;
    EXPECT_TRUE(std::isnan(e5m2[i]) ? std::isnan(b) : b == e5m2[i]) << i;
    if (i < 0x7f) {
      EXPECT_EQ(UnsignedE4M3ToFloat(static_cast<uint8_t>(i)), a);
    }
  }
  EXPECT_EQ(UnsignedE4M3ToFloat(0xff), 480.0f);
}

void ExpectEncodes(const RecordedTensors& file, const std::string& input, const std::string& e4m3,
                   const std::string& e5m2) {
  const std::vector<float> values = file.Values<float>(input);
  const std::vector<uint8_t> codes4 = file.Values<uint8_t>(e4m3);
  const std::vector<uint8_t> codes5 = file.Values<uint8_t>(e5m2);
  ASSERT_EQ(values.size(), codes4.size());
  ASSERT_EQ(values.size(), codes5.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const uint8_t mask = std::isnan(values[i]) ? 0x7f : 0xff;  // the sign of NaN means nothing
    // The committed recording has NaN where we saturate.
    const bool too_large = std::abs(values[i]) > 464.0f && (codes4[i] & 0x7f) == 0x7f;
    const uint8_t code4 = too_large ? codes4[i] & 0xfe : codes4[i];
    ASSERT_EQ(FloatToE4M3(values[i]) & mask, code4 & mask) << values[i];
    if (std::isnan(values[i])) {
      ASSERT_TRUE(std::isnan(E5M2ToFloat(FloatToE5M2(values[i]))));
    } else {
      ASSERT_EQ(FloatToE5M2(values[i]), codes5[i]) << values[i];
    }
  }
}

TEST(HalfTest, EightBitEncodingMatchesTheRecording) {
  ExpectEncodes(Committed(), "input8", "F8_E4M3.encoded", "F8_E5M2.encoded");
}

TEST(HalfTest, EightBitEncodingMatchesTheSharedRecording) {
  TUTTI_NEEDS_SHARED("quants/fp8_encode.safetensors");
  ExpectEncodes(RecordedTensors(SharedFixture("quants/fp8_encode.safetensors")), "input", "e4m3",
                "e5m2");
}

TEST(HalfTest, EightBitEncodingIsTheNearestCode) {
  for (uint32_t bits = 0x35000000u; bits < 0x4a000000u; bits += 0x0001f333u) {
    const float value = std::bit_cast<float>(bits);
    ASSERT_EQ(FloatToE4M3(value),
              NearestCode(value, 0x7e, 448.0,
                          [](uint32_t code) { return E4M3ToFloat(static_cast<uint8_t>(code)); }))
        << value;
    ASSERT_EQ(FloatToE5M2(value),
              NearestCode(value, 0x7c, 65536.0,
                          [](uint32_t code) { return E5M2ToFloat(static_cast<uint8_t>(code)); }))
        << value;
  }
}

TEST(HalfTest, SharedExponents) {
  for (int code = 0; code < 255; ++code) {
    EXPECT_EQ(E8M0ToFloat(static_cast<uint8_t>(code)), std::ldexp(1.0f, code - 127)) << code;
  }
  EXPECT_TRUE(std::isnan(E8M0ToFloat(255)));
  for (int code = 0; code < 256; ++code) {
    EXPECT_EQ(HalfE8M0ToFloat(static_cast<uint8_t>(code)), std::ldexp(1.0f, code - 128)) << code;
  }
}

}  // namespace
}  // namespace tutti::tensor
