// What clients may rely on.
#include "tutti/server/service.h"

#include <gmock/gmock.h>

#include "tests/server/service_fixture.h"
#include "tutti/server/openai_completions.h"

namespace tutti::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The pieces of a stream, joined.
std::string Joined(const std::string& events) {
  std::string text;
  size_t at = 0;
  while ((at = events.find("data: {", at)) != std::string::npos) {
    at += 6;
    const json::object chunk =
        json::parse(events.substr(at, events.find('\n', at) - at)).as_object();
    for (const json::value& choice : chunk.at("choices").as_array()) {
      const json::object& delta = choice.at("delta").as_object();
      if (delta.contains("content")) text += delta.at("content").as_string();
    }
  }
  return text;
}

TEST_F(ServiceTest, AnswersAreTheModelsWholeOrStreamed) {
  const std::string expected = Expected("Hello", 40);
  const json::object whole = Ask(&Service::ChatCompletions, Chat("Hello", 40));
  EXPECT_EQ(Content(whole), expected);
  const json::object& usage = whole.at("usage").as_object();
  EXPECT_EQ(usage.at("prompt_tokens"), 5);
  EXPECT_EQ(usage.at("completion_tokens"), 40);
  EXPECT_EQ(usage.at("total_tokens"), 45);

  json::object body = Chat("Hello", 40);
  body["stream"] = true;
  const HttpResponse stream = Send(&Service::ChatCompletions, body)->Wait();
  EXPECT_EQ(Joined(stream.body), expected);
  EXPECT_TRUE(stream.body.ends_with("data: [DONE]\n\n")) << stream.body;
}

TEST_F(ServiceTest, UsageIsTheSameOnAllApis) {
  const json::object chat = Ask(&Service::ChatCompletions, Chat("Hello you", 17));
  json::object body{{"model", "fake"},
                    {"prompt", "Hello you"},
                    {"max_tokens", 17},
                    {"temperature", 0},
                    {"ignore_eos", true}};
  const json::object text = Ask(&Service::Completions, body);
  const json::object message =
      Ask(&Service::Messages, {{"model", "fake"},
                               {"messages", {{{"role", "user"}, {"content", "Hello you"}}}},
                               {"max_tokens", 17},
                               {"temperature", 0},
                               {"ignore_eos", true}});
  for (const json::object* answer : {&chat, &text}) {
    EXPECT_EQ(answer->at("usage").at("prompt_tokens"), 9);
    EXPECT_EQ(answer->at("usage").at("completion_tokens"), 17);
  }
  const json::value& usage = message.at("usage");
  EXPECT_EQ(usage.at("input_tokens").as_int64() + usage.at("cache_read_input_tokens").as_int64(),
            9);
  EXPECT_EQ(usage.at("output_tokens"), 17);
  EXPECT_EQ(
      Ask(&Service::CountTokens, {{"model", "fake"},
                                  {"max_tokens", 1},
                                  {"messages", {{{"role", "user"}, {"content", "Hello you"}}}}})
          .at("input_tokens"),
      9);
}

TEST_F(ServiceTest, StopStringsEndTheTextAndTheBill) {
  const std::string expected = Expected("Hello", 100);
  const std::string stop = expected.substr(20, 3);
  const size_t place = expected.find(stop);
  json::object body = Chat("Hello", 100);
  body["stop"] = stop;
  const json::object answer = Ask(&Service::ChatCompletions, body);
  EXPECT_EQ(Content(answer), expected.substr(0, place));
  EXPECT_EQ(answer.at("choices").as_array().at(0).at("finish_reason"), "stop");
  EXPECT_EQ(answer.at("usage").at("completion_tokens"), place + stop.size());
}

TEST_F(ServiceTest, ChoicesAndPromptsAreNumberedThrough) {
  json::object body{{"model", "fake"},
                    {"prompt", {"Hello", "World"}},
                    {"n", 2},
                    {"max_tokens", 6},
                    {"temperature", 0},
                    {"echo", true},
                    {"ignore_eos", true}};
  const json::object answer = Ask(&Service::Completions, body);
  const json::array& choices = answer.at("choices").as_array();
  ASSERT_EQ(choices.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    const std::string prompt = i < 2 ? "Hello" : "World";
    EXPECT_EQ(choices[i].at("index"), i);
    EXPECT_EQ(json::value_to<std::string>(choices[i].at("text")), prompt + Expected(prompt, 6));
  }
  EXPECT_EQ(answer.at("usage").at("prompt_tokens"), 10);
  EXPECT_EQ(answer.at("usage").at("completion_tokens"), 24);
}

