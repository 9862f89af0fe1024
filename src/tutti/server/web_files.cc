#include "tutti/server/web_files.h"

#include <algorithm>
#include <string>

namespace tutti::server {
namespace {

// Nothing but the page's own files and this server's API; no inline script or style, so that text
// which became markup by mistake could still do nothing.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

// Whether one of the entity tags in If-None-Match is `etag`, "weakly" (RFC 9110, 13.1.2).
bool HasTag(std::string_view field, std::string_view etag) {
  if (field == "*") return true;
  while (!field.empty()) {
    const size_t comma = std::min(field.find(','), field.size());
    std::string_view tag = field.substr(0, comma);
    field.remove_prefix(std::min(comma + 1, field.size()));
    while (tag.starts_with(' ') || tag.starts_with('\t')) tag.remove_prefix(1);
    while (tag.ends_with(' ') || tag.ends_with('\t')) tag.remove_suffix(1);
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == etag) return true;
  }
  return false;
}

}  // namespace

std::optional<HttpResponse> AnswerWebFile(const HttpRequest& request) {
  const auto files = WebFiles();
  const auto file = std::find_if(files.begin(), files.end(),
                                 [&](const WebFile& f) { return f.path == request.path; });
  if (file == files.end()) return std::nullopt;
  if (request.method != "GET" && request.method != "HEAD") {
    return HttpResponse{405, {{"allow", "GET, HEAD"}}, ""};
  }
  HttpResponse response;
  response.headers = {{"etag", std::string(file->etag)},
                      {"cache-control", "no-cache"},  // kept, but asked for again: 304
                      {"content-security-policy", std::string(kPolicy)},
                      {"x-content-type-options", "nosniff"},
                      {"referrer-policy", "no-referrer"},
                      {"cross-origin-opener-policy", "same-origin"},
                      {"cross-origin-resource-policy", "same-origin"}};
  std::string_view have;
  for (const Header& header : request.headers) {
    if (header.name == "if-none-match") have = header.value;
  }
  if (HasTag(have, file->etag)) {
    response.status = 304;
    return response;
  }
  response.headers.push_back({"content-type", std::string(file->mime)});
  response.body = file->body;
  return response;
}

}  // namespace tutti::server
