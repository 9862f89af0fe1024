#include "tutti/server/http_stream.h"

#include <sys/socket.h>

#include <cerrno>

namespace tutti::server {
namespace {

class PlainStream : public ByteStream {
 public:
  explicit PlainStream(int fd) : fd_(fd) {}

  StreamState Handshake() override { return StreamState::kOk; }

  StreamResult Read(std::span<char> buffer) override {
    ssize_t bytes;
    do {
      bytes = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    } while (bytes < 0 && errno == EINTR);
    if (bytes > 0) return {StreamState::kOk, static_cast<size_t>(bytes)};
    if (bytes == 0) return {StreamState::kEnd};
    return {WouldBlock() ? StreamState::kWaitRead : StreamState::kFailed};
  }

  StreamResult Write(std::string_view data) override {
    ssize_t bytes;
    do {
      bytes = ::send(fd_, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (bytes < 0 && errno == EINTR);
    if (bytes > 0) return {StreamState::kOk, static_cast<size_t>(bytes)};
    return {bytes < 0 && !WouldBlock() ? StreamState::kFailed : StreamState::kWaitWrite};
  }

  void EndWriting() override { ::shutdown(fd_, SHUT_WR); }

  void Abort() override {
    const linger reset{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }

 private:
  static bool WouldBlock() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS; }

  const int fd_;
};

}  // namespace

std::unique_ptr<ByteStream> MakePlainStream(int fd) { return std::make_unique<PlainStream>(fd); }

}  // namespace tutti::server