TEST_F(ServiceTest, PromptAndAnswerFitTheContextTogether) {
  const json::object answer = Ask(&Service::ChatCompletions, Chat(std::string(250, 'a'), 100));
  EXPECT_EQ(answer.at("choices").as_array().at(0).at("finish_reason"), "length");
  EXPECT_EQ(answer.at("usage").at("completion_tokens"), 6);
  EXPECT_EQ(answer.at("usage").at("total_tokens"), 256);
  const std::string fingerprint(answer.at("system_fingerprint").as_string());
  EXPECT_THAT(fingerprint, HasSubstr("tutti_1_"));
  EXPECT_EQ(Ask(&Service::ChatCompletions, Chat("b", 1)).at("system_fingerprint").as_string(),
            fingerprint);
}

// What a request leaves open the model's publisher says, what it says counts.
TEST_F(ServiceTest, SamplingStartsFromTheModels) {
  Start({}, 256, {}, [](SamplingSpec& sampling) { sampling.temperature = 0.25F; });
  const json::object request = {{"model", "fake"}, {"input", "Hello"}, {"max_output_tokens", 1}};
  EXPECT_EQ(Ask(&Service::Responses, request).at("temperature").to_number<float>(), 0.25F);
  json::object own = request;
  own["temperature"] = 2;
  EXPECT_EQ(Ask(&Service::Responses, own).at("temperature").to_number<float>(), 2);
}

// A loop may come to what it wakes when the service is gone.
TEST_F(ServiceTest, WhatIsReleasedHoldsNothingOfTheService) {
  Pause(true);
  const auto host = *models_->Get("fake");
  auto exchange = std::make_shared<FakeExchange>("");
  const auto held = std::make_shared<int>(1);
  ApiResult<ApiRequest> request = ParseOpenaiCompletions(R"({"prompt":"Hello"})", {});
  ASSERT_TRUE(request.ok());
  GenerationParts parts{.host = host,
                        .request = std::move(request->generation),
                        .writer = std::move(request->writer),
                        .exchange = exchange,
                        .workers = workers_.get(),
                        .id = "1",
                        .fingerprint = {},
                        .headers = {},
                        .route = {},
                        .finished = [held](const Outcome&) {}};
  std::shared_ptr<Generation> generation;
  EXPECT_FALSE(Generation::Start(std::move(parts), &generation).has_value());
  ASSERT_NE(generation, nullptr);
  auto run = EmbeddingRun::Start(host, *workers_, {}, {{1, 2}}, 0, *exchange,
                                 [held](const EmbeddingResult&) {});
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(held.use_count(), 3);
  generation->Release();
  (*run)->Release();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(exchange.use_count(), 1);
  Pause(false);
}

TEST_F(ServiceTest, EmbeddingsAreOfLengthOneAndOnTheBill) {
  const json::object answer = Ask(
      &Service::Embeddings, {{"model", "fake"}, {"input", {"Hello", "you"}}, {"dimensions", 1}});
  ASSERT_EQ(answer.at("data").as_array().size(), 2u);
  EXPECT_EQ(answer.at("data").at(1).at("embedding"), json::value({1}));
  EXPECT_EQ(answer.at("usage").at("prompt_tokens"), 8);
  json::object wrong{{"model", "fake"}, {"input", "Hello"}, {"dimensions", 2}};
  EXPECT_EQ(Ask(&Service::Embeddings, wrong, 400).at("error").at("param"), "dimensions");
  wrong = {{"model", "fake"}, {"input", std::string(1000, 'x')}};
  EXPECT_EQ(Ask(&Service::Embeddings, wrong, 400).at("error").at("param"), "input");
  Pause(true);
  const auto gone = Send(&Service::Embeddings, {{"model", "fake"}, {"input", "Hello you all"}});
  Settle();
  gone->GoAway();
  Settle();
  Pause(false);
  Idle();
}

// The queue takes the first texts and not all; those that it took must not answer as well.
TEST_F(ServiceTest, EmbeddingsAreTakenWholeOrRefused) {
  Start({.max_queued_requests = 2});
  for (int i = 0; i < 50; ++i) {
    json::array input;
    for (int text = 0; text < 200; ++text) input.push_back("Hello");
    const auto exchange = Send(&Service::Embeddings, {{"model", "fake"}, {"input", input}});
    const HttpResponse response = exchange->Wait();
    EXPECT_TRUE(response.status == 429 || response.status == 200) << response.body;
  }
  Idle();
  Settle();
  EXPECT_EQ(service_->running(), 0);
}

