// Carries out one request for embeddings: prompts to the scheduler, hidden states back as vectors.
//
// An embedding is the hidden state of a text's last token behind the model's last norm, of length
// one (what published embedding models of this kind use).
//
// Ownership: whoever starts it keeps it until `done` was called; the workers must outlive it.
// Threads: Start from any; the rest happens on the workers, one at a time.
// Errors: Start refuses as Scheduler::Submit does; `done` gets what failed later, and what it holds
// is let go of even if it throws.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "tutti/server/generation.h"
#include "tutti/server/prompt_feed.h"

namespace tutti::server {

struct EmbeddingResult {
  std::vector<std::vector<float>> vectors;  // [prompts][dim]
  Outcome outcome;
  Status error;
};

class EmbeddingRun : public std::enable_shared_from_this<EmbeddingRun> {
  struct Private {};

 public:
  using Done = std::function<void(EmbeddingResult)>;

  EmbeddingRun(Private, std::shared_ptr<ModelHost> host, Workers& workers, Done done)
      : host_(std::move(host)), workers_(workers), done_(std::move(done)) {}
  EmbeddingRun(const EmbeddingRun&) = delete;
  EmbeddingRun& operator=(const EmbeddingRun&) = delete;

  // The first `dimensions` of each vector (0: all) and then of length one. `exchange`: whose client
  // may go away.
  static Result<std::shared_ptr<EmbeddingRun>> Start(std::shared_ptr<ModelHost> host,
                                                     Workers& workers, TenantId tenant,
                                                     std::vector<TokenIds> prompts,
                                                     int64_t dimensions, Exchange& exchange,
                                                     Done done);

  // Ends it without `done`: the server goes.
  void Release();
  bool ended() const { return ended_; }

 private:
  void Wake();
  void Cancel();
  // Under the mutex.
  void Attempt();
  void Process();
  void Finish();
  void LetGo();

  std::shared_ptr<ModelHost> host_;  // shared with other requests
  Workers& workers_;
  Done done_;
  std::mutex mutex_;
  std::atomic<bool> ended_ = false;
  PromptFeed feed_;
  size_t dimensions_ = 0;
  EmbeddingResult result_;
};

}  // namespace tutti::server
