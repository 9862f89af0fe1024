#include "tutti/os/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace tutti::os {
namespace {

TEST(NotifyTest, SaysItToTheSocket) {
  const std::string path = ::testing::TempDir() + "notify" + std::to_string(getpid());
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const Status status = NotifyServiceManager(path, "READY=1");
  EXPECT_TRUE(status.ok()) << status.message();
  char text[32] = {};
  EXPECT_EQ(::recv(descriptor, text, sizeof(text), MSG_DONTWAIT), 7);
  EXPECT_STREQ(text, "READY=1");
  ::close(descriptor);
  ::unlink(path.c_str());
  EXPECT_EQ(NotifyServiceManager(path, "READY=1").code(), StatusCode::kIo);
  EXPECT_EQ(NotifyServiceManager(std::string(200, 'x'), "READY=1").code(), StatusCode::kUsage);
  EXPECT_EQ(NotifyServiceManager("", "READY=1").code(), StatusCode::kUsage);
}

}  // namespace
}  // namespace tutti::os