TEST_F(ServiceTest, APromptThatCannotFitIsNotEvenTokenized) {
  const std::string text(3000, 'x');
  json::object body{{"model", "fake"}, {"prompt", text}, {"max_tokens", 1}};
  for (const json::object& answer : {Ask(&Service::Completions, body, 400),
                                     Ask(&Service::ChatCompletions, Chat(text, 1), 400)}) {
    EXPECT_THAT(json::serialize(answer), HasSubstr("your prompt has 3000 bytes, more than"));
    EXPECT_EQ(answer.at("error").at("code"), "context_length_exceeded");
  }
  // As many bytes may be less tokens.
  Ask(&Service::Completions, {{"model", "fake"}, {"prompt", std::string(200, 'x')}});
}

// A test that hangs or crashes where something outlives the service.
TEST_F(ServiceTest, GoesWhileAnswersRun) {
  Pause(true);
  json::object body = Chat("Hello", 50);
  body["stream"] = true;
  Send(&Service::ChatCompletions, body)->WaitFor("assistant");
  Send(&Service::Embeddings, {{"model", "fake"}, {"input", "Hello"}});
  Settle();
  workers_->Stop();
  Pause(false);
  Start({});
}

TEST_F(ServiceTest, TokensThereAndBack) {
  const json::object tokens = Ask(&Service::Tokenize, {{"model", "fake"}, {"prompt", "Hello"}});
  EXPECT_EQ(tokens.at("count"), 5);
  EXPECT_EQ(
      Ask(&Service::Detokenize, {{"model", "fake"}, {"tokens", tokens.at("tokens")}}).at("content"),
      "Hello");
  EXPECT_EQ(Ask(&Service::ApplyTemplate,
                {{"model", "fake"}, {"messages", {{{"role", "user"}, {"content", "Hi"}}}}})
                .at("prompt"),
            "Hi");
}

TEST_F(ServiceTest, APromptThatCannotBeTakesTheOthersWithIt) {
  // The first ones run already when the last one is refused.
  json::array prompts(200, json::array{1, 2, 3});
  prompts.push_back(json::array{1 << 20});
  for (int i = 0; i < 4; ++i) {  // all fit into the queue
    Ask(&Service::Completions, {{"model", "fake"}, {"prompt", prompts}, {"max_tokens", 1}}, 400);
  }
  Settle();
  Idle();
  EXPECT_EQ(service_->running(), 0);
  EXPECT_THAT(Metrics(), Not(HasSubstr(R"(status="200")")));
}

TEST_F(ServiceTest, AClientThatGoesAwayFreesWhatItHeld) {
  json::object body = Chat("Hello", 200);
  body["stream"] = true;
  Pause(true);
  const auto waiting = Send(&Service::ChatCompletions, body);
  waiting->WaitFor("assistant");
  waiting->GoAway();  // before anything is computed
  Settle();
  Pause(false);
  Idle();
  PauseAfter(10);
  const auto reading = Send(&Service::ChatCompletions, body);
  reading->WaitFor("{\"content\":");
  reading->GoAway();
  Settle();
  Pause(false);
  Idle();
  EXPECT_EQ(Statistics().pages.available(), Statistics().pages.total);
  EXPECT_NE(Metrics().find("tutti_requests_abandoned_total{model_name=\"fake\"} 2\n"),
            std::string::npos);
}

TEST_F(ServiceTest, WhoWaitsHearsSomething) {
  Pause(true);
  json::object body = Chat("Hello", 5);
  const auto whole = Send(&Service::ChatCompletions, body);
  body["stream"] = true;
  const auto stream = Send(&Service::ChatCompletions, body);
  stream->WaitFor("assistant");
  service_->StartTicking();
  EXPECT_THAT(stream->WaitFor(": prefill"), HasSubstr(": prefill 0%\n\n"));
  EXPECT_EQ(whole->WaitFor(" "), std::string(whole->WaitFor(" ").size(), ' '));
  Pause(false);
  const HttpResponse answer = whole->Wait();
  EXPECT_EQ(answer.body.front(), ' ');
  EXPECT_EQ(Content(json::parse(answer.body).as_object()), Expected("Hello", 5));
  EXPECT_THAT(stream->Wait().body, HasSubstr("[DONE]"));
}

