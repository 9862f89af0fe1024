#include "tutti/server/front_door.h"

#include <fmt/format.h>

#include <chrono>
#include <iterator>
#include <utility>

#include "tutti/base/printable.h"
#include "tutti/server/error_response.h"

namespace tutti::server {
namespace {

double SteadySeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int64_t UnixSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void Append(std::vector<Header> more, std::vector<Header>* headers) {
  std::move(more.begin(), more.end(), std::back_inserter(*headers));
}

std::string Joined(const std::vector<std::string>& methods) {
  std::string text;
  for (const std::string& method : methods) text += (text.empty() ? "" : ", ") + method;
  return text;
}

ApiError NoRoute(const HttpRequest& request, const RouteMatch& match) {
  ApiError error;
  error.type = "invalid_request_error";
  if (match.allowed.empty()) {
    error.status = 404;
    error.code = "unknown_url";
    error.message =
        fmt::format("there is nothing at {} {}", request.method, Printable(request.path));
  } else {
    error.status = 405;
    error.code = "method_not_allowed";
    error.message = fmt::format("{} takes {}, not {}", Printable(request.path),
                                Joined(match.allowed), request.method);
  }
  return error;
}

}  // namespace

Admission FrontDoor::Admit(HttpRequest& request) const {
  Admission admission{.headers = origins_.ResponseHeaders(request)};
  // Anthropic's clients look for the id under this name.
  if (IsAnthropicPath(request.path)) admission.headers.push_back({"request-id", request.id});
  if (const auto error = origins_.Check(request)) {
    admission.answer = ErrorResponse(*error, request.path, request.id);
    return admission;
  }
  RouteMatch match = router_.Match(request.method, request.path);
  if (match.route == nullptr) {
    if (request.method == "OPTIONS" && !match.allowed.empty()) {
      admission.answer = HttpResponse{204, origins_.PreflightHeaders(request), {}};
    } else {
      admission.answer = ErrorResponse(NoRoute(request, match), request.path, request.id);
    }
    if (!match.allowed.empty()) admission.headers.push_back({"allow", Joined(match.allowed)});
    return admission;
  }
  request.route = match.route;
  request.parameters = std::move(match.parameters);
  admission.body_limit_bytes = match.route->body_limit_bytes;
  if (const auto error = CheckCaller(request, &admission.headers)) {
    admission.answer = ErrorResponse(*error, request.path, request.id);
  }
  return admission;
}

std::optional<ApiError> FrontDoor::CheckCaller(HttpRequest& request,
                                               std::vector<Header>* headers) const {
  if (keys_ == nullptr || request.route->scope == Scope::kPublic) return std::nullopt;
  if (auto error = keys_->Identify(request, request.route->scope, UnixSeconds(), &request.caller)) {
    return error;
  }
  if (request.route->scope != Scope::kInference) return std::nullopt;
  KeyLimits& limits = *request.caller.limits;
  const double now_s = SteadySeconds();
  RateDecision decision = limits.Admit(now_s);
  Append(IsAnthropicPath(request.path) ? limits.AnthropicHeaders(now_s, UnixSeconds())
                                       : limits.OpenaiHeaders(now_s),
         headers);
  if (decision.admitted) {
    request.caller.permit = std::move(decision.permit);
    return std::nullopt;
  }
  ApiError error;
  error.status = 429;
  if (decision.retry_after_s <= 0) {
    error.type = error.code = "insufficient_quota";
    error.message = fmt::format("the key {} has used up its {} of {}: ask the operator for more",
                                request.caller.name, decision.limit, decision.limit_value);
    return error;
  }
  error.type = "rate_limit_error";
  error.code = "rate_limit_exceeded";
  error.message =
      fmt::format("the key {} has used up its {} ({}): try again in {}", request.caller.name,
                  decision.limit, decision.limit_value, DurationText(decision.retry_after_s));
  error.retry_after_s = decision.retry_after_s;
  return error;
}

void FrontDoor::Handle(std::shared_ptr<Exchange> exchange) const {
  const Route* route = exchange->request().route;
  TUTTI_CHECK(route != nullptr, "a request that was not admitted");
  route->handler(std::move(exchange));
}

}  // namespace tutti::server
