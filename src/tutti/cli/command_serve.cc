// tutti serve [MODEL...]: an inference server for many users, with the APIs of OpenAI and
// Anthropic.
#include <CLI/CLI.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <future>
#include <thread>

#include "tutti/cli/command.h"
#include "tutti/cli/kernel_report.h"
#include "tutti/cli/last_resort.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/size_text.h"
#include "tutti/os/free_memory.h"
#include "tutti/os/notify.h"
#include "tutti/server/front_door.h"
#include "tutti/server/http_server.h"
#include "tutti/server/keys.h"
#include "tutti/server/models.h"
#include "tutti/server/origin.h"
#include "tutti/server/routes.h"
#include "tutti/server/service.h"
#include "tutti/server/workers.h"

namespace tutti::cli {
namespace {

using server::HostedModel;
using server::ModelSource;

constexpr int kWorkers = 4;
constexpr int kContexts = 16;
// For what still runs: when somebody has asked twice, and when the time for answers is over (pages
// go to the disk then).
constexpr std::chrono::seconds kForcedSeconds{5};
constexpr std::chrono::seconds kLastSeconds{30};
constexpr int kInterrupted = 130;
constexpr auto kSaveUsed = std::chrono::seconds(5);

// What clients of these APIs expect where nobody says anything: all tokens by their probability.
SamplingSpec NeutralSampling() {
  SamplingSpec sampling;
  sampling.temperature = 1;
  sampling.top_k = 0;
  sampling.top_p = 1;
  sampling.min_p = 0;
  return sampling;
}

// "NAME=MODEL", or a model under its own name.
struct ServedName {
  std::string name;
  std::string model;
};

ServedName NameOf(const std::string& argument) {
  const size_t equals = argument.find('=');
  std::error_code error;
  if (equals != std::string::npos && !std::filesystem::exists(argument, error)) {
    return {argument.substr(0, equals), argument.substr(equals + 1)};
  }
  return {"", argument};
}

// What signals say, for a thread that waits for nothing else. They must be blocked before any
// other thread exists.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, &before_);
    std::signal(SIGPIPE, SIG_IGN);  // whoever read our messages is gone: no reason to end
    std::signal(SIGXFSZ, SIG_IGN);  // a file may not grow: writing says so
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  ~Signals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  // 0 where none came in time.
  int Wait(std::chrono::milliseconds timeout) const {
    const timespec time{.tv_sec = timeout.count() / 1000,
                        .tv_nsec = timeout.count() % 1000 * 1'000'000};
    const int signal = sigtimedwait(&set_, nullptr, &time);
    return signal > 0 ? signal : 0;
  }

