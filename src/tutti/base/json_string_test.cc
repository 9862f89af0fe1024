#include "tutti/base/json_string.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace tutti {
namespace {

TEST(JsonString, StringsAreEscapedAndAlwaysUtf8) {
  EXPECT_EQ(JsonString("a\"\\\n\x01é😀"), "\"a\\\"\\\\\\n\\u0001é😀\"");
  EXPECT_EQ(JsonString("x\xff\xc3"), "\"x\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(JsonString("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  // a surrogate
}

TEST(JsonString, WhatSomeReadersTakeForALineEndIsEscaped) {
  EXPECT_EQ(JsonString("a\xc2\x85\xe2\x80\xa8\xe2\x80\xa9\xc2\xa0"),
            "\"a\\u0085\\u2028\\u2029\xc2\xa0\"");
}

TEST(JsonString, AStrictParserReadsEveryByteBack) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  boost::json::error_code error;
  boost::json::parse(JsonString(all), error);
  EXPECT_FALSE(error);
}

}  // namespace
}  // namespace tutti
