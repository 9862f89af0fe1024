#include "tutti/kernels/profile.h"

namespace tutti::kernels {

std::string_view NameOf(Operation operation) {
  static constexpr std::array<std::string_view, kOperations> kNames = {
      "embedding",        "norm",   "qkv",          "rope", "store kv", "attention", "unfold",
      "attention output", "router", "feed forward", "add",  "logits"};
  return kNames[static_cast<size_t>(operation)];
}

Profile::Profile(os::ThreadPool& pool) : pool_(pool) { pool_.KeepTimes(true); }

Profile::~Profile() { pool_.KeepTimes(false); }

bool Profile::Begin() {
  if (open_) return false;
  open_ = true;
  begin_times_ = pool_.times();
  begin_runs_ = pool_.runs();
  begin_ = Clock::now();
  return true;
}

void Profile::End(Operation operation) {
  OperationTotals& totals = totals_[static_cast<size_t>(operation)];
  totals.seconds += std::chrono::duration<double>(Clock::now() - begin_).count();
  const os::RunTimes times = pool_.times();
  const double parallel = times.run_s - begin_times_.run_s;
  const double busy = times.busy_s - begin_times_.busy_s;
  totals.parallel_seconds += parallel;
  totals.waiting_seconds += parallel - busy / pool_.size();
  totals.synchronisations += static_cast<int64_t>(pool_.runs() - begin_runs_);
  ++totals.calls;
  open_ = false;
}

}  // namespace tutti::kernels
