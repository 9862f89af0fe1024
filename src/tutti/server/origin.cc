#include "tutti/server/origin.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "tutti/base/printable.h"

namespace tutti::server {
namespace {

std::string Lowered(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return lowered;
}

// "[::1]:8080" -> "::1", "Example.com.:80" -> "example.com".
std::string HostName(std::string_view host) {
  if (host.starts_with('[')) return Lowered(host.substr(1, host.find(']') - 1));
  std::string name = Lowered(host.substr(0, host.find(':')));
  if (name.ends_with('.')) name.pop_back();
  return name;
}

bool IsAddress(const std::string& name) {
  in6_addr address;
  return inet_pton(AF_INET, name.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

// "https://app.example:8443": what a browser sends, nothing behind it.
bool IsOrigin(std::string_view origin) {
  const size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos || scheme == 0) return false;
  const std::string_view rest = origin.substr(scheme + 3);
  return !rest.empty() && rest.find_first_of("/*? \t,#@") == std::string_view::npos;
}

}  // namespace

Result<OriginRules> OriginRules::Create(OriginOptions options) {
  for (std::string& origin : options.cors_origins) {
    if (!IsOrigin(origin)) {
      return UsageError(
          "--cors-origin {}: must be one whole origin like https://app.example:8443; \"*\" would "
          "let every web page use this server",
          Printable(origin));
    }
    origin = Lowered(origin);
  }
  for (std::string& host : options.allowed_hosts) {
    const std::string name = HostName(host);
    if (name.empty() || name != Lowered(host) || name.find_first_of("*/ ") != std::string::npos) {
      return UsageError("--allowed-host {}: must be a name without a port, as clients write it",
                        Printable(host));
    }
    host = name;
  }
  OriginRules rules;
  rules.options_ = std::move(options);
  rules.options_.host = HostName(rules.options_.host);
  return rules;
}

std::optional<ApiError> OriginRules::Check(const HttpRequest& request) const {
  const std::string_view host = request.Find("host");
  const std::string name = HostName(host);
  // An address cannot be rebound: whoever wrote it meant this machine.
  const bool allowed = host.empty() || name == "localhost" || name.ends_with(".localhost") ||
                       IsAddress(name) || name == options_.host ||
                       std::find(options_.allowed_hosts.begin(), options_.allowed_hosts.end(),
                                 name) != options_.allowed_hosts.end();
  if (!allowed) {
    return ApiError{.status = 421,
                    .type = "invalid_request_error",
                    .message = fmt::format("this server does not answer to the name {}: start it "
                                           "with --allowed-host {}",
                                           Printable(name), Printable(name)),
                    .param = {},
                    .code = "host_not_allowed"};
  }
  const std::string_view origin = request.Find("origin");
  if (origin.empty() || IsListed(origin)) return std::nullopt;
  const size_t scheme = origin.find("://");
  const bool own = scheme != std::string_view::npos && !host.empty() &&
                   Lowered(origin.substr(scheme + 3)) == Lowered(host);
  if (own) return std::nullopt;
  return ApiError{.status = 403,
                  .type = "permission_error",
                  .message = fmt::format("web pages of {} may not use this server: start it with "
                                         "--cors-origin {}",
                                         Printable(origin), Printable(origin)),
                  .param = {},
                  .code = "origin_not_allowed"};
}

bool OriginRules::IsListed(std::string_view origin) const {
  return std::find(options_.cors_origins.begin(), options_.cors_origins.end(), Lowered(origin)) !=
         options_.cors_origins.end();
}

std::vector<Header> OriginRules::ResponseHeaders(const HttpRequest& request) const {
  if (options_.cors_origins.empty()) return {};
  std::vector<Header> headers = {{"vary", "origin"}};
  const std::string_view origin = request.Find("origin");
  if (origin.empty() || !IsListed(origin)) return headers;
  headers.push_back({"access-control-allow-origin", std::string(origin)});
  headers.push_back({"access-control-expose-headers",
                     "x-request-id, request-id, retry-after, retry-after-ms, x-should-retry, "
                     "openai-processing-ms, warning, x-ratelimit-limit-requests, "
                     "x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
                     "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, "
                     "x-ratelimit-reset-tokens, anthropic-ratelimit-requests-limit, "
                     "anthropic-ratelimit-requests-remaining, anthropic-ratelimit-requests-reset, "
                     "anthropic-ratelimit-tokens-limit, anthropic-ratelimit-tokens-remaining, "
                     "anthropic-ratelimit-tokens-reset"});
  return headers;
}

std::vector<Header> OriginRules::PreflightHeaders(const HttpRequest& request) const {
  const std::string_view origin = request.Find("origin");
  if (origin.empty() || !IsListed(origin)) return {};
  std::vector<Header> headers = {{"access-control-allow-methods", "GET, HEAD, POST, DELETE"},
                                 {"access-control-max-age", "600"}};
  // Whatever headers its SDK sends: what they mean is checked when they come.
  const std::string_view asked = request.Find("access-control-request-headers");
  if (!asked.empty()) headers.push_back({"access-control-allow-headers", std::string(asked)});
  return headers;
}

bool IsLoopback(std::string_view host) {
  const std::string name = HostName(host.find(':') != host.rfind(':') && !host.starts_with('[')
                                        ? fmt::format("[{}]", host)
                                        : std::string(host));
  if (name == "localhost" || name.ends_with(".localhost")) return true;
  in_addr v4;
  if (inet_pton(AF_INET, name.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  return inet_pton(AF_INET6, name.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

Status CheckExposure(std::string_view host, bool has_keys, bool insecure) {
  if (has_keys || insecure || IsLoopback(host)) return {};
  return UsageError(
      "--host {} can be reached from other machines and there are no keys: make one and give "
      "--keys FILE, or say --insecure if everybody who reaches it may use it",
      Printable(host));
}

}  // namespace tutti::server
