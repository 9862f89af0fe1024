// Errors in the shape of the API that a path belongs to, whoever found them: the transport, the
// front door, a handler.
#pragma once
#include <string_view>

#include "tutti/server/api_error.h"
#include "tutti/server/http.h"
#include "tutti/server/http_framing.h"

namespace tutti::server {

// All of /v1/messages, whether there is such a route or not.
bool IsAnthropicPath(std::string_view path);

HttpResponse ErrorResponse(const ApiError& error, std::string_view path,
                           std::string_view request_id);
// The same for what the transport refuses; without a path where the request has none yet.
HttpResponse RefusalResponse(const HttpRefusal& refusal, const HttpRequest& request);

}  // namespace tutti::server
