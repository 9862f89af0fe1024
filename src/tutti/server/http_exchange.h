// One response on its way from whoever answers (any thread) to its connection (one thread).
//
// What is written waits in a ResponseQueue and is taken all at once, so many small writes become
// one chunk. A streamed response whose client does not keep up is given up by the first write that
// finds more than `buffer_bytes` of it waiting here: nobody waits for readers, and no reader costs
// more memory than that and one piece.
//
// Ownership: the connection and the handle that answers share the queue. Errors: none.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tutti/server/http.h"

namespace tutti::server {

class ResponseQueue {
 public:
  // `wake` is called, from any thread and without locks held, when there is something to take after
  // there was nothing.
  ResponseQueue(HttpRequest request, size_t buffer_bytes, std::function<void()> wake);

  const HttpRequest& request() const { return request_; }

  // For the handle.
  void AddHeader(std::string name, std::string value);
  void Start(HttpResponse response, bool streamed);
  bool Write(std::string piece);
  void End();
  void OnAbandoned(std::function<void()> abandoned);
  // Nobody will answer any more: 500 if nothing was said, else the response breaks off.
  void Dropped();

  // For the connection.
  struct Output {
    std::optional<HttpResponse> head;  // the first time; its body is the body's beginning
    std::vector<Header> more_headers;
    bool streamed = false;
    std::string body;     // after that
    bool ended = false;   // this was the last of it
    bool broken = false;  // it will never be complete
  };
  Output Take();
  // Of what was taken, bytes that are not sent yet.
  void SetUnsent(size_t bytes);
  // The client is gone; calls OnAbandoned's function if the response had not ended.
  void Abandon();
  bool slow() const;  // given up because the client did not keep up

 private:
  enum class State : uint8_t { kUnanswered, kStarted, kEnded, kAbandoned };
  // With the lock held; true where wake_ must be called after it.
  bool Changed();

  const HttpRequest request_;
  const size_t buffer_bytes_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;
  State state_ = State::kUnanswered;
  bool streamed_ = false;
  bool broken_ = false;
  bool slow_ = false;
  bool woken_ = false;
  size_t unsent_bytes_ = 0;
  std::optional<HttpResponse> head_;
  std::vector<Header> more_headers_;
  std::string body_;
  std::function<void()> abandoned_;
};

// The way to answer; without it there will be no answer.
std::shared_ptr<Exchange> MakeExchange(std::shared_ptr<ResponseQueue> queue);

}  // namespace tutti::server
