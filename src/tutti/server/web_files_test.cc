#include "tutti/server/web_files.h"

#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tutti::server {
namespace {

HttpResponse Get(std::string path, std::vector<Header> headers = {}, std::string method = "GET") {
  HttpRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.headers = std::move(headers);
  return AnswerWebFile(request).value_or(HttpResponse{404, {}, ""});
}

std::string Find(const HttpResponse& response, std::string_view name) {
  for (const Header& header : response.headers) {
    if (header.name == name) return header.value;
  }
  return "";
}

TEST(WebFilesTest, EveryFileIsThereWithItsTypeAndTag) {
  std::set<std::string_view> tags;
  for (const WebFile& file : WebFiles()) {
    const HttpResponse response = Get(std::string(file.path));
    EXPECT_EQ(response.status, 200) << file.path;
    EXPECT_EQ(response.body, file.body);
    EXPECT_GT(response.body.size(), 100u) << file.path;
    EXPECT_EQ(Find(response, "content-type"), file.mime);
    EXPECT_TRUE(file.mime.starts_with("text/") || file.mime == "image/svg+xml") << file.mime;
    EXPECT_TRUE(file.etag.starts_with('"') && file.etag.ends_with('"') && file.etag.size() == 34);
    tags.insert(file.etag);
  }
  EXPECT_EQ(tags.size(), WebFiles().size());
  EXPECT_TRUE(Get("/").body.starts_with("<!doctype html>"));
  EXPECT_THAT(Get("/live").body, testing::HasSubstr("<title>Live"));
  EXPECT_EQ(Get("/web/../README.md").status, 404);
  EXPECT_EQ(Get("/web/").status, 404);
  EXPECT_EQ(Get("/index.html").status, 404);
}

TEST(WebFilesTest, AClientThatHasTheFileGetsNoBody) {
  const std::string etag = Find(Get("/web/chat.js"), "etag");
  for (const std::string& field : {etag, "W/" + etag, "\"a\", \"b\" , " + etag, std::string("*")}) {
    const HttpResponse response = Get("/web/chat.js", {{"if-none-match", field}});
    EXPECT_EQ(response.status, 304) << field;
    EXPECT_TRUE(response.body.empty());
    EXPECT_EQ(Find(response, "etag"), etag);
  }
  for (const std::string field : {"", ",", "\"x\"", ", ,", "W/"}) {
    EXPECT_EQ(Get("/web/chat.js", {{"if-none-match", field}}).status, 200) << field;
  }
}

TEST(WebFilesTest, OtherMethodsAreRefused) {
  const HttpResponse response = Get("/", {}, "POST");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(Find(response, "allow"), "GET, HEAD");
  EXPECT_EQ(Get("/", {}, "HEAD").status, 200);
}

// What the policy forbids must not be in the pages: it would be dead there.
TEST(WebFilesTest, PagesObeyTheirPolicy) {
  EXPECT_THAT(Find(Get("/"), "content-security-policy"), testing::HasSubstr("default-src 'none'"));
  std::set<std::string> paths;
  for (const WebFile& file : WebFiles()) paths.insert(std::string(file.path));
  for (const WebFile& file : WebFiles()) {
    const std::string body(file.body);
    EXPECT_EQ(body.find("innerHTML"), body.npos) << file.path;
    if (!file.mime.starts_with("text/html")) continue;
    for (const char* inline_code : {" style=", " onclick=", " onload=", "<style", "javascript:"}) {
      EXPECT_EQ(body.find(inline_code), body.npos) << file.path << " has " << inline_code;
    }
    EXPECT_EQ(body.find("<script>"), body.npos) << file.path;
    for (const std::string attribute : {" src=\"", " href=\""}) {
      for (size_t at = body.find(attribute); at != body.npos; at = body.find(attribute, at + 1)) {
        const size_t begin = at + attribute.size();
        const std::string target = body.substr(begin, body.find('"', begin) - begin);
        EXPECT_TRUE(target.starts_with('#') || paths.contains(target))
            << file.path << ": " << target;
      }
    }
  }
}

}  // namespace
}  // namespace tutti::server
