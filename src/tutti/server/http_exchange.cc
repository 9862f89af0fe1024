#include "tutti/server/http_exchange.h"

#include <utility>

#include "tutti/server/error_response.h"

namespace tutti::server {

std::string_view HttpRequest::Find(std::string_view name) const {
  for (const Header& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

ResponseQueue::ResponseQueue(HttpRequest request, size_t buffer_bytes, std::function<void()> wake)
    : request_(std::move(request)), buffer_bytes_(buffer_bytes), wake_(std::move(wake)) {}

bool ResponseQueue::Changed() { return !std::exchange(woken_, true); }

void ResponseQueue::AddHeader(std::string name, std::string value) {
  const std::lock_guard lock(mutex_);
  more_headers_.push_back({std::move(name), std::move(value)});
}

void ResponseQueue::Start(HttpResponse response, bool streamed) {
  std::function<void()> unused;  // destroyed without the lock: it may own anything
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kUnanswered) return;
    state_ = streamed ? State::kStarted : State::kEnded;
    streamed_ = streamed;
    head_ = std::move(response);
    if (!streamed) unused.swap(abandoned_);
    if (!Changed()) return;
  }
  wake_();
}

bool ResponseQueue::Write(std::string piece) {
  std::function<void()> abandoned;
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kStarted) return false;
    if (piece.empty()) return true;
    if (unsent_bytes_ + body_.size() > buffer_bytes_) {
      state_ = State::kAbandoned;
      broken_ = true;
      slow_ = true;
      body_.clear();
      abandoned.swap(abandoned_);
    } else {
      body_ += piece;
    }
    if (!Changed() && !broken_) return true;
  }
  if (abandoned) abandoned();
  wake_();
  return !slow();
}

void ResponseQueue::End() {
  std::function<void()> unused;
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kStarted) return;
    state_ = State::kEnded;
    unused.swap(abandoned_);
    if (!Changed()) return;
  }
  wake_();
}

void ResponseQueue::OnAbandoned(std::function<void()> abandoned) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kEnded) return;
    if (state_ != State::kAbandoned) {
      abandoned_.swap(abandoned);
      return;
    }
  }
  abandoned();
}

void ResponseQueue::Dropped() {
  Start(RefusalResponse({500, "internal_error", "the request was not answered: this is a bug"},
                        request_),
        false);
  std::function<void()> unused;
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kStarted) return;
    state_ = State::kAbandoned;
    broken_ = true;
    unused.swap(abandoned_);
    if (!Changed()) return;
  }
  wake_();
}

ResponseQueue::Output ResponseQueue::Take() {
  const std::lock_guard lock(mutex_);
  Output output;
  output.head = std::exchange(head_, std::nullopt);
  if (output.head) output.more_headers = std::move(more_headers_);
  output.streamed = streamed_;
  output.body = std::exchange(body_, {});
  output.ended = state_ == State::kEnded;
  output.broken = broken_;
  woken_ = false;
  unsent_bytes_ = output.body.size();
  return output;
}

void ResponseQueue::SetUnsent(size_t bytes) {
  const std::lock_guard lock(mutex_);
  unsent_bytes_ = bytes;
}

void ResponseQueue::Abandon() {
  std::function<void()> abandoned;
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kEnded || state_ == State::kAbandoned) return;
    state_ = State::kAbandoned;
    abandoned.swap(abandoned_);
  }
  if (abandoned) abandoned();
}

bool ResponseQueue::slow() const {
  const std::lock_guard lock(mutex_);
  return slow_;
}

namespace {

class QueuedExchange : public Exchange {
 public:
  explicit QueuedExchange(std::shared_ptr<ResponseQueue> queue) : queue_(std::move(queue)) {}
  ~QueuedExchange() override { queue_->Dropped(); }

  const HttpRequest& request() const override { return queue_->request(); }
  void AddHeader(std::string name, std::string value) override {
    queue_->AddHeader(std::move(name), std::move(value));
  }
  void Respond(HttpResponse response) override { queue_->Start(std::move(response), false); }
  void Begin(HttpResponse response) override { queue_->Start(std::move(response), true); }
  bool Write(std::string piece) override { return queue_->Write(std::move(piece)); }
  void End() override { queue_->End(); }
  void OnAbandoned(std::function<void()> abandoned) override {
    queue_->OnAbandoned(std::move(abandoned));
  }

 private:
  const std::shared_ptr<ResponseQueue> queue_;  // shared with the connection, which outlives no one
};

}  // namespace

std::shared_ptr<Exchange> MakeExchange(std::shared_ptr<ResponseQueue> queue) {
  return std::make_shared<QueuedExchange>(std::move(queue));
}

}  // namespace tutti::server
