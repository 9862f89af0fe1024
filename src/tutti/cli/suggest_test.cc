#include "tutti/cli/suggest.h"

#include <gtest/gtest.h>

namespace tutti::cli {
namespace {

TEST(Suggest, EditDistanceCountsEachKindOnce) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("abc", ""), 3u);
  EXPECT_EQ(EditDistance("abc", "abc"), 0u);
  EXPECT_EQ(EditDistance("abc", "abxc"), 1u);
  EXPECT_EQ(EditDistance("abc", "ac"), 1u);
  EXPECT_EQ(EditDistance("abc", "axc"), 1u);
  EXPECT_EQ(EditDistance("abc", "acb"), 1u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
}

TEST(Suggest, TheNearestWordIfItIsNear) {
  const std::vector<std::string> words = {"run", "render", "perplexity", "--temperature"};
  EXPECT_EQ(Suggest("rnu", words), "run");
  EXPECT_EQ(Suggest("--temprature", words), "--temperature");
  EXPECT_EQ(Suggest("perp", words), "perplexity");  // a unique beginning
  EXPECT_EQ(Suggest("quantize", words), std::nullopt);
  EXPECT_EQ(Suggest("", words), std::nullopt);
  EXPECT_EQ(Suggest(std::string(100000, 'x'), words), std::nullopt);
  EXPECT_EQ(Suggest("r", std::vector<std::string>{"rough", "rather"}), std::nullopt);
}

}  // namespace
}  // namespace tutti::cli
