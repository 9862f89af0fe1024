#include "tutti/spec/dtype.h"

#include <gtest/gtest.h>

namespace tutti {
namespace {

TEST(DTypeTest, NamesAndIdsLeadBack) {
  for (uint32_t id = 0; id < 64; ++id) {
    if (const auto dtype = DTypeFromGgmlId(id)) {
      EXPECT_EQ(static_cast<uint32_t>(InfoOf(*dtype).ggml_type_id), id);
      EXPECT_EQ(DTypeFromName(NameOf(*dtype)), dtype);
    }
  }
  EXPECT_EQ(DTypeFromGgmlId(4), std::nullopt);  // Q4_2, removed from GGUF before version 2
  EXPECT_EQ(DTypeFromName("Q4_2"), std::nullopt);
}

}  // namespace
}  // namespace tutti
