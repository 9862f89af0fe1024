#include "tutti/base/printable.h"

#include <gtest/gtest.h>

namespace tutti {
namespace {

TEST(Printable, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(Printable("model.layers.0.mlp é"), "model.layers.0.mlp é");
  EXPECT_EQ(Printable(""), "");
}

TEST(Printable, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(Printable(std::string_view("a\n\x1b[31mb\x7f\0c", 11)), "a\\x0a\\x1b[31mb\\x7f\\x00c");
}

TEST(Printable, EscapesWhatIsNotUtf8) {
  EXPECT_EQ(Printable("a\xff\xc3"), "a\\xff\\xc3");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "1m"),
            "\\xc2\\x9b1m");  // CSI in one character
  EXPECT_EQ(Printable("\xc0\xaf"), "\\xc0\\xaf");
}

TEST(Printable, CutsLongText) {
  EXPECT_EQ(Printable("ab\xe2\x99\xaa"
                      "c",
                      3),
            "ab\xe2\x99\xaa...");
  EXPECT_EQ(Printable("abcdef", 6), "abcdef");
  EXPECT_EQ(Printable("abcdefg", 6), "abcdef...");
}

}  // namespace
}  // namespace tutti
