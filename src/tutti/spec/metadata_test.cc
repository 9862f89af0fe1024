#include "tutti/spec/metadata.h"

#include <gtest/gtest.h>

namespace tutti {
namespace {

TEST(MetadataTest, ConvertsBetweenNumberKinds) {
  Metadata m;
  m.Set("i", int64_t{-3});
  m.Set("u", uint64_t{7});
  m.Set("d", 8.0);
  m.Set("half", 0.5);
  m.Set("huge", ~uint64_t{0});
  EXPECT_EQ(*m.Int("i").value(), -3);
  EXPECT_EQ(*m.Int("u").value(), 7);
  EXPECT_EQ(*m.Int("d").value(), 8);
  EXPECT_FALSE(m.Int("half").ok());
  EXPECT_FALSE(m.Int("huge").ok());
  EXPECT_EQ(*m.Number("u").value(), 7.0);
  EXPECT_EQ(m.Int("absent").value(), std::nullopt);
}

TEST(MetadataTest, AWrongKindIsAnErrorThatNamesTheKey) {
  Metadata m;
  m.Set("llama.block_count", std::string("many"));
  const auto result = m.Int("llama.block_count");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kData);
  EXPECT_EQ(result.status().message(), "metadata key llama.block_count: an integer expected");
}

TEST(MetadataTest, AScalarServesAsAListOfOne) {
  Metadata m;
  m.Set("eos", int64_t{2});
  m.Set("list", std::vector<int64_t>{1, 2});
  EXPECT_EQ(*m.Ints("eos").value(), (std::vector<int64_t>{2}));
  EXPECT_EQ(*m.Numbers("list").value(), (std::vector<double>{1, 2}));
  EXPECT_FALSE(m.Strings("list").ok());
}

}  // namespace
}  // namespace tutti
