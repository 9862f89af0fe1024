// Who may use the routes that a server really has (S2).
#include "tutti/server/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tutti/server/front_door.h"
#include "tutti/server/web_files.h"

namespace tutti::server {
namespace {

class RoutesTest : public ::testing::Test {
 protected:
  static std::vector<ModelSource> Sources() {
    std::vector<ModelSource> sources;
    sources.push_back({.name = "never", .aliases = {}, .load = [] {
                         return Result<HostedModel>(Unsupported("nobody loads this"));
                       }});
    return sources;
  }
  static int StatusOf(const FrontDoor& door, const Route& route, const std::string& key) {
    HttpRequest request;
    request.method = route.method;
    request.path = route.pattern;
    request.headers = {{"host", "localhost"}, {"x-api-key", key}};
    const Admission admission = door.Admit(request);
    return admission.answer ? admission.answer->status : 200;
  }

  Models models_{Sources(), ModelsOptions{}};
  Workers workers_{1};
  Service service_{models_, workers_, ServiceOptions{}};
};

TEST_F(RoutesTest, EveryRouteButHealthReadyAndThePageNeedsAKey) {
  std::set<std::string> open = {"/health", "/ready"};
  for (const WebFile& file : WebFiles()) open.insert(std::string(file.path));
  ApiKey inference = MakeApiKey("inference", "one");
  ApiKey metrics = MakeApiKey("metrics", "two");
  metrics.scopes = {Scope::kMetrics};
  const KeyRing keys({inference, metrics});
  auto origins = OriginRules::Create({});
  const FrontDoor door(MakeRouter(service_), std::move(origins).value(), &keys);
  ASSERT_GT(door.router().routes().size(), open.size());
  for (const Route& route : door.router().routes()) {
    SCOPED_TRACE(route.method + " " + route.pattern);
    const bool is_open = open.contains(route.pattern);
    EXPECT_EQ(StatusOf(door, route, ""), is_open ? 200 : 401);
    EXPECT_EQ(StatusOf(door, route, "none"), is_open ? 200 : 401);
    // A key for numbers reads numbers, one for inference does not, and none is more than it says.
    const bool is_numbers = route.scope == Scope::kMetrics;
    EXPECT_EQ(StatusOf(door, route, "two"), is_open || is_numbers ? 200 : 403);
    EXPECT_EQ(StatusOf(door, route, "one"),
              is_open || route.scope == Scope::kInference ? 200 : 403);
    EXPECT_TRUE(route.body_limit_bytes == 0 || route.method != "GET");
  }
}

TEST_F(RoutesTest, WithoutKeysEverythingIsOpen) {
  auto origins = OriginRules::Create({});
  const FrontDoor door(MakeRouter(service_), std::move(origins).value(), nullptr);
  for (const Route& route : door.router().routes()) {
    EXPECT_EQ(StatusOf(door, route, ""), 200) << route.pattern;
  }
}

}  // namespace
}  // namespace tutti::server
