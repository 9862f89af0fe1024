#include "tutti/server/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tutti::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Router Example() {
  Router router;
  for (const auto& [method, pattern] : std::initializer_list<std::pair<const char*, const char*>>{
           {"GET", "/v1/models"},
           {"GET", "/v1/models/{id}"},
           {"POST", "/v1/responses"},
           {"GET", "/v1/responses/{id}"},
           {"DELETE", "/v1/responses/{id}"},
           {"POST", "/v1/responses/{id}/cancel"},
           {"GET", "/"}}) {
    Route route;
    route.method = method;
    route.pattern = pattern;
    router.Add(std::move(route));
  }
  return router;
}

TEST(RouterTest, FindsThePatternWithMostFixedCharacters) {
  const Router router = Example();
  const auto found = [&](const char* method, const char* path) {
    const RouteMatch match = router.Match(method, path);
    return match.route == nullptr ? "-" : match.route->method + " " + match.route->pattern;
  };
  EXPECT_EQ(found("GET", "/v1/models"), "GET /v1/models");
  EXPECT_EQ(found("HEAD", "/v1/models"), "GET /v1/models");
  EXPECT_EQ(found("GET", "/v1/models/a"), "GET /v1/models/{id}");
  EXPECT_EQ(found("DELETE", "/v1/responses/a"), "DELETE /v1/responses/{id}");
  EXPECT_EQ(found("POST", "/v1/responses/a/cancel"), "POST /v1/responses/{id}/cancel");
  EXPECT_EQ(found("GET", "/"), "GET /");
  EXPECT_EQ(found("GET", "/v1/models/"), "-");
  EXPECT_EQ(found("GET", "/v1"), "-");
  EXPECT_EQ(found("GET", "/v1/models2"), "-");
  EXPECT_EQ(found("GET", ""), "-");
  // A cancel is no response whose id ends in "/cancel".
  EXPECT_EQ(found("DELETE", "/v1/responses/a/cancel"), "-");
}

TEST(RouterTest, GivesWhatThePatternLeavesOpen) {
  const Router router = Example();
  EXPECT_THAT(router.Match("GET", "/v1/models").parameters, IsEmpty());
  EXPECT_THAT(router.Match("GET", "/v1/models/org/name:7b").parameters, ElementsAre("org/name:7b"));
  EXPECT_THAT(router.Match("POST", "/v1/responses/x/y/cancel").parameters, ElementsAre("x/y"));
  EXPECT_THAT(router.Match("GET", "/v1/models/{id}").parameters, ElementsAre("{id}"));
}

TEST(RouterTest, SaysWhichMethodsThereAre) {
  const Router router = Example();
  EXPECT_THAT(router.Match("PUT", "/v1/responses/a").allowed,
              ElementsAre("GET", "HEAD", "DELETE", "OPTIONS"));
  EXPECT_THAT(router.Match("GET", "/v1/responses").allowed, ElementsAre("POST", "OPTIONS"));
  EXPECT_THAT(router.Match("GET", "/nothing").allowed, IsEmpty());
}

}  // namespace
}  // namespace tutti::server
