// The scheduler: requests of many users in, tokens out, one engine.
//
//   any thread:   auto stream = scheduler.Submit(request, wake);   // or a refusal, at once
//                 stream->Read()  -> events since the last Read; the last one has `last` set
//                 stream->Cancel(), or let the stream go          // a client went away
//   one thread:   scheduler.Run();                                // the loop, until Drain or Stop
//
// Every step the loop takes requests and cancellations, chooses which sequences compute how many
// tokens (one each where they generate, pieces of prompts in the time that is left, so that a long
// prompt delays nobody's tokens by more than `step_ms`), calls Engine::Forward once, samples, and
// puts the tokens into the streams. Prompts that begin alike share pages, within a tenant. When
// memory is full the youngest sequence gives its pages back and is computed again later; nobody
// who reads its stream notices anything but time. A request's greedy tokens do not depend on any of
// this.
//
// Order: interactive requests before batch ones, which become interactive after waiting for
// `batch_patience_s`; within a class the tenant that was served least; within a tenant the order of
// arrival.
//
// Ownership: the engine, and that of drafts, must outlive the scheduler and are used by the loop's
// thread alone; streams may outlive the scheduler.
// Threads: Submit, Drain, Stop, statistics() and all of Stream from any thread; Run and Step from
// one.
// Errors: Submit refuses with kUsage what can never work (HTTP 400), with kResource where the queue
// is full (429, see Statistics::retry_after_s) and with kCancelled after Drain or Stop (503). What
// fails later ends the stream with FinishReason::kFailed and a Status.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tutti/base/ids.h"
#include "tutti/base/status.h"
#include "tutti/engine.h"
#include "tutti/engine/sampler.h"
#include "tutti/spec/finish_reason.h"
#include "tutti/spec/sampling_spec.h"
#include "tutti/spec/token_constraint.h"

namespace tutti::scheduler {

enum class Priority : uint8_t { kInteractive, kBatch };

struct Request {
  TokenIds prompt = {};
  SamplingSpec sampling = {};  // choice i draws with seed + i
  int32_t max_tokens = -1;     // of each choice; -1: until the answer ends or the context is full
  int32_t choices = 1;         // answers to the same prompt, which is computed once
  bool ignore_eos = false;     // go on after an end-of-generation token
  TokenIds stop_tokens = {};   // that end an answer besides those
  // What each choice must obey, cloned for it; null: nothing. Shared: the caller may use it for
  // other requests.
  std::shared_ptr<const TokenConstraint> constraint = nullptr;
  // No answer: the hidden state of the prompt's last token (Event::hidden). One choice, and nothing
  // above but the prompt counts.
  bool embedding = false;
  Priority priority = Priority::kInteractive;
  // It belongs to one that the queue has taken: the queue's limits do not refuse it. Whoever sets
  // it bounds how many there are at once.
  bool admitted = false;
  // Whom it belongs to: nothing is shared between tenants, and they are served in turns.
  TenantId tenant{};
};

// A token of a choice, a hidden state, or the end of a choice. The token that ends an answer comes
// too.
struct Event {
  int32_t choice = 0;
  engine::SampledToken token = {};                      // where nothing else is set
  std::vector<float> hidden = {};                       // [dim]
  std::optional<FinishReason> finished = std::nullopt;  // the choice's last event
  Status error = {};                                    // for kFailed
  bool last = false;                                    // of the request
};

// What a request has cost, exactly: of a cancelled one what had been computed until then.
struct Usage {
  int64_t prompt_tokens = 0;     // computed or found; all of the prompt once tokens are generated
  int64_t cached_tokens = 0;     // of these, found: computed for an earlier request of the tenant
  int64_t generated_tokens = 0;  // of all choices
  // Computed again because memory had become short: our affair, nobody should pay for it.
  int64_t recomputed_tokens = 0;
};

// Seconds on the scheduler's clock; negative while it has not happened.
struct Times {
  double submitted_s = -1;
  double started_s = -1;      // left the queue
  double first_token_s = -1;  // the prompt is computed
  double finished_s = -1;
};

struct Progress {
  Usage usage;
  Times times;
  int64_t prompt_size = 0;
};

class RequestState;

// One request, as its reader sees it. Unread tokens are kept up to SchedulerOptions::unread_tokens
// per choice, then the request ends with kSlowReader.
class Stream {
 public:
  explicit Stream(std::shared_ptr<RequestState> state) : state_(std::move(state)) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();  // cancels what has not ended

