#include "tutti/base/json_text.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cmath>

namespace tutti {
namespace {

TEST(JsonText, IsWhatWasRead) {
  for (const char* text :
       {"null", "true", "-7", "18446744073709551615", "0.5", "1e+300", "\"a\\n\\\"\"", "[]", "{}",
        "[1,[],{}]", "{\"b\":{\"c\":[null,0.25]},\"a\":\"\"}"}) {
    EXPECT_EQ(JsonText(boost::json::parse(text)), text);
  }
  EXPECT_EQ(JsonText(NAN), "null");
}

}  // namespace
}  // namespace tutti
