#include "tutti/scheduler/tenants.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "tutti/base/check.h"

namespace tutti::scheduler {

Tenants::Queue& Tenants::QueueOf(Tenant& tenant, const Sequence& sequence) {
  return sequence.request->priority == Priority::kInteractive ? tenant.interactive : tenant.batch;
}

Tenants::Tenant& Tenants::Here(TenantId id) {
  Tenant& tenant = all_[id];
  if (tenant.here()) return tenant;
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [other, record] : all_) {
    if (record.here()) least = std::min(least, record.served);
  }
  if (least < std::numeric_limits<double>::infinity()) {
    tenant.served = std::max(tenant.served, least);
  }
  return tenant;
}

void Tenants::ForgetIfAllAreGone() {
  const auto here = [](const auto& entry) { return entry.second.here(); };
  if (std::none_of(all_.begin(), all_.end(), here)) all_.clear();
}

void Tenants::Wait(Sequence& sequence) {
  TUTTI_CHECK(!sequence.waiting && !sequence.running(), "a sequence waits twice");
  const ActiveRequest& request = *sequence.request;
  QueueOf(Here(request.tenant), sequence)[{request.order, sequence.choice}] = &sequence;
  sequence.waiting = true;
  ++waiting_;
}

void Tenants::StopWaiting(Sequence& sequence) {
  TUTTI_CHECK(sequence.waiting, "a sequence does not wait");
  const ActiveRequest& request = *sequence.request;
  QueueOf(all_.at(request.tenant), sequence).erase({request.order, sequence.choice});
  sequence.waiting = false;
  --waiting_;
  ForgetIfAllAreGone();
}

Sequence* Tenants::Next(double now_s) const {
  Sequence* best = nullptr;
  std::tuple<bool, double, Place> best_rank;
  for (const auto& [id, tenant] : all_) {
    for (const Queue* queue : {&tenant.interactive, &tenant.batch}) {
      if (queue->empty()) continue;
      const auto& [place, sequence] = *queue->begin();
      const std::tuple rank(!Interactive(*sequence->request, now_s), tenant.served, place);
      if (best == nullptr || rank < best_rank) {
        best = sequence;
        best_rank = rank;
      }
    }
  }
  return best;
}

void Tenants::Started(TenantId tenant) { ++Here(tenant).running; }

void Tenants::Stopped(TenantId tenant) {
  --all_.at(tenant).running;
  ForgetIfAllAreGone();
}

int64_t Tenants::Running(TenantId tenant) const {
  const auto it = all_.find(tenant);
  return it == all_.end() ? 0 : it->second.running;
}

void Tenants::Serve(TenantId tenant, double tokens) {
  const auto it = all_.find(tenant);
  if (it != all_.end()) it->second.served += tokens;
}

double Tenants::Served(TenantId tenant) const {
  const auto it = all_.find(tenant);
  return it == all_.end() ? 0 : it->second.served;
}

}  // namespace tutti::scheduler
