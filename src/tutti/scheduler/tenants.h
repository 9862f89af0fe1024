// Who waits, and whose turn it is.
//
// Interactive before batch; then the tenant that was served least; then the order of arrival. How
// much a tenant was served is counted in tokens, prompt 1 and generated 2, and whoever returns
// after a pause begins at the least of those who are there: nobody saves up or pays for the past
// (virtual token counters, Sheng et al., "Fairness in Serving Large Language Models", arXiv
// 2401.00588).
//
// Ownership: none of the sequences. Threads: the loop's. Errors: none.
#pragma once
#include <cstdint>
#include <map>
#include <utility>

#include "tutti/scheduler/sequence.h"

namespace tutti::scheduler {

class Tenants {
 public:
  explicit Tenants(double batch_patience_s) : batch_patience_s_(batch_patience_s) {}

  // Batch requests that have waited long enough count as interactive.
  bool Interactive(const ActiveRequest& request, double now_s) const {
    return request.priority == Priority::kInteractive ||
           now_s - request.times.submitted_s > batch_patience_s_;
  }

  void Wait(Sequence& sequence);
  void StopWaiting(Sequence& sequence);
  int64_t waiting() const { return waiting_; }
  // Whose turn it is; null where nobody waits.
  Sequence* Next(double now_s) const;

  // Sequences that run.
  void Started(TenantId tenant);
  void Stopped(TenantId tenant);
  int64_t Running(TenantId tenant) const;

  void Serve(TenantId tenant, double tokens);
  double Served(TenantId tenant) const;

 private:
  using Place = std::pair<uint64_t, int32_t>;  // order of arrival, choice
  using Queue = std::map<Place, Sequence*>;
  struct Tenant {
    Queue interactive;
    Queue batch;
    int64_t running = 0;
    double served = 0;
    bool here() const { return running > 0 || !interactive.empty() || !batch.empty(); }
  };
  // Comes, if it was not here.
  Tenant& Here(TenantId id);
  void ForgetIfAllAreGone();
  static Queue& QueueOf(Tenant& tenant, const Sequence& sequence);

  const double batch_patience_s_;
  std::map<TenantId, Tenant> all_;  // those who are gone as well, while others are here
  int64_t waiting_ = 0;
};

}  // namespace tutti::scheduler
