// The answers of /v1/responses that clients may come back to, in memory, within a budget.
//
// A response refers to the one before it by its id; a conversation is the items of that chain. Each
// tenant sees its own responses only. The least recently used ones go first.
//
// Threads: any. Errors: a response that is not there (any more) is an empty result.
#pragma once
#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tutti/engine.h"

namespace tutti::server {

struct StoredResponse {
  std::string id;
  std::string previous_id;                // empty: the first
  std::string response_json;              // as the client got it
  std::vector<std::string> input_items;   // JSON, each with an "id"
  std::vector<std::string> output_items;  // JSON, each with an "id"

  size_t SizeBytes() const;
};

class ResponseStore {
 public:
  explicit ResponseStore(size_t max_bytes, size_t max_responses = 10000)
      : max_bytes_(max_bytes), max_responses_(max_responses) {}

  void Put(TenantId tenant, StoredResponse response);
  std::optional<StoredResponse> Get(TenantId tenant, const std::string& id);
  bool Delete(TenantId tenant, const std::string& id);

  // The items of the chain that ends with this response, oldest first. Empty where a part of the
  // chain is missing; it is then not known what was said.
  std::optional<std::vector<std::string>> History(TenantId tenant, const std::string& id);
  // An input or output item of one of the tenant's responses, of several with this id the newest.
  std::optional<std::string> FindItem(TenantId tenant, const std::string& item_id);

  size_t size() const;
  size_t SizeBytes() const;

 private:
  using Key = std::pair<uint64_t, std::string>;
  // Items by their tenant and id; clients send items again, so ids repeat.
  using Items = std::multimap<Key, const std::string*>;
  struct Entry {
    Key key;
    StoredResponse response;
    std::vector<Items::iterator> items;
  };
  using List = std::list<Entry>;  // the most recently used first

  // All under the mutex.
  StoredResponse* Use(const Key& key);
  void Remove(List::iterator entry);

  void AddItems(Entry& entry);

  const size_t max_bytes_;
  const size_t max_responses_;
  mutable std::mutex mutex_;
  List entries_;
  std::map<Key, List::iterator> by_id_;
  Items by_item_;
  size_t bytes_ = 0;
};

// Bodies of the routes around a stored response.
std::string DeletedResponseBody(std::string_view id);
// The items that the response was asked with. `query` may have order=asc|desc (default) and limit.
std::string InputItemsBody(const StoredResponse& response, std::string_view query);

}  // namespace tutti::server
