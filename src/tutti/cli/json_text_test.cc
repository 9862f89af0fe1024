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

}  // namespace
}  // namespace tutti::cli