TEST_F(ServiceTest, WhatCannotBeIsRefusedWithTheField) {
  json::object body = Chat("Hello", 5);
  body["model"] = "other";
  json::object answer = Ask(&Service::ChatCompletions, body, 404);
  EXPECT_EQ(answer.at("error").at("code"), "model_not_found");
  EXPECT_EQ(answer.at("error").at("param"), "model");

  answer = Ask(&Service::ChatCompletions, Chat(std::string(300, 'x'), 5), 400);
  EXPECT_EQ(answer.at("error").at("code"), "context_length_exceeded");
  EXPECT_THAT(json::serialize(answer),
              HasSubstr("\"This model's maximum context length is 256 tokens. "
                        "However, your prompt has 300 tokens: shorten it"));

  body = Chat("Hello", 5);
  body["temperature"] = -1;
  EXPECT_EQ(Ask(&Service::ChatCompletions, body, 400).at("error").at("param"), "temperature");
  const json::object message = Ask(&Service::Messages, body, 400);
  EXPECT_EQ(message.at("request_id"), "req_1");
  EXPECT_EQ(message.at("type"), "error");
}

TEST_F(ServiceTest, AFullQueueSaysWhenToComeAgain) {
  Start({.max_queued_requests = 2});
  Pause(true);
  std::vector<std::shared_ptr<FakeExchange>> accepted;
  json::object body = Chat("Hello", 3);
  body["stream"] = true;
  // Some may start before the queue fills; the engine has no more than one step to give.
  for (int i = 0; i < 2; ++i) {
    accepted.push_back(Send(&Service::ChatCompletions, body));
    accepted.back()->WaitFor("assistant");
  }
  HttpResponse response;
  for (int i = 0; i < 5 && response.status == 200; ++i) {
    const auto next = Send(&Service::ChatCompletions, body);
    for (int wait = 0; wait < 20000 && !next->begun() && Statistics().refused == 0; ++wait) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    accepted.push_back(next);
    if (!next->begun()) response = next->Wait();
  }
  EXPECT_EQ(response.status, 429) << response.body;
  EXPECT_THAT(response.headers,
              ::testing::Contains(::testing::Field(&Header::name, "retry-after")));
  Pause(false);
  for (const auto& exchange : accepted) exchange->Wait();
}

TEST_F(ServiceTest, AFailureInTheMiddleReachesTheClient) {
  Fail(Error(StatusCode::kInternal, "a gear broke"));
  json::object body = Chat("Hello", 5);
  const HttpResponse whole = Send(&Service::ChatCompletions, body)->Wait();
  EXPECT_EQ(whole.status, 500);
  EXPECT_THAT(whole.body, HasSubstr("a gear broke"));
  EXPECT_THAT(whole.headers,
              ::testing::Contains(::testing::Field(&Header::name, "x-should-retry")));
  body["stream"] = true;
  EXPECT_THAT(Send(&Service::ChatCompletions, body)->Wait().body,
              HasSubstr("data: {\"error\":{\"message\":\"a gear broke\""));
}

TEST_F(ServiceTest, AFailureInTheMiddleHasTheShapeOfItsApi) {
  for (const StatusCode code : {StatusCode::kInternal, StatusCode::kCancelled}) {
    Fail(Error(code, "a gear broke"));
    const HttpResponse answer = Send(&Service::Messages, Chat("Hello", 5))->Wait();
    EXPECT_GE(answer.status, 500);
    const json::object body = json::parse(answer.body).as_object();
    EXPECT_EQ(body.at("type"), "error");
    EXPECT_EQ(body.at("error").at("message"), "a gear broke");
    EXPECT_EQ(body.at("request_id"), "req_1");
    EXPECT_THAT(answer.headers, ::testing::Contains(::testing::AllOf(
                                    ::testing::Field(&Header::name, "x-should-retry"),
                                    ::testing::Field(&Header::value, "false"))));
    EXPECT_THAT(
        answer.headers,
        ::testing::Not(::testing::Contains(::testing::Field(&Header::name, "retry-after"))));
  }
}

TEST_F(ServiceTest, DrainingEndsWhatRunsAndRefusesTheRest) {
  Pause(true);
  json::object body = Chat("Hello", 5);
  body["stream"] = true;
  const auto running = Send(&Service::ChatCompletions, body);
  running->WaitFor("assistant");
  service_->Drain();
  EXPECT_EQ(Ask(&Service::ChatCompletions, Chat("Hello", 5), 503).at("error").at("code"),
            "shutting_down");
  const auto ready = std::make_shared<FakeExchange>("");
  service_->Ready(ready);
  EXPECT_EQ(ready->Wait().status, 503);
  Pause(false);
  EXPECT_EQ(Joined(running->Wait().body), Expected("Hello", 5));
}

// The answer's own memory may not be there.
class ThrowingExchange final : public Exchange {
 public:
  explicit ThrowingExchange(std::string body) { request_.body = std::move(body); }
  const HttpRequest& request() const override { return request_; }
  void AddHeader(std::string, std::string) override {}
  void Respond(HttpResponse) override { throw std::bad_alloc(); }
  void Begin(HttpResponse) override { throw std::bad_alloc(); }
  bool Write(std::string) override { throw std::bad_alloc(); }
  void End() override {}
  void OnAbandoned(std::function<void()>) override {}

