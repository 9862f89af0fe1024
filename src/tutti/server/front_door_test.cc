#include "tutti/server/front_door.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tutti::server {
namespace {

using ::testing::HasSubstr;

class FrontDoorTest : public ::testing::Test {
 protected:
  FrontDoorTest() {
    const auto add = [&](const char* method, const char* pattern, Scope scope) {
      Route route;
      route.method = method;
      route.pattern = pattern;
      route.scope = scope;
      route.body_limit_bytes = 77;
      router_.Add(std::move(route));
    };
    add("GET", "/health", Scope::kPublic);
    add("GET", "/metrics", Scope::kMetrics);
    add("POST", "/v1/chat/completions", Scope::kInference);
    add("POST", "/v1/messages", Scope::kInference);
    add("GET", "/v1/models/{id}", Scope::kInference);
    add("DELETE", "/v1/models/{id}", Scope::kAdmin);
  }
  FrontDoor Door(const KeyRing* keys, std::vector<std::string> cors = {}) {
    auto origins = OriginRules::Create({"127.0.0.1", {}, std::move(cors)});
    return FrontDoor(router_, std::move(origins).value(), keys);
  }
  static HttpRequest Request(std::string method, std::string path,
                             std::vector<Header> headers = {}) {
    HttpRequest request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.headers = std::move(headers);
    request.headers.push_back({"host", "localhost"});
    return request;
  }
  static int StatusOf(const Admission& admission) {
    return admission.answer ? admission.answer->status : 200;
  }
  static std::string HeaderOf(const Admission& admission, std::string_view name) {
    for (const Header& header : admission.headers) {
      if (header.name == name) return header.value;
    }
    for (const Header& header :
         admission.answer ? admission.answer->headers : std::vector<Header>{}) {
      if (header.name == name) return header.value;
    }
    return "";
  }
  Router router_;
};

// S2: every route but the public ones.
TEST_F(FrontDoorTest, EveryRouteThatIsNotPublicNeedsAKey) {
  const KeyRing keys({MakeApiKey("ci", "abc")});
  const FrontDoor door = Door(&keys);
  for (const Route& route : door.router().routes()) {
    HttpRequest request = Request(route.method, route.pattern);
    EXPECT_EQ(StatusOf(door.Admit(request)), route.scope == Scope::kPublic ? 200 : 401)
        << route.method << " " << route.pattern;
    HttpRequest wrong = Request(route.method, route.pattern, {{"authorization", "Bearer abd"}});
    EXPECT_EQ(StatusOf(door.Admit(wrong)), route.scope == Scope::kPublic ? 200 : 401);
    HttpRequest right = Request(route.method, route.pattern, {{"authorization", "Bearer abc"}});
    const bool enough = route.scope == Scope::kPublic || route.scope == Scope::kInference;
    EXPECT_EQ(StatusOf(door.Admit(right)), enough ? 200 : 403);
  }
}

TEST_F(FrontDoorTest, FillsInWhatItFoundOut) {
  const KeyRing keys({MakeApiKey("ci", "abc")});
  const FrontDoor door = Door(&keys);
  HttpRequest request = Request("GET", "/v1/models/org/m:7b", {{"x-api-key", "abc"}});
  const Admission admission = door.Admit(request);
  ASSERT_FALSE(admission.answer);
  EXPECT_EQ(admission.body_limit_bytes, 77);
  EXPECT_THAT(request.parameters, ::testing::ElementsAre("org/m:7b"));
  EXPECT_EQ(request.caller.name, "ci");
  ASSERT_NE(request.route, nullptr);
  EXPECT_EQ(request.route->pattern, "/v1/models/{id}");
}

TEST_F(FrontDoorTest, AnswersInTheShapeOfTheApi) {
  const KeyRing keys({MakeApiKey("ci", "abc")});
  const FrontDoor door = Door(&keys);
  HttpRequest messages = Request("POST", "/v1/messages");
  messages.id = "req_1";
  const Admission refused = door.Admit(messages);
  EXPECT_EQ(HeaderOf(refused, "request-id"), "req_1");
  EXPECT_THAT(refused.answer->body, HasSubstr("\"type\":\"authentication_error\""));
  EXPECT_THAT(refused.answer->body, HasSubstr("\"request_id\":\"req_1\""));
  EXPECT_EQ(HeaderOf(refused, "www-authenticate"), "Bearer");
  HttpRequest chat = Request("POST", "/v1/chat/completions");
  EXPECT_THAT(door.Admit(chat).answer->body, HasSubstr("\"code\":\"invalid_api_key\""));

  // Also where there is no route.
  for (const auto& [method, path, type] :
       {std::tuple{"POST", "/v1/messages/batches", "not_found_error"},
        std::tuple{"GET", "/v1/messages", "invalid_request_error"}}) {
    HttpRequest request = Request(method, path);
    request.id = "req_2";
    const Admission admission = door.Admit(request);
    EXPECT_EQ(HeaderOf(admission, "request-id"), "req_2");
    EXPECT_THAT(admission.answer->body,
                HasSubstr(std::string("{\"type\":\"error\",\"error\":{\"type\":\"") + type));
  }
}

TEST_F(FrontDoorTest, AUsedUpBudgetIsNotWorthWaitingFor) {
  std::vector<ApiKey> one = {MakeApiKey("ci", "abc")};
  one[0].limits.token_budget = 10;
  const KeyRing keys(std::move(one));
  const FrontDoor door = Door(&keys);
  HttpRequest request = Request("POST", "/v1/chat/completions", {{"x-api-key", "abc"}});
  ASSERT_EQ(StatusOf(door.Admit(request)), 200);
  request.caller.limits->ChargeTokens(12, 0);
  const Admission refused = door.Admit(request);
  EXPECT_EQ(StatusOf(refused), 429);
  EXPECT_THAT(refused.answer->body, HasSubstr("\"code\":\"insufficient_quota\""));
  EXPECT_THAT(refused.answer->body, HasSubstr("its token budget of 10"));
  EXPECT_EQ(HeaderOf(refused, "x-should-retry"), "false");
  EXPECT_EQ(HeaderOf(refused, "retry-after"), "");
}

TEST_F(FrontDoorTest, KnowsPathsAndMethods) {
  const FrontDoor door = Door(nullptr);
  HttpRequest nowhere = Request("GET", "/nowhere");
  EXPECT_EQ(StatusOf(door.Admit(nowhere)), 404);
  HttpRequest wrong = Request("PUT", "/v1/models/a");
  const Admission admission = door.Admit(wrong);
  EXPECT_EQ(StatusOf(admission), 405);
  EXPECT_EQ(HeaderOf(admission, "allow"), "GET, HEAD, DELETE, OPTIONS");
  HttpRequest head = Request("HEAD", "/health");
  EXPECT_EQ(StatusOf(door.Admit(head)), 200);
}

TEST_F(FrontDoorTest, RefusesForeignNamesAndPagesBeforeAnythingElse) {
  const FrontDoor door = Door(nullptr);
  HttpRequest rebound;
  rebound.method = "GET";
  rebound.path = "/health";
  rebound.headers = {{"host", "evil.example"}};
  EXPECT_EQ(StatusOf(door.Admit(rebound)), 421);
  HttpRequest page = Request("POST", "/v1/chat/completions", {{"origin", "https://evil.example"}});
  EXPECT_EQ(StatusOf(door.Admit(page)), 403);
}

TEST_F(FrontDoorTest, AnswersPreflightsWithoutAKey) {
  const KeyRing keys({MakeApiKey("ci", "abc")});
  const FrontDoor door = Door(&keys, {"https://app.example"});
  HttpRequest request = Request("OPTIONS", "/v1/chat/completions",
                                {{"origin", "https://app.example"},
                                 {"access-control-request-method", "POST"},
                                 {"access-control-request-headers", "authorization"}});
  const Admission admission = door.Admit(request);
  EXPECT_EQ(StatusOf(admission), 204);
  EXPECT_EQ(HeaderOf(admission, "access-control-allow-origin"), "https://app.example");
  EXPECT_EQ(HeaderOf(admission, "access-control-allow-headers"), "authorization");
  HttpRequest nowhere = Request("OPTIONS", "/nowhere");
  EXPECT_EQ(StatusOf(door.Admit(nowhere)), 404);
  // Errors can be read by the page, too.
  HttpRequest refused =
      Request("POST", "/v1/chat/completions", {{"origin", "https://app.example"}});
  const Admission answer = door.Admit(refused);
  EXPECT_EQ(StatusOf(answer), 401);
  EXPECT_EQ(HeaderOf(answer, "access-control-allow-origin"), "https://app.example");
}

TEST_F(FrontDoorTest, LimitsKeysAndSaysSo) {
  ApiKey key = MakeApiKey("ci", "abc");
  key.limits = {.requests_per_minute = 2, .requests_at_once = 1};
  const KeyRing keys({key});
  const FrontDoor door = Door(&keys);
  const std::vector<Header> headers = {{"x-api-key", "abc"}};
  {
    HttpRequest first = Request("POST", "/v1/chat/completions", headers);
    const Admission admission = door.Admit(first);
    EXPECT_EQ(StatusOf(admission), 200);
    EXPECT_EQ(HeaderOf(admission, "x-ratelimit-remaining-requests"), "1");
    HttpRequest second = Request("POST", "/v1/chat/completions", headers);
    const Admission refused = door.Admit(second);
    EXPECT_EQ(StatusOf(refused), 429);
    EXPECT_THAT(refused.answer->body, HasSubstr("requests at once"));
    EXPECT_EQ(HeaderOf(refused, "retry-after"), "1");
  }
  HttpRequest third = Request("POST", "/v1/messages", headers);
  const Admission admission = door.Admit(third);
  EXPECT_EQ(StatusOf(admission), 200);
  EXPECT_EQ(HeaderOf(admission, "anthropic-ratelimit-requests-limit"), "2");
  third = {};
  HttpRequest fourth = Request("POST", "/v1/messages", headers);
  EXPECT_EQ(StatusOf(door.Admit(fourth)), 429);
}

}  // namespace
}  // namespace tutti::server
