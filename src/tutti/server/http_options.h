// What an HttpServer is told, and what it counts.
#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/server/http.h"
#include "tutti/server/http_framing.h"

namespace tutti::server {

// What is decided when the headers are there and before a byte of the body is taken.
struct Admission {
  size_t body_limit_bytes = 0;              // never more than HttpLimits::body_bytes
  std::vector<Header> headers = {};         // added to the response, whoever gives it
  std::optional<HttpResponse> answer = {};  // sent instead of calling the handler
};

struct HttpOptions {
  std::string host = "127.0.0.1";  // a name or an address; every address of a name is bound
  uint16_t port = 8080;            // 0: any that is free
  // PEM files, both or none (http_tls.h).
  std::filesystem::path tls_certificate;
  std::filesystem::path tls_key;

  HttpLimits limits;
  std::chrono::milliseconds head_timeout{15'000};   // from its first byte, or from connecting
  std::chrono::milliseconds body_timeout{30'000};   // without a byte of it
  std::chrono::milliseconds keep_alive{75'000};     // between requests
  std::chrono::milliseconds write_timeout{30'000};  // without a byte of an answer being taken
  std::chrono::milliseconds linger{2'000};  // for the client to read the last answer and hang up
  size_t buffer_bytes = 256 * 1024;         // of a streamed answer, for a slow reader
  int connections = 16'384;                 // fewer where the process may not open so many files
  int connections_per_address = 2'048;      // IPv6: per /64
  size_t bodies_bytes = 512 * 1024 * 1024;  // of all requests that are being read or answered
  int threads = 1;

  // Called on a thread of the server with everything but the body; may note in the request what it
  // found out. Unset: all is admitted, with the limit of `limits`.
  std::function<Admission(HttpRequest&)> admit;
};

enum class HttpEvent : uint8_t {
  kConnection,
  kRequest,
  kBytesIn,
  kBytesOut,
  // Refused or ended before they had their answer, by reason:
  kTooManyConnections,
  kTooManyOfAddress,
  kHeadTimeout,
  kBodyTimeout,
  kMalformed,
  kTooLarge,
  kNotAdmitted,
  kNoMemory,
  kTlsFailed,
  kClientGone,
  kSlowReader,
  kCount
};
inline constexpr std::array<std::string_view, static_cast<size_t>(HttpEvent::kCount)>
    kHttpEventNames = {"connections",      "requests",        "bytes_in",     "bytes_out",
                       "many_connections", "many_of_address", "head_timeout", "body_timeout",
                       "malformed",        "too_large",       "not_admitted", "no_memory",
                       "tls_failed",       "client_gone",     "slow_reader"};

// Any thread may read while others count.
struct HttpCounters {
  std::array<std::atomic<int64_t>, static_cast<size_t>(HttpEvent::kCount)> events{};
  std::atomic<int64_t> open_connections{0};
  std::atomic<int64_t> body_bytes{0};  // of requests that are being read or answered

  void Count(HttpEvent event, int64_t by = 1) {
    events[static_cast<size_t>(event)].fetch_add(by, std::memory_order_relaxed);
  }
  int64_t Get(HttpEvent event) const {
    return events[static_cast<size_t>(event)].load(std::memory_order_relaxed);
  }
};

}  // namespace tutti::server
