#include "tutti/server/workers.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <new>

namespace tutti::server {
namespace {

TEST(WorkersTest, ATaskThatThrowsEndsAlone) {
  Workers workers(1);
  const auto held = std::make_shared<int>(1);
  workers.Post([held] { throw std::bad_alloc(); });
  std::promise<void> next;
  workers.Post([&] { next.set_value(); });
  EXPECT_EQ(next.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace tutti::server
