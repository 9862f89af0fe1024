// From where requests may come: which Host they may name, which web pages may send them, and
// whether the server may be reached from outside at all.
//
// A browser is the way into a server that listens on this machine only: a page whose name is
// suddenly resolved to 127.0.0.1 (DNS rebinding) names itself as Host; a page of another origin
// names itself as Origin, also in requests that need no preflight. Both are refused here.
//
// Threads: any. Errors: kUsage with the option to change.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/server/api_error.h"
#include "tutti/server/http.h"

namespace tutti::server {

struct OriginOptions {
  std::string host = "127.0.0.1";          // that is bound
  std::vector<std::string> allowed_hosts;  // --allowed-host: names, without a port
  std::vector<std::string> cors_origins;   // --cors-origin: "https://app.example:8443"
};

class OriginRules {
 public:
  static Result<OriginRules> Create(OriginOptions options);

  // Of a request's Host and Origin; nullopt: go on.
  std::optional<ApiError> Check(const HttpRequest& request) const;

  // For every response to an allowed page: access-control-allow-origin and what it may read.
  std::vector<Header> ResponseHeaders(const HttpRequest& request) const;
  // Of the answer to OPTIONS.
  std::vector<Header> PreflightHeaders(const HttpRequest& request) const;

 private:
  bool IsListed(std::string_view origin) const;

  OriginOptions options_;
};

// Loopback addresses and "localhost".
bool IsLoopback(std::string_view host);

// A server that others can reach needs keys, or somebody who says that it needs none (S1).
Status CheckExposure(std::string_view host, bool has_keys, bool insecure);

}  // namespace tutti::server
