#include "tutti/server/models.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "tutti/base/printable.h"

namespace tutti::server {
namespace {

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int64_t UnixSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Nobody but the table holds it.
bool Idle(const std::shared_ptr<ModelHost>& host) { return host && host.use_count() == 1; }

// Adds what counts since the start.
void AddTotals(const scheduler::Statistics& of, scheduler::Statistics& to) {
  to.submitted += of.submitted;
  to.refused += of.refused;
  for (size_t i = 0; i < to.finished.size(); ++i) to.finished[i] += of.finished[i];
  to.usage.prompt_tokens += of.usage.prompt_tokens;
  to.usage.cached_tokens += of.usage.cached_tokens;
  to.usage.generated_tokens += of.usage.generated_tokens;
  to.usage.recomputed_tokens += of.usage.recomputed_tokens;
  to.preemptions += of.preemptions;
  for (size_t i = 0; i < to.drafts.size(); ++i) {
    to.drafts[i].drafted += of.drafts[i].drafted;
    to.drafts[i].accepted += of.drafts[i].accepted;
  }
  to.steps += of.steps;
  to.step_s += of.step_s;
  to.disk.hits += of.disk.hits;
  to.disk.written += of.disk.written;
  to.disk.dropped += of.disk.dropped;
}

}  // namespace

Models::Models(std::vector<ModelSource> sources, ModelsOptions options)
    : options_(std::move(options)), created_s_(UnixSeconds()) {
  for (ModelSource& source : sources) {
    names_.push_back(source.name);
    entries_.push_back(std::make_unique<Entry>());
    entries_.back()->source = std::move(source);
  }
}

Models::Entry* Models::Find(const std::string& name) const {
  if (name.empty() && entries_.size() == 1) return entries_.front().get();
  for (const auto& entry : entries_) {
    const auto& aliases = entry->source.aliases;
    if (entry->source.name == name ||
        std::find(aliases.begin(), aliases.end(), name) != aliases.end()) {
      return entry.get();
    }
  }
  return nullptr;
}

std::shared_ptr<ModelHost> Models::Use(Entry& entry) {
  const std::lock_guard lock(mutex_);
  entry.last_used_s = Seconds();
  return entry.host;
}

Status Models::NotServed(const std::string& name) const {
  std::string known;
  for (const std::string& other : names_) known += (known.empty() ? "" : ", ") + other;
  if (name.empty()) return UsageError("model is missing: these are served: {}", known);
  return Error(StatusCode::kNotFound, "the model '{}' is not served here; these are: {}",
               Printable(name, 200), known);
}

Result<std::string> Models::NameOf(const std::string& name) const {
  const Entry* entry = Find(name);
  if (entry == nullptr) return NotServed(name);
  return entry->source.name;
}

Result<std::shared_ptr<ModelHost>> Models::Get(const std::string& name) {
  Entry* entry = Find(name);
  if (entry == nullptr) return NotServed(name);
  if (auto host = Use(*entry)) return host;
  const std::lock_guard loading(loading_);
  if (auto host = Use(*entry)) return host;
  TUTTI_RETURN_IF_ERROR(MakePlace());
  TUTTI_ASSIGN_OR_RETURN(HostedModel model, entry->source.load());
  TUTTI_ASSIGN_OR_RETURN(
      auto host, ModelHost::Create(entry->source.name, std::move(model), options_.scheduler));
  const std::lock_guard lock(mutex_);
  if (draining_) host->scheduler().Drain();
  entry->last_used_s = Seconds();
  entry->host = host;
  entry->was_loaded = true;
  return host;
}

std::shared_ptr<ModelHost> Models::Unload(Entry& entry) {
  AddTotals(entry.host->scheduler().statistics(), entry.past);
  return std::exchange(entry.host, nullptr);
}

Status Models::MakePlace() {
  std::shared_ptr<ModelHost> oldest;  // freed outside of the lock: its loop has to end
  const std::lock_guard lock(mutex_);
  int64_t loaded = 0;
  Entry* idle = nullptr;
  for (const auto& entry : entries_) {
    if (!entry->host) continue;
    ++loaded;
    if (!Idle(entry->host)) continue;
    if (idle == nullptr || entry->last_used_s < idle->last_used_s) idle = entry.get();
  }
  if (options_.max_loaded == 0 || loaded < options_.max_loaded) return {};
  if (idle == nullptr) {
    return Error(StatusCode::kResource,
                 "{} models are loaded and in use, the limit is {}: try again later", loaded,
                 options_.max_loaded);
  }
  oldest = Unload(*idle);
  return {};
}

bool Models::MustLoad(const std::string& name) const {
  const Entry* entry = Find(name);
  if (entry == nullptr) return false;
  const std::lock_guard lock(mutex_);
  return entry->host == nullptr;
}

void Models::ForEachLoaded(const std::function<void(const ModelHost&)>& visit) const {
  const std::lock_guard lock(mutex_);
  for (const auto& entry : entries_) {
    if (entry->host) visit(*entry->host);
  }
}

std::vector<ModelStatistics> Models::Statistics() const {
  const std::lock_guard lock(mutex_);
  std::vector<ModelStatistics> all;
  for (const auto& entry : entries_) {
    if (!entry->was_loaded) continue;
    ModelStatistics& one = all.emplace_back(ModelStatistics{.model = entry->source.name});
    if (entry->host) one.scheduler = entry->host->scheduler().statistics();
    AddTotals(entry->past, one.scheduler);
  }
  return all;
}

std::string Models::last_used() const {
  const std::lock_guard lock(mutex_);
  const Entry* last = entries_.front().get();
  for (const auto& entry : entries_) {
    if (entry->last_used_s > last->last_used_s) last = entry.get();
  }
  return last->source.name;
}

void Models::Sweep() {
  if (options_.unload_after_s <= 0) return;
  std::vector<std::shared_ptr<ModelHost>> unloaded;
  const double now = Seconds();
  const std::lock_guard lock(mutex_);
  for (const auto& entry : entries_) {
    if (Idle(entry->host) && now - entry->last_used_s >= options_.unload_after_s) {
      unloaded.push_back(Unload(*entry));
    }
  }
}

void Models::Drain() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
  for (const auto& entry : entries_) {
    if (entry->host) entry->host->scheduler().Drain();
  }
}

bool Models::Drained() const {
  const std::lock_guard lock(mutex_);
  return draining_ && std::all_of(entries_.begin(), entries_.end(), [](const auto& entry) {
           return !entry->host || Idle(entry->host);
         });
}

}  // namespace tutti::server