 private:
  sigset_t set_ = {};
  sigset_t before_ = {};
};

class ServeCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("MODEL", arguments_, "files, folders or names; else the model inside");
    app.add_option("--host", http_.host, "address to listen at (default 127.0.0.1)")
        ->type_name("HOST");
    app.add_option("--port", http_.port, "0: any that is free (default 8080)")
        ->type_name("N")
        ->check(Between(0, 65535));
    app.add_option("--keys", keys_file_, "file of API keys; without one nobody is asked")
        ->type_name("FILE");
    app.add_option("--tls-cert", tls_certificate_, "PEM file, with --tls-key: https")
        ->type_name("FILE");
    app.add_option("--tls-key", tls_key_, "PEM file of its private key")->type_name("FILE");
    app.add_flag("--insecure", insecure_, "listen to other machines without keys");
    app.add_option("--allowed-host", origins_.allowed_hosts, "name that clients may use for it")
        ->type_name("NAME")
        ->allow_extra_args(false);
    app.add_option("--cors-origin", origins_.cors_origins, "web page that may use it")
        ->type_name("URL")
        ->allow_extra_args(false);
    model_.DeclareEngine(app);
    app.add_option("--kv-memory", kv_memory_mib_,
                   "MiB for keys and values (default: 16 long texts)")
        ->type_name("N")
        ->check(Between(1, INT32_MAX));
    app.add_option("--prefix-disk", model_.engine.prefix_disk,
                   "folder that keeps computed prompts over restarts")
        ->type_name("DIR");
    app.add_option("--prefix-disk-size", prefix_disk_mib_,
                   "MiB of it for each model (default 4096)")
        ->type_name("N")
        ->check(Between(1, INT32_MAX));
    app.add_option("--draft", draft_, "small model that guesses the other's tokens")
        ->type_name("MODEL");
    app.add_flag("!--no-lookup", scheduler_.prompt_lookup, "no guesses from the text itself");
    app.add_option("--max-running", scheduler_.max_running,
                   "answers computed in turns, at most (default 256)")
        ->type_name("N")
        ->check(Between(1, 4096));
    app.add_option("--max-queue", scheduler_.max_queued_requests,
                   "requests that may wait before 429 (default 1024)")
        ->type_name("N")
        ->check(Between(1, 1 << 20));
    app.add_option("--max-models", models_.max_loaded, "models in memory at once (default: all)")
        ->type_name("N")
        ->check(Between(1, 1024));
    app.add_option("--unload-after", models_.unload_after_s,
                   "seconds after which an idle model is unloaded")
        ->type_name("S")
        ->check(NumberBetween(1, 1e9));
    app.add_option("--drain", drain_s_, "seconds running answers get to end (default 300)")
        ->type_name("S")
        ->check(NumberBetween(0, 1e6));
    app.footer(
        "NAME=MODEL gives a model another name. SIGTERM or Ctrl-C: no new requests, the\n"
        "running ones end; again: at once. SIGHUP: reads the keys again.");
  }

  Status Run(Console& console) override {
    WarnOfSlowKernels(console);
    os::UseOneHeap();
    origins_.host = http_.host;
    http_.tls_certificate = tls_certificate_;
    http_.tls_key = tls_key_;
    if (!keys_file_.empty()) {
      TUTTI_ASSIGN_OR_RETURN(keys_, server::KeyRing::Load(keys_file_));
      TUTTI_RETURN_IF_ERROR(keys_->SaveUsedTokens());  // that it can be kept
    }
    TUTTI_RETURN_IF_ERROR(server::CheckExposure(http_.host, keys_ != nullptr, insecure_));
    const Signals signals;
    model_.engine.prefix_disk_bytes = prefix_disk_mib_ << 20;
    if (kv_memory_mib_ > 0) {
      model_.engine.kv_budget_bytes = kv_memory_mib_ << 20;
    } else {
      model_.engine.kv_contexts = kContexts;
    }
    scheduler_.max_step_tokens = std::max(scheduler_.max_step_tokens, scheduler_.max_running);
    models_.scheduler = scheduler_;
    if (arguments_.empty()) arguments_.emplace_back(kEmbeddedName);
    TUTTI_ASSIGN_OR_RETURN(std::vector<ModelSource> sources, Sources());
    LastResort last_resort;             // outlives all that may hold it up
    server::Workers workers(kWorkers);  // outlives the models, whose loops post to it
    server::Models models(std::move(sources), models_);
    auto first = std::async(std::launch::async, [&] { return LoadFirst(models, console); });
    while (first.wait_for(std::chrono::milliseconds(20)) != std::future_status::ready) {
      const int signal = signals.Wait(std::chrono::milliseconds(0));
      if (signal != SIGINT && signal != SIGTERM) continue;
      last_resort.EndAfter(kForcedSeconds, kInterrupted);
      return InterruptedError();
    }
    TUTTI_RETURN_IF_ERROR(first.get());
    server::Service service(models, workers, {.version = TUTTI_VERSION});
    TUTTI_ASSIGN_OR_RETURN(auto origins, server::OriginRules::Create(origins_));
    const server::FrontDoor door(server::MakeRouter(service), std::move(origins), keys_.get());
    http_.admit = [&door](server::HttpRequest& request) { return door.Admit(request); };
    TUTTI_ASSIGN_OR_RETURN(
        auto http,
        server::HttpServer::Create(http_, [&door](std::shared_ptr<server::Exchange> exchange) {
          door.Handle(std::move(exchange));
        }));
    service.StartTicking();
    std::thread transport([&] { http->Run(); });
    for (const std::string& address : http->addresses()) {
      console.Say("tutti: {}://{}  (Ctrl-C ends)", tls_key_.empty() ? "http" : "https", address);
    }
    Notify("READY=1");
    const bool forced = WaitForEnd(signals, service, *http, console);
    Notify("STOPPING=1");
    if (forced || service.running() > 0) {
      last_resort.EndAfter(forced ? kForcedSeconds : kLastSeconds, forced ? kInterrupted : 0);
      http->Stop();
    } else {
      http->Drain(std::chrono::seconds(5));
    }
    transport.join();
    workers.Stop();
    SaveUsedTokens(console);
    return forced ? InterruptedError() : Status();
  }

 private:
  Result<std::vector<ModelSource>> Sources() {
    std::vector<ModelSource> sources;
    for (const std::string& argument : arguments_) {
      const ServedName served = NameOf(argument);
      TUTTI_ASSIGN_OR_RETURN(const ModelChoice choice, ChooseModel(served.model));
      std::string name = served.name.empty() ? choice.name : served.name;
      ModelSource source{.name = name, .aliases = {}, .load = [this, model = served.model] {
                           return Load(model);
                         }};
      if (served.name.empty() && name.ends_with(".gguf")) {
        source.aliases.push_back(name);
        source.name.resize(name.size() - std::string_view(".gguf").size());
      }
      for (const ModelSource& other : sources) {
        if (other.name != source.name) continue;
        return UsageError("two models are called '{}': give one another name, NAME={}", source.name,
                          served.model);
      }
      sources.push_back(std::move(source));
    }
    return sources;
  }

  Result<HostedModel> Load(const std::string& name) const {
    TUTTI_ASSIGN_OR_RETURN(LoadedModel loaded, LoadModel(name, model_.engine));
    TUTTI_RETURN_IF_ERROR(loaded.tokenizer_status);
    std::unique_ptr<Engine> draft;
    if (!draft_.empty()) {
      EngineOptions options = model_.engine;
      options.prefix_disk.clear();  // what it has computed is soon computed again
      TUTTI_ASSIGN_OR_RETURN(LoadedModel small, LoadModel(draft_, options));
      draft = std::move(small.engine);
    }
    TUTTI_ASSIGN_OR_RETURN(const SamplingSpec sampling,
                           SamplingOf(loaded.engine->metadata(), NeutralSampling()));
    return HostedModel{.engine = std::move(loaded.engine),
                       .tokenizer = std::move(loaded.tokenizer),
                       .sampling = sampling,
                       .draft = std::move(draft)};
  }

  // What does not fit is said now, not to the first client.
  static Status LoadFirst(server::Models& models, Console& console) {
    TUTTI_ASSIGN_OR_RETURN(const auto first, models.Get(models.names().front()));
    SayMemory(console, *first);
    return {};
  }

  static void SayMemory(Console& console, server::ModelHost& host) {
    const std::string no_disk = host.scheduler().statistics().disk.error;
    if (!no_disk.empty())
      console.Say("tutti: {}: goes without --prefix-disk: {}", host.name(), no_disk);
    const EngineCosts costs = host.costs();
    const int64_t tokens =
        costs.kv_bytes_per_token > 0 ? costs.kv_budget_bytes / costs.kv_bytes_per_token : 0;
    console.Say("tutti: {}: weights {}, keys and values {} for {} tokens ({} texts of {})",
                host.name(), SizeText(static_cast<uint64_t>(costs.weight_bytes)),
                SizeText(static_cast<uint64_t>(costs.kv_budget_bytes)), tokens,
                tokens / std::max(host.context(), 1), host.context());
  }

  // Keys and certificate, from their files.
  void Reload(server::HttpServer& http, Console& console) const {
    if (keys_ != nullptr) {
      const Status status = keys_->Reload();
      console.Say("tutti: {}", status.ok() ? fmt::format("{} keys", keys_->size())
                                           : "the keys stay as they were: " + status.message());
    }
    if (!tls_key_.empty()) {
      const Status status = http.ReloadTls();
      console.Say("tutti: {}", status.ok()
                                   ? std::string("the certificate was read again")
                                   : "the certificate stays as it was: " + status.message());
    }
  }

  // Says a failure once, until it is none any more.
  void SaveUsedTokens(Console& console) {
    if (keys_ == nullptr) return;
    const Status status = keys_->SaveUsedTokens();
    if (!status.ok() && status.message() != save_error_) {
      console.Say("tutti: what keys have used cannot be kept: {}", status.message());
    }
    save_error_ = status.message();
  }

  // Until a signal, and then until the running answers have ended or there is no more time. True
  // where they are to be broken off.
  bool WaitForEnd(const Signals& signals, server::Service& service, server::HttpServer& http,
                  Console& console) {
    while (true) {
      const int signal = signals.Wait(kSaveUsed);
      SaveUsedTokens(console);
      if (signal == SIGINT || signal == SIGTERM) break;
      if (signal == SIGHUP) Reload(http, console);
    }
    service.Drain();
    if (service.running() > 0) {
      console.Say("tutti: {} answers are still running; again to break them off",
                  service.running());
    }
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::duration<double>(drain_s_);
    while (service.running() > 0 && std::chrono::steady_clock::now() < deadline) {
      const int signal = signals.Wait(std::chrono::milliseconds(50));
      if (signal == SIGINT || signal == SIGTERM) return true;
    }
    return false;
  }

  // Nobody to tell is no error.
  static void Notify(std::string_view state) {
    const auto socket = GetEnvironment("NOTIFY_SOCKET");
    if (socket) (void)os::NotifyServiceManager(*socket, state);
  }

  std::vector<std::string> arguments_;
  ModelOptions model_;
  server::HttpOptions http_;
  scheduler::SchedulerOptions scheduler_;
  server::ModelsOptions models_;
  int64_t kv_memory_mib_ = 0;
  int64_t prefix_disk_mib_ = 4096;
  double drain_s_ = 300;
  server::OriginOptions origins_;
  std::string keys_file_;
  std::string tls_certificate_;
  std::string tls_key_;
  std::string draft_;
  std::unique_ptr<server::KeyRing> keys_;
  std::string save_error_;
  bool insecure_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeServeCommand() { return std::make_unique<ServeCommand>(); }

}  // namespace tutti::cli
