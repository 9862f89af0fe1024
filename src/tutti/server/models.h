// The models of one server: loaded when first asked for, unloaded when nobody has asked for long.
//
// Ownership: owns those that are loaded; a request holds the one it uses, so unloading waits for
// it. Threads: any. Get may take as long as loading takes: never on a thread of the transport.
// Errors: kNotFound for a name that is not served; those of loading.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tutti/server/model_host.h"

namespace tutti::server {

struct ModelSource {
  std::string name;
  std::vector<std::string> aliases = {};  // other names clients may use
  std::function<Result<HostedModel>()> load;
};

struct ModelsOptions {
  scheduler::SchedulerOptions scheduler = {};
  double unload_after_s = 0;  // without a request; 0: never
  // Models in memory at once; the one that was idle longest goes. 0: all.
  int64_t max_loaded = 0;
};

// What a model does now and has done since the server's start, also before it was unloaded and
// loaded again.
struct ModelStatistics {
  std::string model;
  scheduler::Statistics scheduler = {};
};

class Models {
 public:
  Models(std::vector<ModelSource> sources, ModelsOptions options);
  Models(const Models&) = delete;
  Models& operator=(const Models&) = delete;

  // Loads it where needed. An empty name, where there is one model only, means that one.
  Result<std::shared_ptr<ModelHost>> Get(const std::string& name);
  // Whether Get would take long: the model is served, and not in memory.
  bool MustLoad(const std::string& name) const;
  // Those in memory now. None is loaded or unloaded meanwhile: `visit` must be quick.
  void ForEachLoaded(const std::function<void(const ModelHost&)>& visit) const;
  // Of all that were ever loaded.
  std::vector<ModelStatistics> Statistics() const;
  // What a model that clients call so is called here; kNotFound.
  Result<std::string> NameOf(const std::string& name) const;
  const std::vector<std::string>& names() const { return names_; }
  std::string last_used() const;                    // the name of the model that was last asked for
  int64_t created_s() const { return created_s_; }  // Unix time

  // Unloads what has been idle for too long; call it now and then.
  void Sweep();
  // New requests are refused, running ones end; Drained tells when.
  void Drain();
  bool Drained() const;

 private:
  struct Entry {
    ModelSource source;
    std::shared_ptr<ModelHost> host = {};  // shared with requests
    double last_used_s = 0;
    bool was_loaded = false;
    scheduler::Statistics past = {};  // what those hosts counted that are gone
  };
  Status NotServed(const std::string& name) const;
  Entry* Find(const std::string& name) const;
  std::shared_ptr<ModelHost> Use(Entry& entry);
  // Under the mutex; the host must go outside of it, because its loop has to end.
  static std::shared_ptr<ModelHost> Unload(Entry& entry);
  // Makes place for one more; kResource where all that are loaded are in use.
  Status MakePlace();

  const ModelsOptions options_;
  const int64_t created_s_;
  std::vector<std::unique_ptr<Entry>> entries_;
  std::vector<std::string> names_;
  std::mutex loading_;        // one thread loads, the others wait
  mutable std::mutex mutex_;  // of what follows and of the entries' hosts
  bool draining_ = false;
};

}  // namespace tutti::server
