#include "tutti/server/http_response.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace tutti::server {
namespace {

constexpr std::array<std::pair<int, std::string_view>, 31> kReasons = {{
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
}};

std::string_view Reason(int status) {
  for (const auto& [number, reason] : kReasons) {
    if (number == status) return reason;
  }
  return "Other";
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

bool IsTransportsOwn(std::string_view name) {
  for (const std::string_view own :
       {"connection", "keep-alive", "content-length", "transfer-encoding", "date", "server",
        "x-request-id", "x-content-type-options", "upgrade", "trailer"}) {
    if (EqualsIgnoringCase(name, own)) return true;
  }
  return false;
}

void AppendHeaders(const std::vector<Header>& headers, std::string* out) {
  for (const Header& header : headers) {
    if (header.name.empty() || IsTransportsOwn(header.name)) continue;
    for (const char c : header.name) out->push_back(c <= ' ' || c == ':' || c == 0x7f ? '_' : c);
    out->append(": ");
    for (const char c : header.value) {
      const auto byte = static_cast<unsigned char>(c);
      out->push_back((byte < 0x20 && c != '\t') || byte == 0x7f ? ' ' : c);
    }
    out->append("\r\n");
  }
}

}  // namespace

bool HasBody(int status) { return status >= 200 && status != 204 && status != 304; }

bool IsChunked(int status, const ResponseFraming& framing) {
  return framing.streamed && HasBody(status) && !framing.http_1_0;
}

void AppendHead(const HttpResponse& response, const std::vector<Header>& more,
                const ResponseFraming& framing, std::string* out) {
  fmt::format_to(std::back_inserter(*out),
                 "HTTP/1.1 {} {}\r\nserver: tutti\r\ndate: {}\r\nx-request-id: {}\r\n"
                 "x-content-type-options: nosniff\r\n",
                 response.status, Reason(response.status), framing.date, framing.id);
  AppendHeaders(response.headers, out);
  AppendHeaders(more, out);
  if (IsChunked(response.status, framing)) {
    out->append("transfer-encoding: chunked\r\n");
  } else if (!framing.streamed && HasBody(response.status)) {
    fmt::format_to(std::back_inserter(*out), "content-length: {}\r\n", response.body.size());
  }
  if (framing.close) {
    out->append("connection: close\r\n\r\n");
  } else {
    fmt::format_to(std::back_inserter(*out),
                   "connection: keep-alive\r\nkeep-alive: timeout={}\r\n\r\n",
                   framing.keep_alive_s);
  }
}

void AppendChunk(std::string_view data, std::string* out) {
  fmt::format_to(std::back_inserter(*out), "{:x}\r\n", data.size());
  out->append(data);
  out->append("\r\n");
}

std::string HttpDate(int64_t unix_s) {
  namespace chrono = std::chrono;
  const chrono::sys_seconds time{chrono::seconds(unix_s)};
  const auto day = chrono::floor<chrono::days>(time);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss clock(time - day);
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                     "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
                     kDays[chrono::weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
                     kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

}  // namespace tutti::server