 private:
  HttpRequest request_;
};

// Letting go of an exchange ends its request.
TEST_F(ServiceTest, AnAnswerThatCannotBeGivenEndsItsRequest) {
  const json::object embed{{"model", "fake"}, {"input", "Hello"}};
  for (const auto& [handler, body] :
       {std::pair<Handler, json::object>{&Service::Embeddings, embed},
        {&Service::ChatCompletions, Chat("Hello", 3)},
        {&Service::Tokenize, {{"model", "fake"}, {"content", "Hello"}}}}) {
    auto exchange = std::make_shared<ThrowingExchange>(json::serialize(body));
    const std::weak_ptr<Exchange> open = exchange;
    (service_.get()->*handler)(std::move(exchange));
    Idle();
    for (int i = 0; i < 20000 && !open.expired(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_TRUE(open.expired()) << json::serialize(body);
  }
  EXPECT_EQ(Content(Ask(&Service::ChatCompletions, Chat("Hello", 3))), Expected("Hello", 3));
}

// More requests for a model that is being loaded than there are threads to read requests, on all
// routes that need a model.
TEST(ServiceLoadingTest, WhoWaitsForAModelCountsAndHoldsUpNobody) {
  std::promise<void> loaded;
  std::vector<ModelSource> sources(2);
  sources[0].name = "fast";
  sources[0].load = [] { return Result<HostedModel>(testing::MakeFakeModel().hosted); };
  sources[1].name = "slow";
  sources[1].load = [wait = loaded.get_future().share()] {
    wait.wait();
    return Result<HostedModel>(testing::MakeFakeModel().hosted);
  };
  Workers workers(1);  // outlives the models, whose loops post to it
  Models models(std::move(sources), {});
  ASSERT_TRUE(models.Get("fast").ok());
  Service service(models, workers, {.version = "1"});
  const auto send = [&](Handler handler, const json::object& body) {
    auto exchange = std::make_shared<FakeExchange>(json::serialize(body));
    (service.*handler)(exchange);
    return exchange;
  };
  const json::array messages{{{"role", "user"}, {"content", "Hello"}}};
  std::vector<std::shared_ptr<FakeExchange>> waiting;
  for (int i = 0; i < 2; ++i) {
    for (const auto& [handler, body] : {
             std::pair<Handler, json::object>{&Service::Tokenize, {{"content", "Hello"}}},
             {&Service::Detokenize, {{"tokens", {1, 2}}}},
             {&Service::ApplyTemplate, {{"messages", messages}}},
             {&Service::CountTokens, {{"messages", messages}, {"max_tokens", 1}}},
             {&Service::Embeddings, {{"input", "Hello"}}},
         }) {
      json::object named = body;
      named["model"] = "slow";
      waiting.push_back(send(handler, named));
    }
  }
  EXPECT_EQ(service.running(), std::ssize(waiting));
  EXPECT_EQ(send(&Service::Tokenize, {{"model", "fast"}, {"content", "Hello"}})->Wait().status,
            200);
  loaded.set_value();
  for (const auto& exchange : waiting) EXPECT_EQ(exchange->Wait().status, 200);
  for (int i = 0; i < 20000 && service.running() > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(service.running(), 0);
  service.Drain();
  EXPECT_EQ(send(&Service::Tokenize, {{"model", "fast"}, {"content", "Hello"}})->Wait().status,
            503);
  workers.Stop();
}

TEST_F(ServiceTest, FiguresCountWhatHappened) {
  Ask(&Service::ChatCompletions, Chat("Hello", 7));
  Ask(&Service::ChatCompletions, Chat("Hello", 7));
  Idle();
  const std::string metrics = Metrics();
  for (const char* line :
       {"vllm:prompt_tokens_total{model_name=\"fake\"} 10\n",
        "vllm:generation_tokens_total{model_name=\"fake\"} 14\n",
        "vllm:request_success_total{model_name=\"fake\",finished_reason=\"length\"} 2\n",
        "vllm:e2e_request_latency_seconds_count{model_name=\"fake\"} 2\n",
        "tutti_http_responses_total{route=\"/v1/chat/completions\",status=\"200\"} 2\n"}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
  const auto live = std::make_shared<FakeExchange>("");
  service_->Live(live);
  const json::value figures = json::parse(live->Wait().body);
  EXPECT_EQ(figures.at("generated_tokens"), 14);
  EXPECT_EQ(figures.at("requests_total"), 2);
}

}  // namespace
}  // namespace tutti::server
