// API keys: how they are made, kept and recognised.
//
// A key is "tt-", 43 characters (base 62) of 256 random bits, and 6 of their CRC-32, so that
// mistyped keys can be told from unknown ones and scanners can find leaked ones. The file has the
// SHA-256 of each key, never the key; a hash without salt is enough because nobody can try 2^256.
//
// A line of the file is a JSON object; empty lines and lines that begin with "#" are left out:
//
//   {"name":"ci","sha256":"<64 hex digits>","prefix":"tt-4fGh1","scopes":["inference"],
//    "expires":"2027-01-31","tenant":"team-a","requests_per_minute":60,
//    "tokens_per_minute":100000,"requests_at_once":4,"token_budget":5000000}
//
// Only name and sha256 are required. Without scopes a key is for inference only; without a tenant
// it shares its prefixes with no other key; without "expires" it does not expire.
//
// What keys have used of their token budgets is kept beside that file, in FILE.used, a line each:
//
//   {"sha256":"<64 hex digits>","tokens":1234}
//
// Threads: any. Errors: kData with the number of the line.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/server/api_error.h"
#include "tutti/server/http.h"
#include "tutti/server/rate_limit.h"
#include "tutti/server/router.h"

namespace tutti::server {

using Sha256 = std::array<uint8_t, 32>;

struct ApiKey {
  std::string name;
  Sha256 hash{};
  std::string prefix;  // of the key, to recognise it by
  std::set<Scope> scopes = {Scope::kInference};
  std::optional<int64_t> expires_s;  // Unix time
  std::string tenant;                // empty: its own
  RateLimits limits;
};

// 256 bits of the system's randomness; shown once.
std::string MakeKey();
// False where a key that begins like one of ours cannot be one: it was mistyped or cut off.
bool HasValidChecksum(std::string_view key);
Sha256 HashKey(std::string_view key);
// For inference, without limits.
ApiKey MakeApiKey(std::string name, std::string_view key);
// Names stand in logs, metrics and messages: 1 to 128 printable characters, no spaces or quotes.
bool IsKeyName(std::string_view text);

Result<std::vector<ApiKey>> ParseKeys(std::string_view text);
// The key's line in the file, without a line end.
std::string KeyLine(const ApiKey& key);

// Tokens by key that were used up to now, as FILE.used has them.
using UsedTokens = std::map<Sha256, int64_t>;
Result<UsedTokens> ParseUsedTokens(std::string_view text);
// Of this file of keys; none where nothing was ever used.
Result<UsedTokens> ReadUsedTokens(const std::filesystem::path& keys);

// "2027-01-31" or "2027-01-31T12:00:00Z".
std::optional<int64_t> ParseTime(std::string_view text);
std::optional<Scope> ParseScope(std::string_view name);
std::string_view ScopeName(Scope scope);

class KeyRing {
 public:
  static Result<std::unique_ptr<KeyRing>> Load(const std::filesystem::path& path);
  explicit KeyRing(std::vector<ApiKey> keys) { Replace(std::move(keys)); }

  // Reads the file again; on an error the keys stay as they are. What keys have used of their
  // limits stays where the limits are the same, and of budgets always.
  Status Reload();
  // Writes what was used of budgets, where that has changed: call it now and then and at the end.
  // A process that is killed forgets what was used since.
  Status SaveUsedTokens();

  // Who the request is from, or why it is refused: 401, 403 for a key that is not for this.
  std::optional<ApiError> Identify(const HttpRequest& request, Scope scope, int64_t unix_s,
                                   Caller* caller) const;
  size_t size() const;

 private:
  struct Entry {
    ApiKey key;
    TenantId tenant{};
    std::shared_ptr<std::atomic<int64_t>> used_tokens;  // shared with the limits
    std::shared_ptr<KeyLimits> limits;                  // shared with requests under way
  };
  void Replace(std::vector<ApiKey> keys, const UsedTokens& used = {});
  std::optional<Entry> Find(const Sha256& hash) const;

  std::filesystem::path path_;
  mutable std::mutex mutex_;
  std::map<Sha256, Entry> entries_;
  UsedTokens saved_;
};

// What "Authorization: Bearer" or "x-api-key" says; empty: nothing.
std::string_view PresentedKey(const HttpRequest& request);

}  // namespace tutti::server
