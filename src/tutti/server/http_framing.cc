#include "tutti/server/http_framing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "tutti/base/utf8.h"

namespace tutti::server {
namespace {

constexpr size_t kExtraBytesMax = 4096;  // extensions and trailers of a chunked body
constexpr size_t kMethodBytesMax = 16;

HttpRefusal BadRequest(std::string message) { return {400, "invalid_http", std::move(message)}; }

bool IsTokenChar(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool IsControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7f;
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string Lowered(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = Lower(c);
  return lowered;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Headers of which a second one would leave open which counts.
constexpr std::array<std::string_view, 8> kOnce = {
    "host",   "content-length", "transfer-encoding", "authorization", "x-api-key", "content-type",
    "origin", "expect"};

HttpRefusal ParseTarget(std::string_view target, const HttpLimits& limits, HttpRequest* request) {
  if (target.size() > limits.target_bytes) {
    return {414, "uri_too_long",
            fmt::format("the request target has {} bytes, at most {} are taken", target.size(),
                        limits.target_bytes)};
  }
  if (target.empty() || target.front() != '/') {
    return BadRequest("the request target must begin with \"/\"");
  }
  for (const char c : target) {
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f ||
        std::string_view("\"#<>\\^`{|}").find(c) != std::string_view::npos) {
      return BadRequest("the request target has a character that must be percent-encoded");
    }
  }
  const size_t mark = target.find('?');
  if (mark != std::string_view::npos) request->query = target.substr(mark + 1);
  if (!PercentDecode(target.substr(0, mark), &request->path)) {
    return BadRequest("the path is not percent-encoded UTF-8 without control characters");
  }
  return {};
}

HttpRefusal ParseVersion(std::string_view version, RequestHead* head) {
  if (version == "HTTP/1.1") return {};
  if (version == "HTTP/1.0") {
    head->http_1_0 = true;
    head->keep_alive = false;
    return {};
  }
  const bool known = version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.' &&
                     version[5] >= '0' && version[5] <= '9' && version[7] >= '0' &&
                     version[7] <= '9';
  if (!known) return BadRequest("the request line does not end in an HTTP version");
  return {505, "http_version", "only HTTP/1.1 and HTTP/1.0 are spoken here"};
}

HttpRefusal ParseRequestLine(std::string_view line, const HttpLimits& limits, RequestHead* head) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return BadRequest("the request line must have a method, a target and a version");
  }
  const std::string_view method = line.substr(0, first);
  if (method.empty() || method.size() > kMethodBytesMax ||
      !std::all_of(method.begin(), method.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
    return BadRequest("the method must be 1 to 16 capital letters");
  }
  head->request.method = method;
  if (HttpRefusal refusal = ParseVersion(line.substr(last + 1), head); refusal.status != 0) {
    return refusal;
  }
  return ParseTarget(line.substr(first + 1, last - first - 1), limits, &head->request);
}

HttpRefusal ParseHeaderLine(std::string_view line, HttpRequest* request) {
  if (line.front() == ' ' || line.front() == '\t') {
    return BadRequest("a header is continued on the next line: write it in one");
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return BadRequest("a header without a name");
  const std::string_view name = line.substr(0, colon);
  if (!std::all_of(name.begin(), name.end(), IsTokenChar)) {
    return BadRequest("a header's name has a character that names may not have, or a space");
  }
  request->headers.push_back({Lowered(name), std::string(Trim(line.substr(colon + 1)))});
  return {};
}

// RFC 9110 7.2: a name or an address, and perhaps a port.
bool IsHost(std::string_view host) {
  std::string_view name = host;
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    name = host.substr(1, end - 1);
    host.remove_prefix(end + 1);
    const auto is_address = [](char c) { return HexDigit(c) >= 0 || c == ':' || c == '.'; };
    if (!std::all_of(name.begin(), name.end(), is_address)) return false;
    if (!host.empty() && host.front() != ':') return false;
  } else {
    const size_t colon = std::min(host.find(':'), host.size());
    name = host.substr(0, colon);
    host.remove_prefix(colon);
    const auto is_name = [](char c) {
      return c == '-' || c == '.' || c == '_' || (c >= '0' && c <= '9') ||
             (Lower(c) >= 'a' && Lower(c) <= 'z');
    };
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_name)) return false;
  }
  if (host.empty()) return true;
  host.remove_prefix(1);
  return host.size() <= 5 &&
         std::all_of(host.begin(), host.end(), [](char c) { return c >= '0' && c <= '9'; });
}

