// The bytes of one connection, as they come and without waiting: plain, or through TLS.
//
// Ownership: a stream uses the descriptor and does not close it. Threads: one. Errors: kFailed, and
// the connection is of no more use; a client that has gone away is kEnd or kFailed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace tutti::server {

enum class StreamState : uint8_t { kOk, kWaitRead, kWaitWrite, kEnd, kFailed };

struct StreamResult {
  StreamState state = StreamState::kOk;
  size_t bytes = 0;  // with kOk, at least 1
};

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Until kOk before anything else.
  virtual StreamState Handshake() = 0;
  virtual StreamResult Read(std::span<char> buffer) = 0;
  virtual StreamResult Write(std::string_view data) = 0;
  // Nothing more will be written; reading goes on.
  virtual void EndWriting() = 0;
  // What is unsent is thrown away when the descriptor is closed.
  virtual void Abort() = 0;
};

std::unique_ptr<ByteStream> MakePlainStream(int fd);

}  // namespace tutti::server
