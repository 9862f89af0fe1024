#include "tutti/server/keys.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <chrono>
#include <utility>

#include "tutti/base/json.h"
#include "tutti/base/printable.h"
#include "tutti/os/file.h"

namespace tutti::server {
namespace {

constexpr std::string_view kAlphabet =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kKeyBegin = "tt-";
constexpr size_t kSecretChars = 43;   // 62^43 > 2^256
constexpr size_t kChecksumChars = 6;  // 62^6 > 2^32
constexpr size_t kPrefixChars = 8;    // "tt-" and 5 of the secret
constexpr size_t kFileBytesMax = 16 << 20;
constexpr size_t kNameBytesMax = 128;
constexpr size_t kKeyBytesMax = 512;
constexpr int64_t kLimitMax = 1'000'000'000'000;

constexpr std::array<std::pair<Scope, std::string_view>, 3> kScopes = {
    {{Scope::kInference, "inference"}, {Scope::kMetrics, "metrics"}, {Scope::kAdmin, "admin"}}};

// CRC-32 of IEEE 802.3.
uint32_t Crc32(std::string_view text) {
  uint32_t crc = 0xffffffff;
  for (const char c : text) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
  }
  return ~crc;
}

std::string Checksum(std::string_view secret) {
  std::string text;
  for (uint32_t crc = Crc32(secret); text.size() < kChecksumChars; crc /= 62) {
    text.push_back(kAlphabet[crc % 62]);
  }
  return text;
}

// The number as digits of base 62, least first.
std::string Base62(std::array<uint8_t, 32> number) {
  std::string text;
  while (text.size() < kSecretChars) {
    uint32_t rest = 0;
    for (uint8_t& byte : number) {
      const uint32_t value = rest * 256 + byte;
      byte = static_cast<uint8_t>(value / 62);
      rest = value % 62;
    }
    text.push_back(kAlphabet[rest]);
  }
  return text;
}

std::string Hex(const Sha256& hash) {
  std::string text;
  for (const uint8_t byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

std::optional<Sha256> ParseHex(std::string_view text) {
  Sha256 hash;
  if (text.size() != 2 * hash.size()) return std::nullopt;
  for (size_t i = 0; i < hash.size(); ++i) {
    const char* begin = text.data() + 2 * i;
    const auto [end, error] = std::from_chars(begin, begin + 2, hash[i], 16);
    if (error != std::errc() || end != begin + 2) return std::nullopt;
  }
  return hash;
}

// Takes a line from the front, without its end.
std::string_view TakeLine(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
  return line;
}

std::filesystem::path UsedPath(std::filesystem::path keys) { return keys += ".used"; }

Status ReadScopes(const boost::json::value& value, ApiKey* key) {
  if (!value.is_array()) return DataError("scopes must be a list, not {}", KindOf(value));
  key->scopes.clear();
  for (const boost::json::value& element : value.get_array()) {
    const auto* name = element.if_string();
    const auto scope = name == nullptr ? std::nullopt : ParseScope(View(*name));
    if (!scope) return DataError("a scope is \"inference\", \"metrics\" or \"admin\"");
    key->scopes.insert(*scope);
  }
  if (key->scopes.empty()) return DataError("a key without scopes is good for nothing");
  return {};
}

Status ReadLimit(std::string_view name, const boost::json::value& value, int64_t* limit) {
  const auto* number = value.if_int64();
  if (number == nullptr || *number < 1 || *number > kLimitMax) {
    return DataError("{} must be a whole number from 1 to {}", name, kLimitMax);
  }
  *limit = *number;
  return {};
}

Status ReadText(std::string_view name, std::string_view text, ApiKey* key) {
  if (name == "name" || name == "tenant" || name == "prefix") {
    if (!IsKeyName(text)) {
      return DataError("{} must be 1 to {} printable characters without spaces and quotes", name,
                       kNameBytesMax);
    }
    (name == "name" ? key->name : name == "tenant" ? key->tenant : key->prefix) = text;
  } else if (name == "sha256") {
    const auto hash = ParseHex(text);
    if (!hash) return DataError("sha256 must be 64 hexadecimal digits");
    key->hash = *hash;
  } else if (name == "expires") {
    key->expires_s = ParseTime(text);
    if (!key->expires_s)
      return DataError("expires must be like 2027-01-31 or 2027-01-31T12:00:00Z");
  } else {
    return DataError("unknown member \"{}\"", Printable(name));
  }
  return {};
}

Status ReadMember(std::string_view name, const boost::json::value& value, ApiKey* key) {
  if (name == "scopes") return ReadScopes(value, key);
  RateLimits& limits = key->limits;
  if (name == "requests_per_minute") return ReadLimit(name, value, &limits.requests_per_minute);
  if (name == "tokens_per_minute") return ReadLimit(name, value, &limits.tokens_per_minute);
  if (name == "requests_at_once") return ReadLimit(name, value, &limits.requests_at_once);
  if (name == "token_budget") return ReadLimit(name, value, &limits.token_budget);
  if (!value.is_string()) return DataError("{} is {}", Printable(name), KindOf(value));
  return ReadText(name, View(value.get_string()), key);
}

Result<ApiKey> ParseLine(std::string_view line) {
  TUTTI_ASSIGN_OR_RETURN(const boost::json::value value,
                         ParseJson(line, {.max_depth = 3, .unique_keys = true}));
  const auto* object = value.if_object();
  if (object == nullptr) return DataError("a key must be an object, not {}", KindOf(value));
  ApiKey key;
  for (const auto& [name, member] : *object) {
    TUTTI_RETURN_IF_ERROR(ReadMember(View(name), member, &key));
  }
  if (key.name.empty()) return DataError("there is no name");
  if (!object->contains("sha256")) return DataError("there is no sha256");
  return key;
}

ApiError Refusal(int status, std::string type, std::string code, std::string message) {
  return {.status = status,
          .type = std::move(type),
          .message = std::move(message),
          .param = {},
          .code = std::move(code)};
}

}  // namespace

std::string MakeKey() {
  std::array<uint8_t, 32> secret;
  TUTTI_CHECK(RAND_bytes(secret.data(), secret.size()) == 1, "the system has no randomness");
  const std::string text = Base62(secret);
  return fmt::format("{}{}{}", kKeyBegin, text, Checksum(text));
}

bool IsKeyName(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; }) &&
         text.find_first_of("\"\\") == std::string_view::npos;
}

