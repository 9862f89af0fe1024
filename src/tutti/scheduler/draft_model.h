// Drafts from a small model of the same vocabulary, which runs beside the sequences' own.
//
// Each sequence that is drafted has one of the draft model's as well. It is brought up to date a
// piece per step where much is missing (a prompt), and continued token by token: with the sampler
// of the answer as it is now, so that draft and answer are drawn with the same random numbers.
//
// Ownership: the engine must outlive it; ends its sequences there. Threads: the loop's.
// Errors: where the draft model has no memory, there is no draft; another error of its engine
// switches it off, and is kept.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tutti/engine.h"
#include "tutti/scheduler/sequence.h"
#include "tutti/scheduler/step_times.h"

namespace tutti::scheduler {

// Tokens wanted, and got.
struct DraftJob {
  Sequence* sequence = nullptr;
  int32_t wanted = 0;
  TokenIds drafts = {};
};

class DraftModel {
 public:
  // `engine` may be null: then it is not usable.
  DraftModel(Engine* engine, const SchedulerOptions& options)
      : engine_(engine), options_(options) {}
  DraftModel(const DraftModel&) = delete;
  DraftModel& operator=(const DraftModel&) = delete;
  ~DraftModel() { Forget({}); }

  bool usable() const { return engine_ != nullptr && error_.empty(); }
  const std::string& error() const { return error_; }
  // Seconds that so many tokens of so many sequences are expected to take.
  double Predict(int64_t sequences, int32_t drafts) const {
    return times_.Predict(sequences) * drafts;
  }

  void Draft(std::span<DraftJob> jobs);
  // The answer has gone on: drops drafts that were wrong.
  void Follow(const Sequence& sequence);
  // Ends those of sequences that do not run any more.
  void Forget(std::span<Sequence* const> running);

 private:
  using Place = std::pair<uint64_t, int32_t>;  // the request's order of arrival, choice
  static Place PlaceOf(const Sequence& sequence);

  void Open(const Sequence& sequence);
  // Computes what is missing of some of the jobs, as much as there is time for.
  void CatchUp(std::span<DraftJob> jobs);
  // Each job's next draft after the first.
  bool GoOn(std::span<DraftJob> jobs);
  bool Forward(const Batch& batch, std::span<DraftJob* const> jobs);
  bool HasRoom(SequenceId id, int32_t tokens, int64_t& pages) const;

  Engine* engine_;
  const SchedulerOptions& options_;
  std::map<Place, SequenceId> sequences_;
  StepTimes times_;
  std::string error_;
};

}  // namespace tutti::scheduler