  uint64_t id() const;  // counts from 1
  // Events since the last call, in order; empty where there are none.
  std::vector<Event> Read();
  // Until there is something to read or the time is over; whether there is.
  bool Wait(double timeout_s);
  // Takes effect with the step that runs; the stream then ends with kInterrupted.
  void Cancel();
  // The same for one choice, which has had a token.
  void Cancel(int32_t choice);
  // As of the last step; exact after the last event.
  Progress progress() const;

 private:
  // Shared with the scheduler, which writes it; whoever goes last frees it.
  std::shared_ptr<RequestState> state_;
};

// Where guesses of coming tokens are from (speculation.h).
enum class DraftSource : uint8_t { kLookup, kModel };
inline constexpr size_t kDraftSources = 2;
struct DraftCount {
  int64_t drafted = 0;   // tokens that were guessed and verified
  int64_t accepted = 0;  // of these, the ones that came true
};

struct SchedulerOptions {
  TokenIds end_of_generation = {};  // tokens with which the model ends an answer

  // Speculative decoding: several tokens of an answer in a step, where they can be guessed and that
  // is faster. It changes no token.
  bool prompt_lookup = true;  // guesses from the answer's own text
  Engine* draft = nullptr;    // guesses: a smaller model of the same vocabulary, used by the loop
  int32_t max_drafts = 16;    // of a sequence and step; 0: none

  // The queue: requests that have not started; one with several choices counts as so many.
  int64_t max_queued_requests = 1024;
  int64_t max_queued_prompt_tokens = 1 << 20;

  int32_t max_running = 256;      // sequences that are computed in turns
  int32_t max_step_tokens = 512;  // of one step
  // Of prompts in a step, whatever it takes: with fewer, a step's own cost would be most of its
  // time. A mixture of experts reads nearly all of them for a few dozen tokens: it wants more.
  int32_t least_prompt_tokens = 16;
  // A step's time, by what earlier steps took: while others generate, and when only prompts are
  // computed (it is also how long a cancellation can take).
  double step_ms = 100;
  double prompt_step_ms = 250;
  double batch_patience_s = 60;
  int64_t unread_tokens = 16384;

  // Seconds since any fixed moment; not set: the steady clock.
  std::function<double()> now_s = {};
};

struct Statistics {
  int64_t queued_requests = 0;
  int64_t queued_prompt_tokens = 0;
  int64_t waiting = 0;  // sequences without memory, queued ones and those that gave it back
  int64_t running = 0;
  PageUse pages;
  DiskUse disk;

  // Since the start.
  int64_t submitted = 0;
  int64_t refused = 0;
  std::array<int64_t, kFinishReasons> finished = {};  // choices, by FinishReason
  Usage usage;                                        // of all requests
  int64_t preemptions = 0;
  std::array<DraftCount, kDraftSources> drafts;  // by DraftSource
  std::string draft_error;  // not empty: why the draft model is not used any more
  int64_t steps = 0;
  double step_s = 0;  // inside of the engine

  double tokens_per_s = 0;   // computed, lately
  double retry_after_s = 0;  // until the queue will be half empty, at that speed
};

class Scheduler {
 public:
  // kUsage for options that make no sense.
  static Result<std::unique_ptr<Scheduler>> Create(Engine& engine, SchedulerOptions options);
  virtual ~Scheduler() = default;  // ends what has not ended, as Stop

  // `wake` may be empty. It is called, by the loop's thread, when there is something to read and
  // the reader has read everything before; it must return at once (post to an executor). It may
  // come late, when all has been read or the stream is gone: it must own what it uses.
  virtual Result<std::unique_ptr<Stream>> Submit(Request request,
                                                 std::function<void()> wake = {}) = 0;

  // Refuses new requests from now on; Run returns when the accepted ones have ended.
  virtual void Drain() = 0;
  // The same, and cancels all. Both may be called often.
  virtual void Stop() = 0;

  // The loop. Sleeps where there is nothing to do.
  virtual void Run() = 0;
  // One step of it, for those who run the loop themselves; false where there was nothing to do.
  virtual bool Step() = 0;

  virtual Statistics statistics() const = 0;
  // Says what is wrong with the accounting, empty if nothing is. By the loop's thread.
  virtual std::string CheckIntegrity() const = 0;
};

}  // namespace tutti::scheduler