bool HasValidChecksum(std::string_view key) {
  if (key.size() != kKeyBegin.size() + kSecretChars + kChecksumChars) return false;
  const std::string_view secret = key.substr(kKeyBegin.size(), kSecretChars);
  return key.starts_with(kKeyBegin) &&
         key.substr(kKeyBegin.size() + kSecretChars) == Checksum(secret);
}

ApiKey MakeApiKey(std::string name, std::string_view key) {
  ApiKey made;
  made.name = std::move(name);
  made.hash = HashKey(key);
  made.prefix = key.substr(0, kPrefixChars);
  return made;
}

Sha256 HashKey(std::string_view key) {
  Sha256 hash;
  SHA256(reinterpret_cast<const uint8_t*>(key.data()), key.size(), hash.data());
  return hash;
}

Result<std::vector<ApiKey>> ParseKeys(std::string_view text) {
  std::vector<ApiKey> keys;
  std::set<Sha256> hashes;
  std::set<std::string> names;
  for (size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = TakeLine(text);
    if (line.empty() || line.front() == '#') continue;
    auto key = ParseLine(line);
    if (!key.ok()) return key.status().WithContext(fmt::format("line {}", number));
    if (!names.insert(key->name).second) {
      return DataError("line {}: there is another key named {}", number, key->name);
    }
    if (!hashes.insert(key->hash).second) {
      return DataError("line {}: the same key as before, under the name {}", number, key->name);
    }
    keys.push_back(std::move(*key));
  }
  return keys;
}

std::string KeyLine(const ApiKey& key) {
  boost::json::object object;
  object["name"] = key.name;
  object["sha256"] = Hex(key.hash);
  if (!key.prefix.empty()) object["prefix"] = key.prefix;
  boost::json::array scopes;
  for (const Scope scope : key.scopes) {
    const std::string_view name = ScopeName(scope);
    scopes.emplace_back(boost::json::string_view(name.data(), name.size()));
  }
  object["scopes"] = std::move(scopes);
  if (key.expires_s) {
    const std::chrono::sys_seconds time{std::chrono::seconds(*key.expires_s)};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    object["expires"] =
        fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                    clock.hours().count(), clock.minutes().count(), clock.seconds().count());
  }
  if (!key.tenant.empty()) object["tenant"] = key.tenant;
  const auto limit = [&](std::string_view name, int64_t value) {
    if (value > 0) object[boost::json::string_view(name.data(), name.size())] = value;
  };
  limit("requests_per_minute", key.limits.requests_per_minute);
  limit("tokens_per_minute", key.limits.tokens_per_minute);
  limit("requests_at_once", key.limits.requests_at_once);
  limit("token_budget", key.limits.token_budget);
  return boost::json::serialize(object);
}

