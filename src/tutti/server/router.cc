#include "tutti/server/router.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "tutti/base/check.h"

namespace tutti::server {
namespace {

struct Parts {
  std::string_view before;
  std::string_view after;
  bool open = false;  // something stands between
};

Parts Split(std::string_view pattern) {
  const size_t begin = pattern.find('{');
  if (begin == std::string_view::npos) return {pattern, {}};
  return {pattern.substr(0, begin), pattern.substr(pattern.find('}') + 1), true};
}

// How many fixed characters the pattern has, where it fits.
std::optional<size_t> Fit(std::string_view pattern, std::string_view path, std::string* parameter) {
  const Parts parts = Split(pattern);
  if (!parts.open) return path == pattern ? std::optional(pattern.size()) : std::nullopt;
  const size_t fixed = parts.before.size() + parts.after.size();
  if (path.size() <= fixed || !path.starts_with(parts.before) || !path.ends_with(parts.after)) {
    return std::nullopt;
  }
  *parameter = path.substr(parts.before.size(), path.size() - fixed);
  return fixed;
}

}  // namespace

void Router::Add(Route route) {
  TUTTI_CHECK(route.pattern.starts_with('/'), "a pattern begins with a slash");
  TUTTI_CHECK(std::count(route.pattern.begin(), route.pattern.end(), '{') <= 1 &&
                  std::count(route.pattern.begin(), route.pattern.end(), '}') ==
                      std::count(route.pattern.begin(), route.pattern.end(), '{'),
              "a pattern has at most one {name}");
  for (const Route& other : routes_) {
    TUTTI_CHECK(other.method != route.method || other.pattern != route.pattern, "a route twice");
  }
  routes_.push_back(std::move(route));
}

RouteMatch Router::Match(std::string_view method, std::string_view path) const {
  RouteMatch match;
  std::string_view pattern;
  std::optional<size_t> best;
  for (const Route& route : routes_) {
    std::string parameter;
    const std::optional<size_t> fixed = Fit(route.pattern, path, &parameter);
    if (!fixed || (best && *fixed <= *best)) continue;
    best = fixed;
    pattern = route.pattern;
    match.parameters.clear();
    if (*fixed < path.size()) match.parameters.push_back(std::move(parameter));
  }
  if (!best) return {};
  for (const Route& route : routes_) {
    if (route.pattern != pattern) continue;
    if (route.method == method || (route.method == "GET" && method == "HEAD")) {
      match.route = &route;
      match.allowed.clear();
      return match;
    }
    match.allowed.push_back(route.method);
    if (route.method == "GET") match.allowed.push_back("HEAD");
  }
  match.allowed.push_back("OPTIONS");
  return match;
}

}  // namespace tutti::server
