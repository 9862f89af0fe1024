// tutti keys: the file of API keys that `tutti serve --keys` reads.
#include <CLI/CLI.hpp>

#include <filesystem>
#include <string>
#include <vector>

#include "tutti/cli/command.h"
#include "tutti/cli/options.h"
#include "tutti/os/file.h"
#include "tutti/server/keys.h"

namespace tutti::cli {
namespace {

using server::ApiKey;

constexpr size_t kFileBytesMax = 16 << 20;

class KeysCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("ACTION", action_, "add, list or remove")->required();
    app.add_option("FILE", file_, "the file of keys; add makes it")->required();
    app.add_option("NAME", name_, "of the key");
    app.add_option("--scope", scopes_, "inference (default), metrics or admin")
        ->type_name("SCOPE")
        ->allow_extra_args(false);
    app.add_option("--expires", expires_, "2027-01-31 or 2027-01-31T12:00:00Z (default: never)")
        ->type_name("TIME");
    app.add_option("--tenant", tenant_, "keys of one tenant share computed prefixes")
        ->type_name("NAME");
    app.add_option("--requests-per-minute", limits_.requests_per_minute, "at most")
        ->type_name("N")
        ->check(Between(1, INT32_MAX));
    app.add_option("--tokens-per-minute", limits_.tokens_per_minute, "at most, read and written")
        ->type_name("N")
        ->check(Between(1, INT32_MAX));
    app.add_option("--requests-at-once", limits_.requests_at_once, "at most")
        ->type_name("N")
        ->check(Between(1, INT32_MAX));
    app.add_option("--token-budget", limits_.token_budget, "at most in all, read and written")
        ->type_name("N")
        ->check(NumberBetween(1, 1e12));
    app.footer(
        "add prints the key, once: the file has only its SHA-256. A server that runs\n"
        "reads the file again on SIGHUP.");
  }

  Status Run(Console& console) override {
    if (action_ == "list") return List(console);
    if (action_ != "add" && action_ != "remove") {
      return UsageError("there is no action '{}': say add, list or remove", action_);
    }
    if (name_.empty()) return UsageError("'tutti keys {}' needs the NAME of a key", action_);
    return action_ == "add" ? Add(console) : Remove(console);
  }

 private:
  Result<std::string> Read(bool must_exist) const {
    std::error_code error;
    if (!must_exist && !std::filesystem::exists(file_, error)) return std::string();
    return os::ReadFile(file_, kFileBytesMax);
  }

  Result<ApiKey> NewKey(const std::string& secret) const {
    if (!server::IsKeyName(name_)) {
      return UsageError("NAME must be 1 to 128 printable characters without spaces and quotes");
    }
    ApiKey key = server::MakeApiKey(name_, secret);
    if (!tenant_.empty() && !server::IsKeyName(tenant_)) {
      return UsageError("--tenant must be 1 to 128 printable characters without spaces and quotes");
    }
    key.tenant = tenant_;
    key.limits = limits_;
    if (!scopes_.empty()) key.scopes.clear();
    for (const std::string& name : scopes_) {
      const auto scope = server::ParseScope(name);
      if (!scope) return UsageError("--scope {}: say inference, metrics or admin", name);
      key.scopes.insert(*scope);
    }
    if (!expires_.empty()) {
      key.expires_s = server::ParseTime(expires_);
      if (!key.expires_s) {
        return UsageError("--expires {}: say it like 2027-01-31 or 2027-01-31T12:00:00Z", expires_);
      }
    }
    return key;
  }

  Status Add(Console& console) const {
    TUTTI_ASSIGN_OR_RETURN(std::string text, Read(false));
    const std::string secret = server::MakeKey();
    TUTTI_ASSIGN_OR_RETURN(const ApiKey key, NewKey(secret));
    if (!text.empty() && text.back() != '\n') text += '\n';
    text += server::KeyLine(key) + "\n";
    const auto all = server::ParseKeys(text);
    if (!all.ok()) return all.status().WithContext(file_);
    TUTTI_RETURN_IF_ERROR(os::WriteFile(file_, text));
    console.Print("{}\n", secret);
    console.Say("tutti: keep it: it is not shown again");
    return {};
  }

  Status Remove(Console& console) const {
    TUTTI_ASSIGN_OR_RETURN(const std::string text, Read(true));
    const auto all = server::ParseKeys(text);
    if (!all.ok()) return all.status().WithContext(file_);
    std::string rest;
    bool found = false;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
      const std::string line = text.substr(begin, end - begin);
      begin = end;
      const auto keys = server::ParseKeys(line);
      if (keys.ok() && keys.value().size() == 1 && keys.value()[0].name == name_) {
        found = true;
      } else {
        rest += line;
      }
    }
    if (!found) {
      return Error(StatusCode::kNotFound, "{}: there is no key named {}: 'tutti keys list {}'",
                   file_, name_, file_);
    }
    TUTTI_RETURN_IF_ERROR(os::WriteFile(file_, rest));
    console.Say("tutti: {} is no key any more; servers that run notice on SIGHUP", name_);
    return {};
  }

  Status List(Console& console) const {
    TUTTI_ASSIGN_OR_RETURN(const std::string text, Read(true));
    const auto keys = server::ParseKeys(text);
    if (!keys.ok()) return keys.status().WithContext(file_);
    const auto used = server::ReadUsedTokens(file_);
    if (!used.ok()) return used.status();
    for (const ApiKey& key : keys.value()) {
      console.Print("{}\n", server::KeyLine(key));
      if (key.limits.token_budget <= 0) continue;
      const auto tokens = used->find(key.hash);
      console.Print("# {}: {} of {} tokens used\n", key.name,
                    tokens == used->end() ? 0 : tokens->second, key.limits.token_budget);
    }
    return {};
  }

  std::string action_;
  std::string file_;
  std::string name_;
  std::vector<std::string> scopes_;
  std::string expires_;
  std::string tenant_;
  server::RateLimits limits_;
};

}  // namespace

std::unique_ptr<Command> MakeKeysCommand() { return std::make_unique<KeysCommand>(); }

}  // namespace tutti::cli