Result<UsedTokens> ParseUsedTokens(std::string_view text) {
  UsedTokens used;
  for (size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = TakeLine(text);
    if (line.empty()) continue;
    const auto value = ParseJson(line, {.max_depth = 2, .unique_keys = true});
    const auto* object = value.ok() ? value->if_object() : nullptr;
    const auto* hash = object == nullptr ? nullptr : object->if_contains("sha256");
    const auto* tokens = object == nullptr ? nullptr : object->if_contains("tokens");
    const auto sha256 =
        hash == nullptr || !hash->is_string() ? std::nullopt : ParseHex(View(hash->get_string()));
    if (!sha256 || tokens == nullptr || !tokens->is_int64() || tokens->get_int64() < 0) {
      return DataError("line {}: not {{\"sha256\":\"64 hex digits\",\"tokens\":NUMBER}}", number);
    }
    used[*sha256] = tokens->get_int64();
  }
  return used;
}

Result<UsedTokens> ReadUsedTokens(const std::filesystem::path& keys) {
  const std::filesystem::path path = UsedPath(keys);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return UsedTokens{};
  TUTTI_ASSIGN_OR_RETURN(const std::string text, os::ReadFile(path, kFileBytesMax));
  auto used = ParseUsedTokens(text);
  if (!used.ok()) return used.status().WithContext(path.string());
  return used;
}

std::optional<int64_t> ParseTime(std::string_view text) {
  // "2027-01-31T12:00:00Z" with every digit as '0'.
  std::string shape(text);
  for (char& c : shape) c = c >= '0' && c <= '9' ? '0' : c;
  if (shape != "0000-00-00" && shape != "0000-00-00T00:00:00Z") return std::nullopt;
  const auto number = [&](size_t at, size_t digits) {
    int value = 0;
    std::from_chars(text.data() + at, text.data() + at + digits, value);
    return value;
  };
  const std::chrono::year_month_day date{std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2)))};
  if (!date.ok()) return std::nullopt;
  int64_t seconds = int64_t{std::chrono::sys_days(date).time_since_epoch().count()} * 86'400;
  if (text.size() > 10) {
    const int hour = number(11, 2);
    const int minute = number(14, 2);
    const int second = number(17, 2);
    if (hour > 23 || minute > 59 || second > 59) return std::nullopt;
    seconds += hour * 3600 + minute * 60 + second;
  }
  return seconds;
}

std::optional<Scope> ParseScope(std::string_view name) {
  for (const auto& [scope, text] : kScopes) {
    if (text == name) return scope;
  }
  return std::nullopt;
}

std::string_view ScopeName(Scope scope) {
  for (const auto& [known, text] : kScopes) {
    if (known == scope) return text;
  }
  return "public";
}

std::string_view PresentedKey(const HttpRequest& request) {
  const std::string_view authorization = request.Find("authorization");
  constexpr std::string_view kBearer = "bearer ";
  if (authorization.size() > kBearer.size()) {
    bool bearer = true;
    for (size_t i = 0; i < kBearer.size(); ++i) {
      bearer &= (authorization[i] | 0x20) == kBearer[i];
    }
    if (bearer) {
      std::string_view key = authorization.substr(kBearer.size());
      while (key.starts_with(' ')) key.remove_prefix(1);
      return key;
    }
  }
  return request.Find("x-api-key");
}

Result<std::unique_ptr<KeyRing>> KeyRing::Load(const std::filesystem::path& path) {
  auto ring = std::make_unique<KeyRing>(std::vector<ApiKey>{});
  ring->path_ = path;
  TUTTI_RETURN_IF_ERROR(ring->Reload());
  return ring;
}

