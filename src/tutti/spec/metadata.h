// What a checkpoint says about itself, before anyone interprets it: a flat, ordered map of keys.
//
// GGUF keys are taken as they are ("llama.block_count"). Keys of a Hugging Face config.json are
// flattened with dots ("rope_scaling.factor"); arrays of scalars become lists, other arrays get
// their index as a key ("layers.0.kind"). JSON null is absent.
//
// Plain data: format/ fills it, model/ turns it into a ModelSpec, cli/ prints it.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tutti/base/status.h"

namespace tutti {

using MetadataValue =
    std::variant<bool, int64_t, uint64_t, double, std::string, std::vector<bool>,
                 std::vector<int64_t>, std::vector<double>, std::vector<std::string>>;

class Metadata {
 public:
  void Set(std::string key, MetadataValue value) { values_[std::move(key)] = std::move(value); }
  void Remove(std::string_view key) {
    if (const auto it = values_.find(key); it != values_.end()) values_.erase(it);
  }
  bool Has(std::string_view key) const { return Find(key) != nullptr; }
  const MetadataValue* Find(std::string_view key) const {
    const auto it = values_.find(key);
    return it == values_.end() ? nullptr : &it->second;
  }
  const std::map<std::string, MetadataValue, std::less<>>& values() const { return values_; }

  // The value converted to the wanted kind; nullopt where the key is absent. A key of another kind
  // (a string where a number belongs, a number that does not fit) is an error that names the key.
  // Doubles with an integral value serve as integers (some exporters write 8.0).
  Result<std::optional<int64_t>> Int(std::string_view key) const;
  Result<std::optional<double>> Number(std::string_view key) const;
  Result<std::optional<bool>> Bool(std::string_view key) const;
  Result<std::optional<std::string>> String(std::string_view key) const;
  // A scalar serves as a list of one.
  Result<std::optional<std::vector<int64_t>>> Ints(std::string_view key) const;
  Result<std::optional<std::vector<double>>> Numbers(std::string_view key) const;
  Result<std::optional<std::vector<std::string>>> Strings(std::string_view key) const;

 private:
  std::map<std::string, MetadataValue, std::less<>> values_;
};

}  // namespace tutti
