// The service on the fake engine behind the real scheduler, for tests.
#pragma once
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "tests/server/fake_exchange.h"
#include "tests/server/fake_model.h"
#include "tutti/server/service.h"

namespace tutti::server {

namespace json = boost::json;
using testing::FakeExchange;
using Handler = void (Service::*)(const Service::Request&);

class ServiceTest : public ::testing::Test {
 protected:
  void SetUp() override { Start({}); }
  void TearDown() override {
    Idle();
    // The loop itself checks the engine's accounting whenever it is idle.
    EXPECT_EQ(Statistics().pages.available(), Statistics().pages.total);
    workers_->Stop();
  }

  void Start(scheduler::SchedulerOptions options, int32_t context = 256,
             std::string chat_template = {},
             const std::function<void(SamplingSpec&)>& recommend = {}) {
    // In the order in which a server goes.
    if (workers_) workers_->Stop();
    service_.reset();
    models_.reset();
    workers_.reset();
    testing::FakeModel fake = testing::MakeFakeModel(context, std::move(chat_template));
    engine_ = fake.engine;
    engine_->before_forward = [this](const Batch&) {
      std::unique_lock lock(mutex_);
      if (steps_left_-- == 0) paused_ = true;
      resumed_.wait(lock, [&] { return !paused_; });
      return failure_;
    };
    hosted_ = std::move(fake.hosted);
    if (recommend) recommend(hosted_.sampling);
    ModelSource source{.name = "fake", .aliases = {}, .load = [this] {
                         return Result<HostedModel>(std::move(hosted_));
                       }};
    std::vector<ModelSource> sources;
    sources.push_back(std::move(source));
    models_ = std::make_unique<Models>(std::move(sources), ModelsOptions{.scheduler = options});
    EXPECT_TRUE(models_->Get("fake").ok());
    workers_ = std::make_unique<Workers>(1);
    service_ = std::make_unique<Service>(*models_, *workers_,
                                         ServiceOptions{.quiet_s = 0, .version = "1"});
  }
  void Pause(bool paused) {
    const std::lock_guard lock(mutex_);
    paused_ = paused;
    resumed_.notify_all();
  }
  // The engine gets so far and no farther.
  void PauseAfter(int steps) {
    const std::lock_guard lock(mutex_);
    steps_left_ = steps;
  }
  void Fail(const Status& status) {
    const std::lock_guard lock(mutex_);
    failure_ = status;
  }
  // All that was posted has been done.
  void Settle() {
    std::promise<void> done;
    workers_->Post([&] { done.set_value(); });
    done.get_future().wait();
  }
  // Nothing runs any more; a mistake is a failure and not a hanging test.
  void Idle() {
    for (int i = 0; i < 20000; ++i) {
      const scheduler::Statistics now = Statistics();
      if (service_->running() == 0 && now.running == 0 && now.waiting == 0) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    FAIL() << service_->running() << " answers still run";
  }
  scheduler::Statistics Statistics() { return (*models_->Get("fake"))->scheduler().statistics(); }

  std::shared_ptr<FakeExchange> Send(Handler handler, const json::object& body) {
    auto exchange = std::make_shared<FakeExchange>(json::serialize(body));
    (service_.get()->*handler)(exchange);
    return exchange;
  }
  json::object Ask(Handler handler, const json::object& body, int status = 200) {
    const HttpResponse response = Send(handler, body)->Wait();
    EXPECT_EQ(response.status, status) << response.body;
    return json::parse(response.body).as_object();
  }
  std::string Metrics() {
    const auto exchange = std::make_shared<FakeExchange>("");
    service_->MetricsText(exchange);
    return exchange->Wait().body;
  }

  // What the model says after the prompt.
  std::string Expected(const std::string& prompt, int count) {
    const auto host = *models_->Get("fake");
    const TokenIds ids = engine_->Continue(*host->Prompt(std::string_view(prompt)), count);
    return host->tokenizer().Decode(ids, false);
  }
  static json::object Chat(const std::string& text, int max_tokens) {
    return {{"model", "fake"},
            {"messages", {{{"role", "user"}, {"content", text}}}},
            {"max_tokens", max_tokens},
            {"temperature", 0},
            {"ignore_eos", true}};
  }
  static std::string Content(const json::object& answer) {
    return json::value_to<std::string>(
        answer.at("choices").as_array().at(0).at("message").at("content"));
  }

  engine::FakeEngine* engine_ = nullptr;
  HostedModel hosted_;
  std::unique_ptr<Workers> workers_;  // outlives the models, whose loops post to it
  std::unique_ptr<Models> models_;
  std::unique_ptr<Service> service_;

 private:
  std::mutex mutex_;
  std::condition_variable resumed_;
  bool paused_ = false;
  int steps_left_ = -1;
  Status failure_;
};

}  // namespace tutti::server
