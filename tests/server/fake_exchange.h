// An exchange without a connection: a test is its client.
#pragma once
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

#include "tutti/server/http.h"

namespace tutti::testing {

class FakeExchange final : public server::Exchange {
 public:
  explicit FakeExchange(std::string body) {
    request_.id = "req_1";
    request_.body = std::move(body);
  }

  server::HttpRequest& mutable_request() { return request_; }
  const server::HttpRequest& request() const override { return request_; }
  void AddHeader(std::string, std::string) override {}

  void Respond(server::HttpResponse response) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(begun_ || ended_) << "two answers";
    response_ = std::move(response);
    ended_ = true;
    changed_.notify_all();
  }
  void Begin(server::HttpResponse response) override {
    const std::lock_guard lock(mutex_);
    EXPECT_FALSE(begun_ || ended_) << "two answers";
    response_ = std::move(response);
    begun_ = true;
    changed_.notify_all();
  }
  bool Write(std::string piece) override {
    const std::lock_guard lock(mutex_);
    EXPECT_TRUE(begun_ && !ended_) << "nothing can be written now";
    response_.body += piece;
    changed_.notify_all();
    return !gone_;
  }
  void End() override {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  void OnAbandoned(std::function<void()> abandoned) override {
    {
      const std::lock_guard lock(mutex_);
      if (!gone_) abandoned_ = std::move(abandoned);
    }
    if (abandoned) abandoned();
  }

  // The client's side.
  void GoAway() {
    std::function<void()> abandoned;
    {
      const std::lock_guard lock(mutex_);
      gone_ = true;
      abandoned = std::exchange(abandoned_, {});
    }
    if (abandoned) abandoned();
  }
  // A mistake is a failure and not a hanging test.
  server::HttpResponse Wait() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kLong, [&] { return ended_; })) << response_.body;
    return response_;
  }
  // Until so much of the body is there.
  std::string WaitFor(const std::string& part) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kLong, [&] {
      return response_.body.find(part) != std::string::npos;
    })) << response_.body;
    return response_.body;
  }
  bool begun() const {
    const std::lock_guard lock(mutex_);
    return begun_;
  }

 private:
  static constexpr std::chrono::seconds kLong{20};

  server::HttpRequest request_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  server::HttpResponse response_;
  std::function<void()> abandoned_;
  bool begun_ = false;
  bool ended_ = false;
  bool gone_ = false;
};

}  // namespace tutti::testing
