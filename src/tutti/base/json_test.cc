#include "tutti/base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tutti {
namespace {

using ::testing::HasSubstr;

std::string Repeated(std::string_view piece, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += piece;
  return text;
}

std::string ErrorOf(std::string_view text, const JsonOptions& options = {}) {
  const auto value = ParseJson(text, options);
  EXPECT_EQ(value.status().code(), StatusCode::kData) << text.substr(0, 80);
  return value.status().message();
}

TEST(ParseJson, GivesValuesThatOutliveTheParser) {
  auto value = ParseJson(R"({"a": [1, -2, 3.5, true, null, "a string that is not short at all"]})");
  ASSERT_TRUE(value.ok()) << value.status().message();
  auto& list = value->as_object()["a"].as_array();
  EXPECT_EQ(list.size(), 6u);
  EXPECT_EQ(View(list[5].as_string()), "a string that is not short at all");
  for (int i = 0; i < 100'000; ++i) list.push_back(i);  // no budget holds an owner back
  EXPECT_EQ(list.size(), 100'006u);
}

TEST(ParseJson, SaysWhereTextIsWrong) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("not valid JSON near byte 0"));
  EXPECT_THAT(ErrorOf("{\"a\": 1} x"), HasSubstr("not valid JSON near byte 9"));
  EXPECT_THAT(ErrorOf("[1, 2"), HasSubstr("not valid JSON"));
  EXPECT_THAT(ErrorOf(Repeated("[", 100'000)), HasSubstr("near byte 64"));
  EXPECT_THAT(ErrorOf("[[[1]]]", {.max_depth = 2}), HasSubstr("not valid JSON near byte 2"));
}

TEST(ParseJson, KeysThatAppearTwice) {
  constexpr std::string_view kText = R"({"b": {"a": 1}, "a": 2, "a": 3})";
  EXPECT_THAT(ErrorOf(kText, {.unique_keys = true}), HasSubstr("\"a\" appears twice"));
  const auto value = ParseJson(kText);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(value->at("a").as_int64(), 3);
}

TEST(ParseJson, ManyTinyValuesAreRefusedBeforeTheyTakeMemory) {
  for (const char* piece : {"0,", "{},", "[],", "\"\",", "{\"\":0},", "[{}],"}) {
    const std::string text = "[" + Repeated(piece, 1'000'000) + "0]";
    EXPECT_THAT(ErrorOf(text), HasSubstr("too many tiny values")) << piece;
  }
}

TEST(ParseJson, DensePublishedFilesAreRead) {
  std::string vocabulary = "{";
  for (int i = 0; i < 100'000; ++i) vocabulary += fmt::format("\"t{}\":{},", i, i);
  vocabulary += "\"\":0}";
  EXPECT_TRUE(ParseJson(vocabulary, {.unique_keys = true}).ok());
  EXPECT_TRUE(ParseJson("[" + Repeated("[\"ab\",\"c\"],", 200'000) + "0]").ok());
  std::string header = "{";
  for (int i = 0; i < 50'000; ++i) {
    header += fmt::format("\"w{}\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}},", i);
  }
  header += "\"\":{}}";
  EXPECT_TRUE(ParseJson(header, {.unique_keys = true}).ok());
}

}  // namespace
}  // namespace tutti
