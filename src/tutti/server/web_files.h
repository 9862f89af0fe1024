// The files of the web page, which are inside the program (cmake/TuttiWeb.cmake), and how they are
// served. They need no key: everything private comes from the API.
#pragma once
#include <optional>
#include <span>
#include <string_view>

#include "tutti/server/http.h"

namespace tutti::server {

struct WebFile {
  std::string_view path;  // "/", "/live", "/web/style.css"
  std::string_view mime;
  std::string_view etag;  // strong, with its quotes
  std::string_view body;
};

std::span<const WebFile> WebFiles();

// The response to GET or HEAD (with the whole body: the transport leaves it out), 304 for a client
// that has the file, 405 for other methods; nullopt where the path is none of the page's.
std::optional<HttpResponse> AnswerWebFile(const HttpRequest& request);

}  // namespace tutti::server