Status KeyRing::Reload() {
  TUTTI_ASSIGN_OR_RETURN(const std::string text, os::ReadFile(path_, kFileBytesMax));
  auto keys = ParseKeys(text);
  if (!keys.ok()) return keys.status().WithContext(path_.string());
  TUTTI_ASSIGN_OR_RETURN(const UsedTokens used, ReadUsedTokens(path_));
  Replace(std::move(*keys), used);
  return {};
}

Status KeyRing::SaveUsedTokens() {
  UsedTokens used;
  {
    const std::lock_guard lock(mutex_);
    used = saved_;
    for (const auto& [hash, entry] : entries_) {
      if (entry.key.limits.token_budget > 0) used[hash] = *entry.used_tokens;
    }
    if (used == saved_) return {};
  }
  std::string text;
  for (const auto& [hash, tokens] : used) {
    text += fmt::format("{{\"sha256\":\"{}\",\"tokens\":{}}}\n", Hex(hash), tokens);
  }
  TUTTI_RETURN_IF_ERROR(os::WriteFile(UsedPath(path_), text));
  const std::lock_guard lock(mutex_);
  saved_ = std::move(used);
  return {};
}

void KeyRing::Replace(std::vector<ApiKey> keys, const UsedTokens& used) {
  const std::lock_guard lock(mutex_);
  if (entries_.empty()) saved_ = used;
  std::map<Sha256, Entry> entries;
  for (ApiKey& key : keys) {
    Entry entry;
    const Sha256 hash = key.hash;
    const Sha256 tenant = HashKey(key.tenant.empty() ? "key:" + key.name : "tenant:" + key.tenant);
    uint64_t number = 0;
    for (size_t i = 0; i < 8; ++i) number = number << 8 | tenant[i];
    entry.tenant = TenantId{number};
    const auto before = entries_.find(hash);
    const bool known = before != entries_.end();
    const auto counted = used.find(hash);
    entry.used_tokens =
        known ? before->second.used_tokens
              : std::make_shared<std::atomic<int64_t>>(counted == used.end() ? 0 : counted->second);
    entry.limits = known && before->second.limits->limits() == key.limits
                       ? before->second.limits
                       : std::make_shared<KeyLimits>(key.limits, entry.used_tokens);
    entry.key = std::move(key);
    entries.emplace(hash, std::move(entry));
  }
  entries_.swap(entries);
}

std::optional<KeyRing::Entry> KeyRing::Find(const Sha256& hash) const {
  const std::lock_guard lock(mutex_);
  // How long the search takes tells something about hashes, which nobody can choose; that the hash
  // is equal is found in constant time.
  const auto entry = entries_.lower_bound(hash);
  if (entry == entries_.end()) return std::nullopt;
  if (CRYPTO_memcmp(entry->first.data(), hash.data(), hash.size()) != 0) return std::nullopt;
  return entry->second;
}

std::optional<ApiError> KeyRing::Identify(const HttpRequest& request, Scope scope, int64_t unix_s,
                                          Caller* caller) const {
  const auto unauthorized = [](std::string message) {
    return Refusal(401, "authentication_error", "invalid_api_key", std::move(message));
  };
  const std::string_view key = PresentedKey(request);
  if (key.empty()) {
    return unauthorized(
        "this server needs a key: send \"Authorization: Bearer KEY\" or \"x-api-key: KEY\"");
  }
  if (key.size() > kKeyBytesMax) return unauthorized("this is no key of this server");
  const std::optional<Entry> entry = Find(HashKey(key));
  if (!entry) {
    return unauthorized(key.starts_with(kKeyBegin) && !HasValidChecksum(key)
                            ? "the key is mistyped or cut off: its checksum is wrong"
                            : "this is no key of this server");
  }
  if (entry->key.expires_s && unix_s >= *entry->key.expires_s) {
    return unauthorized(fmt::format("the key {} has expired", entry->key.name));
  }
  if (scope != Scope::kPublic && !entry->key.scopes.contains(scope)) {
    return Refusal(403, "permission_error", "insufficient_scope",
                   fmt::format("the key {} is not good for this: it lacks the scope \"{}\"",
                               entry->key.name, ScopeName(scope)));
  }
  caller->name = entry->key.name;
  caller->tenant = entry->tenant;
  caller->limits = entry->limits;
  return std::nullopt;
}

size_t KeyRing::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace tutti::server
