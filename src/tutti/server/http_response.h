// Responses as bytes.
//
// Every response has Date, Server (without a version), X-Request-Id and X-Content-Type-Options;
// where a body ends and whether the connection goes on is the transport's business, so such headers
// of a handler are dropped. A line end in a value becomes a space: nobody can add headers that way.
//
// Threads: any. Errors: none.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/server/http.h"

namespace tutti::server {

struct ResponseFraming {
  bool streamed = false;   // the length is not known
  bool http_1_0 = false;   // then a streamed body ends with the connection
  bool close = false;      // the connection ends after this response
  bool head_only = false;  // HEAD: everything but the body
  int keep_alive_s = 75;   // how long the connection stays open unused
  std::string_view id;     // of the request
  std::string_view date;   // HttpDate()
};

// True where the body is sent in chunks.
bool IsChunked(int status, const ResponseFraming& framing);
// False for statuses that have no body.
bool HasBody(int status);

// Status line and headers with the empty line. `more` are added to the response's headers.
void AppendHead(const HttpResponse& response, const std::vector<Header>& more,
                const ResponseFraming& framing, std::string* out);
void AppendChunk(std::string_view data, std::string* out);  // `data` is not empty
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7) of a Unix time.
std::string HttpDate(int64_t unix_s);

}  // namespace tutti::server
