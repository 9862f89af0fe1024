// What the next step computes: which sequences run, and how many tokens of each.
//
//   1. every sequence that generates: one token
//   2. prompts of those that run: as many tokens as the step's time allows. A prompt whose next
//   page
//      another one is just computing waits for it.
//   3. those that wait start where there are places, memory for their whole prompt, and time left
//   4. drafts, from outside (speculation.h), in memory that is left
//
// Where memory is short, the planner takes a sequence's pages away; it waits again and is computed
// again, but for what is still remembered. It is chosen from batch requests before interactive
// ones, from the tenant that runs most, the youngest. So the oldest interactive sequence is never
// chosen and always comes to its end, and by then another one is the oldest: everybody does. An
// interactive request that finds no place makes a batch sequence give way, and any request one of a
// tenant that runs at least two more.
//
// Ownership: none of the sequences. Threads: the loop's. Errors: none.
#pragma once
#include <cstdint>
#include <vector>

#include "tutti/scheduler/sequence.h"
#include "tutti/scheduler/step_times.h"
#include "tutti/scheduler/tenants.h"

namespace tutti::scheduler {

struct Share {
  Sequence* sequence = nullptr;
  int32_t tokens = 0;
  int64_t pages = 0;   // that the step will take for it
  int32_t drafts = 0;  // tokens behind them that are guessed
};

// What a generated token weighs against one of a prompt.
inline constexpr double kGeneratedWeight = 2;

class Planner {
 public:
  // `total` is billed with what is found.
  Planner(Engine& engine, const SchedulerOptions& options, Usage& total)
      : engine_(engine), options_(options), total_(total), tenants_(options.batch_patience_s) {}

  // A sequence that wants to run.
  void Wait(Sequence& sequence) { tenants_.Wait(sequence); }
  // A sequence that holds what the engine's sequence `id` holds, which it owns from now on.
  void Join(Sequence& sequence, SequenceId id, int32_t held);
  bool HasPlace() const { return std::ssize(running_) < options_.max_running; }
  // Ended: gives back whatever it has.
  void Drop(Sequence& sequence);

  // Not empty where anybody runs or waits.
  const std::vector<Share>& Plan(double now_s);
  const std::vector<Share>& plan() const { return plan_; }
  // Those that Plan started.
  const std::vector<Sequence*>& started() const { return started_; }
  // So many drafts for a sequence of the plan that generates, or as many as have room.
  void AddDrafts(size_t share, int32_t drafts);
  // The plan's tokens, and what they are worth: prompt 1, generated kGeneratedWeight.
  int64_t planned_tokens() const;
  double planned_value() const;
  const StepTimes& times() const { return times_; }
  // The plan was computed.
  void Computed(double seconds);
  // So many of a sequence's drafts became tokens of its answer.
  void Accepted(const Sequence& sequence, int32_t drafts);

  int64_t waiting() const { return tenants_.waiting(); }
  const std::vector<Sequence*>& running() const { return running_; }
  int64_t preemptions() const { return preemptions_; }

 private:
  void CatchUp();
  void PlanGeneration();
  void PlanPrompts();
  void StartSome();
  void Add(Sequence& sequence, int32_t tokens);
  // Adds as much of the pending tokens as there is time and memory for.
  void AddPrompt(Sequence& sequence);

  bool Interactive(const Sequence& sequence) const {
    return tenants_.Interactive(*sequence.request, now_s_);
  }
  int64_t PagesLeft() const { return engine_.pages().available() - planned_pages_; }
  int64_t PagesMissing(const Sequence& sequence, int32_t tokens) const {
    return engine_.PagesMissing(sequence.id, tokens);
  }
  bool AnotherComputesItsPage(const Sequence& sequence) const;
  // Takes memory from others, or from itself: then false.
  bool MakeRoom(Sequence& sequence, int32_t tokens);
  // Takes a place from another for a sequence that has just started.
  bool MakeOthersGiveWay(const Sequence& candidate, bool for_memory);
  // Who has to give way first; null where nobody else runs.
  Sequence* Victim(const Sequence* spared = nullptr) const;
  void Preempt(Sequence& sequence);

  bool Start(Sequence& sequence);
  // Memory for all that is pending of those who run.
  bool AllFit() const;
  // Takes its memory and its place.
  void Release(Sequence& sequence);
  // The same; it waits from now on.
  void GiveBack(Sequence& sequence);

  Engine& engine_;
  const SchedulerOptions& options_;
  Usage& total_;
  Tenants tenants_;
  StepTimes times_;
  std::vector<Sequence*> running_;
  int64_t preemptions_ = 0;

  // Of the plan that is made.
  double now_s_ = 0;
  std::vector<Share> plan_;
  std::vector<Sequence*> started_;
  int64_t planned_pages_ = 0;
  int64_t tokens_left_ = 0;
  bool memory_is_short_ = false;
};

}  // namespace tutti::scheduler
