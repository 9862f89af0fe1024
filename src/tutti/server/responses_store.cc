#include "tutti/server/responses_store.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "tutti/base/json.h"
#include "tutti/server/json_writer.h"

namespace tutti::server {
namespace {

// Of one conversation; longer ones fit no context.
constexpr size_t kMaxChain = 10000;

size_t Sum(const std::vector<std::string>& texts) {
  size_t bytes = 0;
  for (const std::string& text : texts) bytes += text.size() + sizeof(std::string);
  return bytes;
}

// The value of a name in "a=1&b=2", empty where it has none.
std::string_view QueryValue(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') {
      return pair.substr(name.size() + 1);
    }
  }
  return {};
}

std::string IdOf(const std::string& item) {
  const auto value = ParseJson(item);
  if (!value.ok() || !value->is_object()) return {};
  const auto* id = value->get_object().if_contains("id");
  return id != nullptr && id->is_string() ? std::string(View(id->get_string())) : std::string();
}

}  // namespace

size_t StoredResponse::SizeBytes() const {
  constexpr size_t kNodes = 512;      // of list and map
  constexpr size_t kItemNodes = 256;  // of the map of items
  return kNodes + kItemNodes * (input_items.size() + output_items.size()) + 2 * id.size() +
         previous_id.size() + response_json.size() + Sum(input_items) + Sum(output_items);
}

void ResponseStore::Put(TenantId tenant, StoredResponse response) {
  const std::lock_guard lock(mutex_);
  const Key key(static_cast<uint64_t>(tenant), response.id);
  if (const auto found = by_id_.find(key); found != by_id_.end()) Remove(found->second);
  bytes_ += response.SizeBytes();
  entries_.push_front({.key = key, .response = std::move(response), .items = {}});
  by_id_[key] = entries_.begin();
  AddItems(entries_.front());
  while (!entries_.empty() && (bytes_ > max_bytes_ || entries_.size() > max_responses_)) {
    Remove(std::prev(entries_.end()));
  }
}

std::optional<StoredResponse> ResponseStore::Get(TenantId tenant, const std::string& id) {
  const std::lock_guard lock(mutex_);
  const StoredResponse* found = Use({static_cast<uint64_t>(tenant), id});
  return found == nullptr ? std::nullopt : std::optional(*found);
}

bool ResponseStore::Delete(TenantId tenant, const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = by_id_.find({static_cast<uint64_t>(tenant), id});
  if (found == by_id_.end()) return false;
  Remove(found->second);
  return true;
}

std::optional<std::vector<std::string>> ResponseStore::History(TenantId tenant,
                                                               const std::string& id) {
  const std::lock_guard lock(mutex_);
  std::vector<const StoredResponse*> chain;
  for (std::string next = id; !next.empty(); next = chain.back()->previous_id) {
    const StoredResponse* found = Use({static_cast<uint64_t>(tenant), next});
    if (found == nullptr || chain.size() >= kMaxChain) return std::nullopt;
    chain.push_back(found);
  }
  std::vector<std::string> items;
  for (auto response = chain.rbegin(); response != chain.rend(); ++response) {
    for (const auto* list : {&(*response)->input_items, &(*response)->output_items}) {
      items.insert(items.end(), list->begin(), list->end());
    }
  }
  return items;
}

std::optional<std::string> ResponseStore::FindItem(TenantId tenant, const std::string& item_id) {
  const std::lock_guard lock(mutex_);
  const Key key(static_cast<uint64_t>(tenant), item_id);
  const auto behind = by_item_.upper_bound(key);
  if (behind == by_item_.begin() || std::prev(behind)->first != key) return std::nullopt;
  return *std::prev(behind)->second;
}

void ResponseStore::AddItems(Entry& entry) {
  for (const auto* list : {&entry.response.output_items, &entry.response.input_items}) {
    for (const std::string& item : *list) {
      std::string id = IdOf(item);
      if (id.empty()) continue;
      entry.items.push_back(by_item_.emplace(Key(entry.key.first, std::move(id)), &item));
    }
  }
}

size_t ResponseStore::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

size_t ResponseStore::SizeBytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

StoredResponse* ResponseStore::Use(const Key& key) {
  const auto found = by_id_.find(key);
  if (found == by_id_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &found->second->response;
}

void ResponseStore::Remove(List::iterator entry) {
  bytes_ -= entry->response.SizeBytes();
  by_id_.erase(entry->key);
  for (const Items::iterator item : entry->items) by_item_.erase(item);
  entries_.erase(entry);
}

std::string DeletedResponseBody(std::string_view id) {
  JsonWriter writer;
  writer.Object().Text("id", id).Text("object", "response").Bool("deleted", true);
  return writer.Close().Take();
}

std::string InputItemsBody(const StoredResponse& response, std::string_view query) {
  constexpr size_t kDefaultLimit = 20;
  constexpr size_t kMaxLimit = 100;
  size_t limit = kDefaultLimit;
  const std::string_view wanted = QueryValue(query, "limit");
  std::from_chars(wanted.data(), wanted.data() + wanted.size(), limit);
  limit = std::clamp<size_t>(limit, 1, kMaxLimit);
  std::vector<std::string> items = response.input_items;
  if (QueryValue(query, "order") != "asc") std::reverse(items.begin(), items.end());
  if (const std::string_view after = QueryValue(query, "after"); !after.empty()) {
    const auto is_after = [&](const std::string& item) { return IdOf(item) == after; };
    const auto found = std::find_if(items.begin(), items.end(), is_after);
    // Nothing comes after what is not there: the first page again would be read for ever.
    items.erase(items.begin(), found == items.end() ? found : found + 1);
  }
  const bool more = items.size() > limit;
  if (more) items.resize(limit);
  JsonWriter writer;
  writer.Object().Text("object", "list").List("data");
  for (const std::string& item : items) writer.Raw(item);
  writer.Close().TextOrNull("first_id", items.empty() ? "" : IdOf(items.front()));
  writer.TextOrNull("last_id", items.empty() ? "" : IdOf(items.back())).Bool("has_more", more);
  return writer.Close().Take();
}

}  // namespace tutti::server
