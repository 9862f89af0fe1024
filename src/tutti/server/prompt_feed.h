// The prompts of one client's request on their way through the scheduler: a part of them at a time,
// so that a request of thousands is neither refused by the queue nor keeps others out of it.
//
// With its first prompt the queue takes or refuses the request; each of the others comes without
// asking as soon as there is room in the request's own window (ModelHost::window).
//
// Ownership: the host must outlive it, or Clear. Threads: one at a time; `wake` as
// Scheduler::Submit says.
// Errors: as Scheduler::Submit: Start for the first prompt, Read for later ones.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "tutti/server/model_host.h"

namespace tutti::server {

class PromptFeed {
 public:
  using Handle = std::function<void(size_t prompt, scheduler::Event& event)>;

  // Where it fails nothing runs.
  Status Start(ModelHost& host, std::vector<scheduler::Request> requests,
               std::function<void()> wake);
  // What has come since, in each prompt's order, and further prompts in the place of those that
  // have ended. An error ends the request: what runs is cancelled.
  Status Read(const Handle& handle);
  void Cancel();
  void Cancel(size_t prompt, int32_t choice) { streams_[prompt]->Cancel(choice); }
  // Lets go of everything, as if the client had gone.
  void Clear();

  // Nothing runs any more and nothing is to come.
  bool ended() const { return open_.empty() && next_ == requests_.size(); }
  int64_t prompt_tokens() const { return prompt_tokens_; }  // of all prompts
  // Of the prompts that have begun, [0, prompts).
  const std::vector<std::unique_ptr<scheduler::Stream>>& streams() const { return streams_; }

 private:
  bool HasRoom(const scheduler::Request& request) const;
  Status SubmitNext();
  Status Fill();

  ModelHost* host_ = nullptr;
  std::function<void()> wake_;
  std::vector<scheduler::Request> requests_;  // from `next_` on; before it, what they count
  size_t next_ = 0;
  std::vector<std::unique_ptr<scheduler::Stream>> streams_;
  std::vector<size_t> open_;  // of these, in order
  // Of the open ones.
  int64_t open_answers_ = 0;
  int64_t open_tokens_ = 0;
  int64_t prompt_tokens_ = 0;
};

}  // namespace tutti::server
