#include "tutti/base/utf8.h"

#include <gtest/gtest.h>

namespace tutti {
namespace {

TEST(Utf8, TakesWhatIs) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("a\xc3\xa9\xe2\x99\xaa\xf0\x9f\x8e\xbb\xf4\x8f\xbf\xbf"));
  EXPECT_EQ(Utf8Length("a"), 1u);
  EXPECT_EQ(Utf8Length("\xc3\xa9"
                       "x"),
            2u);
  EXPECT_EQ(Utf8Length("\xf0\x9f\x8e\xbb"), 4u);
}

TEST(Utf8, RefusesWhatIsNot) {
  for (const char* bad : {"\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xe2\x99",
                          "\xf4\x90\x80\x80", "\xf0\x80\x80\xaf", "\xf5\x80\x80\x80", "\xff",
                          "a\xc3"
                          "a"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

}  // namespace
}  // namespace tutti
