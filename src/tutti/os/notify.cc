#include "tutti/os/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace tutti::os {

Status NotifyServiceManager(const std::string& socket, std::string_view state) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.empty() || socket.size() >= sizeof(address.sun_path)) {
    return UsageError("the service manager's socket has a name of {} bytes, 1 to {} are possible",
                      socket.size(), sizeof(address.sun_path) - 1);
  }
  std::memcpy(address.sun_path, socket.data(), socket.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return Error(StatusCode::kIo, "no socket: {}", std::strerror(errno));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size());
  const ssize_t sent = ::sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), size);
  const int error = errno;
  ::close(descriptor);
  if (sent < 0) {
    return Error(StatusCode::kIo, "the service manager does not listen at {}: {}", socket,
                 std::strerror(error));
  }
  return {};
}

}  // namespace tutti::os
