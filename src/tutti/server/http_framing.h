// Where a request begins and ends in the bytes of a connection (RFC 9112), strictly: what two
// readers of the same bytes could understand differently is refused, never repaired, because
// behind a proxy such a difference lets one client write into another one's request.
//
// Refused are: line ends other than CRLF, folded headers, white space around names, control
// characters, targets that do not begin with "/", unknown versions, more than one Host,
// Content-Length or credential, Content-Length beside Transfer-Encoding, any coding but chunked,
// compressed bodies.
//
// Ownership: results own their text. Threads: one object, one thread. Errors: an HttpRefusal, whose
// status is the answer; the connection ends after it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tutti/server/http.h"

namespace tutti::server {

struct HttpLimits {
  size_t head_bytes = 16 * 1024;  // request line and headers with their line ends
  size_t headers = 100;
  size_t target_bytes = 8 * 1024;
  size_t body_bytes = 32 * 1024 * 1024;  // also when it comes in chunks
};

// Why a request is not answered by its route.
struct HttpRefusal {
  int status = 0;  // 0: not refused
  std::string_view code;
  std::string message;
};

struct RequestHead {
  HttpRequest request;  // without body, remote_address and id
  bool http_1_0 = false;
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
  uint64_t content_length = 0;
  size_t size_bytes = 0;  // of the head in the input
};

// Reads one head from a buffer that grows. Looks at each byte a constant number of times, however
// small the pieces are, and refuses what cannot become a head without waiting for its end.
class HeadParser {
 public:
  explicit HeadParser(const HttpLimits& limits) : limits_(limits) {}

  // True when `head` holds a whole head or `refusal` says why there is none; false: more bytes are
  // needed. `input` begins with what it began with at the last call.
  bool Parse(std::string_view input, RequestHead* head, HttpRefusal* refusal);

 private:
  HttpLimits limits_;
  size_t scanned_ = 0;
  bool first_line_ended_ = false;
};

// Takes a chunked body apart. Extensions and trailers are read over, in all at most 4 KB of them.
class ChunkDecoder {
 public:
  explicit ChunkDecoder(size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  // Appends the body's bytes; returns how many bytes of `input` belong to the request. The rest is
  // the next request's when done().
  size_t Decode(std::string_view input, std::string* body);
  bool done() const { return state_ == State::kDone; }
  const HttpRefusal& refusal() const { return refusal_; }

 private:
  enum class State : uint8_t {
    kSize,
    kExtension,
    kSizeEnd,  // LF of the line with the size
    kData,
    kDataEnd,  // CR and LF after the data
    kDataEndLf,
    kTrailer,  // begin of a line
    kTrailerLine,
    kTrailerEnd,
    kEndLf,
    kDone
  };
  void Refuse(int status, std::string_view code, std::string message);
  void Step(char c, size_t body_bytes);
  void StepSize(char c);
  void StepLineEnd(char c, size_t body_bytes);

  size_t limit_bytes_;
  State state_ = State::kSize;
  uint64_t size_ = 0;  // of the chunk: read so far, then what is missing of it
  int digits_ = 0;
  size_t extra_bytes_ = 0;
  HttpRefusal refusal_;
};

// "%2F" -> "/". False for a broken escape, for control characters and for what is not UTF-8.
bool PercentDecode(std::string_view text, std::string* decoded);

}  // namespace tutti::server