HttpRefusal ReadConnection(std::string_view value, RequestHead* head) {
  while (!value.empty()) {
    const size_t comma = std::min(value.find(','), value.size());
    const std::string option = Lowered(Trim(value.substr(0, comma)));
    if (option == "close") head->keep_alive = false;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return {};
}

HttpRefusal ReadLength(std::string_view value, RequestHead* head) {
  const bool digits =
      std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (value.empty() || value.size() > 18 || !digits) {
    return BadRequest("Content-Length must be one number of 1 to 18 digits");
  }
  std::from_chars(value.data(), value.data() + value.size(), head->content_length);
  return {};
}

HttpRefusal ReadHeader(const Header& header, RequestHead* head) {
  const std::string_view value = header.value;
  if (header.name == "connection") return ReadConnection(value, head);
  if (header.name == "content-length") return ReadLength(value, head);
  if (header.name == "host" && !IsHost(value))
    return BadRequest("Host is no name or address with a port");
  if (header.name == "transfer-encoding") {
    if (head->http_1_0) return BadRequest("HTTP/1.0 has no Transfer-Encoding");
    if (Lowered(value) != "chunked") {
      return {501, "transfer_encoding", "the only Transfer-Encoding that is taken is chunked"};
    }
    head->chunked = true;
  }
  if (header.name == "content-encoding" && Lowered(value) != "identity") {
    return {415, "content_encoding", "compressed bodies are not taken: send the body as it is"};
  }
  if (header.name == "expect") {
    if (Lowered(value) != "100-continue")
      return {417, "expect", "the only expectation that is met is 100-continue"};
    head->expects_continue = !head->http_1_0;
  }
  return {};
}

HttpRefusal ReadHeaders(RequestHead* head) {
  std::array<int, kOnce.size()> seen{};
  for (const Header& header : head->request.headers) {
    for (size_t i = 0; i < kOnce.size(); ++i) {
      if (header.name != kOnce[i]) continue;
      if (++seen[i] > 1) return BadRequest(fmt::format("more than one {} header", header.name));
    }
    if (HttpRefusal refusal = ReadHeader(header, head); refusal.status != 0) return refusal;
  }
  if (seen[0] == 0 && !head->http_1_0) return BadRequest("HTTP/1.1 needs a Host header");
  if (head->chunked && seen[1] > 0) {
    return BadRequest("both Content-Length and Transfer-Encoding: the body's end is ambiguous");
  }
  return {};
}

HttpRefusal ParseLines(std::string_view text, const HttpLimits& limits, RequestHead* head) {
  size_t end = text.find("\r\n");
  if (HttpRefusal refusal = ParseRequestLine(text.substr(0, end), limits, head);
      refusal.status != 0) {
    return refusal;
  }
  text.remove_prefix(end + 2);
  while ((end = text.find("\r\n")) != 0) {
    if (head->request.headers.size() == limits.headers) {
      return {431, "too_many_headers", fmt::format("more than {} headers", limits.headers)};
    }
    if (HttpRefusal refusal = ParseHeaderLine(text.substr(0, end), &head->request);
        refusal.status != 0) {
      return refusal;
    }
    text.remove_prefix(end + 2);
  }
  return ReadHeaders(head);
}

}  // namespace

bool HeadParser::Parse(std::string_view input, RequestHead* head, HttpRefusal* refusal) {
  // One empty line before a request is read over: old clients send it after a body.
  const size_t skip = input.starts_with("\r\n") ? 2 : 0;
  scanned_ = std::max(scanned_, skip);
  for (; scanned_ < input.size(); ++scanned_) {
    const char c = input[scanned_];
    if (scanned_ - skip >= limits_.head_bytes) {
      *refusal = {
          431, "headers_too_large",
          fmt::format("request line and headers have more than {} bytes", limits_.head_bytes)};
      return true;
    }
    if (c == '\r') {
      if (scanned_ + 1 == input.size()) return false;
      if (input[scanned_ + 1] == '\n') continue;
      *refusal = BadRequest("a carriage return without a line feed");
      return true;
    }
    if (c == '\n') {
      if (scanned_ == 0 || input[scanned_ - 1] != '\r') {
        *refusal = BadRequest("a line feed without a carriage return");
        return true;
      }
      if (!first_line_ended_) {
        // HTTP/0.9 has no more than this line: its client waits for an answer.
        first_line_ended_ = true;
        RequestHead unused;
        *refusal = ParseRequestLine(input.substr(skip, scanned_ - 1 - skip), limits_, &unused);
        if (refusal->status != 0) return true;
      }
      if (scanned_ >= skip + 3 && input.substr(scanned_ - 3, 4) == "\r\n\r\n") {
        *head = {};
        head->size_bytes = scanned_ + 1;
        *refusal = ParseLines(input.substr(skip, scanned_ + 1 - skip), limits_, head);
        return true;
      }
      continue;
    }
    if (IsControl(c) && c != '\t') {
      *refusal = BadRequest("a control character before the end of the headers (is this TLS?)");
      return true;
    }
    // "GET " and " HTTP/1.1" beside the target.
    if (!first_line_ended_ && scanned_ - skip > limits_.target_bytes + kMethodBytesMax + 10) {
      *refusal = {414, "uri_too_long",
                  fmt::format("the request target has more than {} bytes", limits_.target_bytes)};
      return true;
    }
  }
  return false;
}

