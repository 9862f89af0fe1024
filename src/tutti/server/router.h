// The routes of a server as a table that can be walked: which exist, who may use them, how much
// they take.
//
// A pattern is a path, or a path with one {name} in it, which stands for one or more characters,
// "/" and ":" included ("/v1/models/{id}"). Where several patterns fit a path, the one with most
// fixed characters counts: "/v1/responses/{id}/cancel" before "/v1/responses/{id}".
//
// Threads: any, once it is filled. Errors: none.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/server/http.h"

namespace tutti::server {

// What a key may be good for.
enum class Scope : uint8_t { kPublic, kInference, kMetrics, kAdmin };

struct Route {
  std::string method;  // "GET" answers HEAD too
  std::string pattern;
  Scope scope = Scope::kAdmin;  // kPublic: without a key
  size_t body_limit_bytes = 0;
  HttpHandler handler;
};

struct RouteMatch {
  const Route* route = nullptr;
  std::vector<std::string> parameters;
  // Where route is null: methods that the path has; none: there is no such path.
  std::vector<std::string> allowed;
};

class Router {
 public:
  // A path with the same method twice, or two {} in a pattern, is a bug and stops.
  void Add(Route route);

  RouteMatch Match(std::string_view method, std::string_view path) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace tutti::server
