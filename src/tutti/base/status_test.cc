#include "tutti/base/status.h"

#include <gtest/gtest.h>

#include <memory>

namespace tutti {
namespace {

Result<int> HalfOf(int n) {
  if (n % 2 != 0) return DataError("{} is odd", n);
  return n / 2;
}

Status QuarterOf(int n, int* out) {
  TUTTI_ASSIGN_OR_RETURN(const int half, HalfOf(n));
  TUTTI_ASSIGN_OR_RETURN(*out, HalfOf(half));
  return Status();
}

TEST(StatusTest, MacrosPassValuesAndErrorsOn) {
  int quarter = 0;
  EXPECT_TRUE(QuarterOf(12, &quarter).ok());
  EXPECT_EQ(quarter, 3);
  const Status status = QuarterOf(6, &quarter);
  EXPECT_EQ(status.code(), StatusCode::kData);
  EXPECT_EQ(status.message(), "3 is odd");
  EXPECT_EQ(status.WithContext("six").message(), "six: 3 is odd");
  EXPECT_TRUE(Status().WithContext("nothing").ok());
}

TEST(StatusTest, ResultHoldsMoveOnlyValues) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(7));
  ASSERT_TRUE(result.ok());
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 7);
}

TEST(StatusDeathTest, TheValueOfAnErrorStops) { EXPECT_DEATH((void)*HalfOf(3), "3 is odd"); }

}  // namespace
}  // namespace tutti
