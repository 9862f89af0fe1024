// Each scanner against the published expression that it stands for, as another engine applies it
// (make_pretokenizer_cases.py).
#include "tutti/text/pretokenizer.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdio>
#include <fstream>

namespace tutti::text {
namespace {

namespace json = boost::json;

std::string Pieces(std::string_view text, const std::vector<size_t>& ends) {
  std::string out;
  size_t begin = 0;
  for (const size_t end : ends) {
    out += '[' + std::string(text.substr(begin, end - begin)) + ']';
    begin = end;
  }
  return out;
}

TEST(PretokenizerTest, CutsAsThePublishedExpressions) {
  std::ifstream in(TUTTI_SOURCE_DIR "/tests/text/pretokenizer_cases.jsonl", std::ios::binary);
  ASSERT_TRUE(in.good());
  int texts = 0, cuts = 0;
  for (std::string line; std::getline(in, line); ++texts) {
    const json::object object = json::parse(line).as_object();
    const std::string text(object.at("text").as_string());
    for (const auto& [name, recorded] : object.at("ends").as_object()) {
      const auto pretokenizer = Pretokenizer::Named({name.data(), name.size()});
      ASSERT_TRUE(pretokenizer.ok()) << pretokenizer.status().message();
      const auto want = json::value_to<std::vector<size_t>>(recorded);
      EXPECT_EQ(Pieces(text, pretokenizer->Split(text)), Pieces(text, want)) << name;
      ++cuts;
    }
  }
  EXPECT_GT(texts, 100);
  std::printf("%d texts, %d cuts\n", texts, cuts);
}

// What has no one expression: numbers in threes from the right, Arcee's.
TEST(PretokenizerTest, NumbersInThreesFromTheRight) {
  const auto pretokenizer = Pretokenizer::Named("afmoe");
  ASSERT_TRUE(pretokenizer.ok());
  for (const auto& [text, want] :
       {std::pair("1", "[1]"), std::pair("123", "[123]"), std::pair("1234567", "[1][234][567]"),
        std::pair("x12345 67,890", "[x][12][345][ ][67][,][890]")}) {
    EXPECT_EQ(Pieces(text, pretokenizer->Split(text)), want);
  }
}

TEST(PretokenizerTest, EveryNameCutsEverythingWithoutLoss) {
  std::string bytes;
  for (int i = 0; i < 2000; ++i) bytes.push_back(static_cast<char>(i * i * 7 + i / 3));
  for (const std::string_view name : PretokenizerNames()) {
    const auto pretokenizer = Pretokenizer::Named(name);
    ASSERT_TRUE(pretokenizer.ok());
    EXPECT_TRUE(pretokenizer->Split("").empty());
    const std::vector<size_t> ends = pretokenizer->Split(bytes);
    ASSERT_FALSE(ends.empty());
    EXPECT_EQ(ends.back(), bytes.size());
    for (size_t i = 1; i < ends.size(); ++i) EXPECT_LT(ends[i - 1], ends[i]);
  }
}

TEST(PretokenizerTest, UnknownNamesAreRefusedWithTheKnownOnes) {
  const auto unknown = Pretokenizer::Named("nonsense");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(unknown.status().message().find("nonsense"), std::string::npos);
  EXPECT_NE(unknown.status().message().find("qwen2"), std::string::npos);
}

}  // namespace
}  // namespace tutti::text
