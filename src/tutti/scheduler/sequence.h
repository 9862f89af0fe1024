// The loop's view of requests: each has a sequence per choice.
//
// A sequence knows all tokens it should hold: the prompt and what was generated. Those that the
// engine does not hold yet are pending. One pending token is a step of generation; many are a
// prompt, or what was given back when memory was short; nothing else tells them apart.
//
// Ownership: the loop owns ActiveRequests, they own their Sequences. Threads: the loop's.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "tutti/engine/answer.h"
#include "tutti/scheduler/prompt_lookup.h"
#include "tutti/scheduler/request_state.h"
#include "tutti/scheduler/scheduler.h"

namespace tutti::scheduler {

struct ActiveRequest;

struct Sequence {
  ActiveRequest* request = nullptr;
  int32_t choice = 0;
  engine::Answer answer;
  SequenceId id = -1;    // of the engine while it runs
  int32_t held = 0;      // tokens that the engine holds
  int32_t reached = 0;   // the most it ever held: beyond it, work is new
  bool waiting = false;  // for memory and a place among those that run
  bool ended = false;

  // Of speculation.h.
  PromptLookup lookup = {};
  TokenIds drafts = {};  // guesses of what comes after the answer's tokens, in this step
  DraftSource source = DraftSource::kLookup;
  std::array<double, kDraftSources> accepted = {-1, -1};  // how often they are right; -1: unknown

  bool running() const { return id >= 0; }
  int32_t pending() const { return static_cast<int32_t>(answer.tokens().size()) - held; }
  std::span<const TokenId> PendingTokens() const {
    return std::span(answer.tokens()).subspan(static_cast<size_t>(held));
  }
};

struct ActiveRequest {
  std::shared_ptr<RequestState> state;  // shared with the reader's Stream
  Priority priority = Priority::kInteractive;
  TenantId tenant{};
  uint64_t order = 0;  // of arrival
  Times times;
  Usage usage;
  std::deque<Sequence> choices;  // never moves them
  int32_t open_choices = 0;
  bool embedding = false;
  bool prompt_done = false;
  bool left_queue = false;
  bool changed = false;       // since its reader was told
  std::vector<Event> events;  // of this step
};

// The engine holds `tokens` more tokens of the sequence, computed or found. Puts them on the
// request's bill, and what is computed again on nobody's.
void Bill(Sequence& sequence, int32_t tokens, bool computed, Usage& total);

}  // namespace tutti::scheduler
