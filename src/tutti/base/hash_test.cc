#include "tutti/base/hash.h"

#include <gtest/gtest.h>

namespace tutti {
namespace {

// The values of its authors' test suite.
TEST(HashTest, Fnv1a) {
  EXPECT_EQ(Fnv1a(""), 0xcbf29ce484222325u);
  EXPECT_EQ(Fnv1a("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(Fnv1a("foobar"), 0x85944171f73967e8u);
  EXPECT_EQ(Fnv1a("bar", Fnv1a("foo")), Fnv1a("foobar"));
}

}  // namespace
}  // namespace tutti
