#include "tutti/server/prompt_feed.h"

#include <utility>

namespace tutti::server {

Status PromptFeed::Start(ModelHost& host, std::vector<scheduler::Request> requests,
                         std::function<void()> wake) {
  host_ = &host;
  requests_ = std::move(requests);
  wake_ = std::move(wake);
  for (const scheduler::Request& request : requests_) prompt_tokens_ += std::ssize(request.prompt);
  Status status = Fill();
  if (!status.ok()) Clear();
  return status;
}

bool PromptFeed::HasRoom(const scheduler::Request& request) const {
  if (open_.empty()) return true;
  const QueueWindow window = host_->window();
  return open_answers_ + request.choices <= window.answers &&
         open_tokens_ + std::ssize(request.prompt) <= window.prompt_tokens;
}

Status PromptFeed::SubmitNext() {
  scheduler::Request& request = requests_[next_];
  const int64_t tokens = std::ssize(request.prompt);
  const int32_t choices = request.choices;
  request.admitted = next_ > 0;
  TUTTI_ASSIGN_OR_RETURN(auto stream, host_->scheduler().Submit(std::move(request), wake_));
  streams_.push_back(std::move(stream));
  open_.push_back(next_++);
  open_answers_ += choices;
  open_tokens_ += tokens;
  return {};
}

Status PromptFeed::Fill() {
  while (next_ < requests_.size() && HasRoom(requests_[next_])) {
    TUTTI_RETURN_IF_ERROR(SubmitNext());
  }
  return {};
}

Status PromptFeed::Read(const Handle& handle) {
  std::vector<size_t> still_open;
  for (const size_t prompt : open_) {
    bool last = false;
    for (scheduler::Event& event : streams_[prompt]->Read()) {
      handle(prompt, event);
      last |= event.last;
    }
    if (!last) {
      still_open.push_back(prompt);
      continue;
    }
    open_answers_ -= requests_[prompt].choices;
    open_tokens_ -= streams_[prompt]->progress().prompt_size;
  }
  open_ = std::move(still_open);
  Status status = Fill();
  if (!status.ok()) Cancel();
  return status;
}

void PromptFeed::Cancel() {
  requests_.resize(next_);
  for (const size_t prompt : open_) streams_[prompt]->Cancel();
}

void PromptFeed::Clear() {
  open_.clear();
  streams_.clear();
  requests_.clear();
  next_ = 0;
  wake_ = {};
}

}  // namespace tutti::server