void ChunkDecoder::Refuse(int status, std::string_view code, std::string message) {
  refusal_ = {status, code, std::move(message)};
}

size_t ChunkDecoder::Decode(std::string_view input, std::string* body) {
  size_t used = 0;
  while (used < input.size() && !done() && refusal_.status == 0) {
    if (state_ == State::kData) {
      const size_t take = std::min<uint64_t>(size_, input.size() - used);
      body->append(input.substr(used, take));
      used += take;
      size_ -= take;
      if (size_ == 0) state_ = State::kDataEnd;
      continue;
    }
    Step(input[used], body->size());
    ++used;
  }
  return used;
}

void ChunkDecoder::StepSize(char c) {
  if (const int digit = HexDigit(c); digit >= 0) {
    if (++digits_ > 15)
      return Refuse(400, "invalid_http", "a chunk's size has more than 15 digits");
    size_ = size_ * 16 + static_cast<uint64_t>(digit);
  } else if (digits_ > 0 && c == ';') {
    state_ = State::kExtension;
  } else if (digits_ > 0 && c == '\r') {
    state_ = State::kSizeEnd;
  } else {
    Refuse(400, "invalid_http", "a chunk's size must be hexadecimal digits");
  }
}

void ChunkDecoder::StepLineEnd(char c, size_t body_bytes) {
  const char expected = state_ == State::kDataEnd ? '\r' : '\n';
  if (c != expected) return Refuse(400, "invalid_http", "a chunk does not end where its size says");
  if (state_ == State::kDataEnd) {
    state_ = State::kDataEndLf;
  } else if (state_ == State::kDataEndLf) {
    state_ = State::kSize;
    size_ = 0;
    digits_ = 0;
  } else if (state_ == State::kTrailerEnd) {
    state_ = State::kTrailer;
  } else if (state_ == State::kEndLf) {
    state_ = State::kDone;
  } else if (size_ == 0) {
    state_ = State::kTrailer;
  } else if (size_ > limit_bytes_ - body_bytes) {
    Refuse(413, "body_too_large", fmt::format("the body has more than {} bytes", limit_bytes_));
  } else {
    state_ = State::kData;
  }
}

void ChunkDecoder::Step(char c, size_t body_bytes) {
  switch (state_) {
    case State::kSize:
      return StepSize(c);
    case State::kTrailer:
      if (c == '\r') {
        state_ = State::kEndLf;
        return;
      }
      if (!IsTokenChar(c)) return Refuse(400, "invalid_http", "a trailer without a name");
      state_ = State::kTrailerLine;
      [[fallthrough]];
    case State::kTrailerLine:
    case State::kExtension:
      if (++extra_bytes_ > kExtraBytesMax) {
        return Refuse(431, "headers_too_large", "too many chunk extensions and trailers");
      }
      if (c == '\r') {
        state_ = state_ == State::kExtension ? State::kSizeEnd : State::kTrailerEnd;
      } else if (IsControl(c) && c != '\t') {
        Refuse(400, "invalid_http", "a control character in a chunk extension or trailer");
      }
      return;
    default:
      return StepLineEnd(c, body_bytes);
  }
}

bool PercentDecode(std::string_view text, std::string* decoded) {
  decoded->clear();
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (text.size() - i < 3) return false;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (IsControl(c)) return false;
    decoded->push_back(c);
  }
  return IsUtf8(*decoded);
}

}  // namespace tutti::server
