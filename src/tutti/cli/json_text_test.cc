#include "tutti/cli/json_text.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>

namespace tutti::cli {
namespace {

TEST(JsonText, NumbersAreShortAndOrderIsKept) {
  EXPECT_EQ(ToJson({{"perplexity", 23.6042}, {"a", 1}, {"b", true}, {"c", nullptr}}),
            R"({"perplexity": 23.6042, "a": 1, "b": true, "c": null})");
  EXPECT_EQ(ToJson(boost::json::array{1e300, -0.5, NAN, INFINITY}), "[1e+300, -0.5, null, null]");
  EXPECT_EQ(JsonIds(TokenIds{5, 17, 3}), "[5, 17, 3]");
  EXPECT_EQ(JsonIds(TokenIds{}), "[]");
}

TEST(JsonText, StringsAreEscapedAndAlwaysUtf8) {
  EXPECT_EQ(JsonString("a\"\\\n\x01é😀"), "\"a\\\"\\\\\\n\\u0001é😀\"");
  EXPECT_EQ(JsonString("x\xff\xc3"), "\"x\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(JsonString("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  // a surrogate
}

TEST(JsonText, WhatSomeReadersTakeForALineEndIsEscaped) {
  EXPECT_EQ(JsonString("a\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\xc2\xa0"),
            "\"a\\u0085\\u2028\\u2029\xc2\xa0\"");
}

TEST(JsonText, AStrictParserReadsEveryByteBack) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  boost::json::error_code error;
  boost::json::parse(JsonString(all), error);
  EXPECT_FALSE(error);
}

}  // namespace
}  // namespace tutti::cli
