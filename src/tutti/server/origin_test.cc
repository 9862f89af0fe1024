#include "tutti/server/origin.h"

#include <gtest/gtest.h>

namespace tutti::server {
namespace {

OriginRules Rules(OriginOptions options = {}) {
  auto rules = OriginRules::Create(std::move(options));
  EXPECT_TRUE(rules.ok()) << rules.status().message();
  return std::move(rules).value();
}

int StatusOf(const OriginRules& rules, std::string host, std::string origin = "") {
  HttpRequest request;
  request.headers.push_back({"host", std::move(host)});
  if (!origin.empty()) request.headers.push_back({"origin", std::move(origin)});
  const auto error = rules.Check(request);
  return error ? error->status : 200;
}

std::string HeaderOf(const std::vector<Header>& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return "";
}

TEST(OriginTest, AnswersToItsNamesOnly) {
  const OriginRules rules = Rules({"box.lan", {"llm.example"}, {}});
  for (const char* host : {"localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "10.1.2.3",
                           "app.localhost", "box.lan:80", "llm.example", "LLM.example.:8080"}) {
    EXPECT_EQ(StatusOf(rules, host), 200) << host;
  }
  for (const char* host :
       {"evil.example", "localhost.evil.example", "llm.example.evil", "127.0.0.1.nip.io",
        "xlocalhost", "127.1.evil", "0x7f000001", "2130706433"}) {
    EXPECT_EQ(StatusOf(rules, host), 421) << host;
  }
  EXPECT_EQ(StatusOf(rules, ""), 200);  // HTTP/1.0, which no browser speaks
}

TEST(OriginTest, LetsPagesOfItsOwnAndOfTheListIn) {
  const OriginRules rules = Rules({"127.0.0.1", {}, {"https://App.example:8443"}});
  EXPECT_EQ(StatusOf(rules, "localhost:8080", "http://localhost:8080"), 200);
  EXPECT_EQ(StatusOf(rules, "localhost:8080", "https://app.example:8443"), 200);
  for (const char* origin : {"http://localhost:9090", "http://localhost", "https://app.example",
                             "http://app.example:8443", "https://app.example:8443.evil",
                             "https://evil.example", "null", "x"}) {
    EXPECT_EQ(StatusOf(rules, "localhost:8080", origin), 403) << origin;
  }
}

TEST(OriginTest, AllowsExactlyTheListedOriginAndNeverCredentials) {
  const OriginRules rules = Rules({"127.0.0.1", {}, {"https://a.example", "https://b.example"}});
  HttpRequest request;
  request.headers = {{"origin", "https://b.example"},
                     {"access-control-request-headers", "authorization, x-stainless-os"}};
  const auto headers = rules.ResponseHeaders(request);
  EXPECT_EQ(HeaderOf(headers, "access-control-allow-origin"), "https://b.example");
  EXPECT_EQ(HeaderOf(headers, "vary"), "origin");
  EXPECT_EQ(HeaderOf(headers, "access-control-allow-credentials"), "");
  EXPECT_EQ(HeaderOf(rules.PreflightHeaders(request), "access-control-allow-headers"),
            "authorization, x-stainless-os");
  request.headers = {{"origin", "https://c.example"}};
  EXPECT_EQ(HeaderOf(rules.ResponseHeaders(request), "access-control-allow-origin"), "");
  EXPECT_TRUE(rules.PreflightHeaders(request).empty());
  EXPECT_TRUE(Rules().ResponseHeaders(request).empty());
}

TEST(OriginTest, RefusesOptionsThatMeanTooMuch) {
  for (const char* origin :
       {"*", "https://*", "https://*.example", "example", "https://a/", "://a", ""}) {
    EXPECT_FALSE(OriginRules::Create({"127.0.0.1", {}, {origin}}).ok()) << origin;
  }
  for (const char* host : {"*", "", "a:80", "https://a"}) {
    EXPECT_FALSE(OriginRules::Create({"127.0.0.1", {host}, {}}).ok()) << host;
  }
}

TEST(OriginTest, WhoCanBeReachedNeedsKeys) {
  for (const char* host : {"127.0.0.1", "127.8.9.1", "localhost", "::1", "[::1]"}) {
    EXPECT_TRUE(IsLoopback(host)) << host;
    EXPECT_TRUE(CheckExposure(host, false, false).ok()) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "[::]", "10.0.0.1", "128.0.0.1", "fe80::1", "box.lan",
                           "", "127.0.0.1.evil"}) {
    EXPECT_FALSE(IsLoopback(host)) << host;
    EXPECT_EQ(CheckExposure(host, false, false).code(), StatusCode::kUsage) << host;
    EXPECT_TRUE(CheckExposure(host, true, false).ok()) << host;
    EXPECT_TRUE(CheckExposure(host, false, true).ok()) << host;
  }
}

}  // namespace
}  // namespace tutti::server
