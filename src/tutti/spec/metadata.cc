#include "tutti/spec/metadata.h"

#include <cmath>
#include <limits>

namespace tutti {
namespace {

Status WrongKind(std::string_view key, std::string_view wanted) {
  return DataError("metadata key {}: {} expected", key, wanted);
}

std::optional<int64_t> IntOf(const MetadataValue& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return *i;
  if (const auto* u = std::get_if<uint64_t>(&value)) {
    if (*u <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return static_cast<int64_t>(*u);
    }
    return std::nullopt;
  }
  if (const auto* d = std::get_if<double>(&value)) {
    // 2^53: beyond it a double no longer names one integer.
    if (std::nearbyint(*d) == *d && std::abs(*d) <= 0x1p53) return static_cast<int64_t>(*d);
  }
  return std::nullopt;
}

std::optional<double> NumberOf(const MetadataValue& value) {
  if (const auto* i = std::get_if<int64_t>(&value)) return static_cast<double>(*i);
  if (const auto* u = std::get_if<uint64_t>(&value)) return static_cast<double>(*u);
  if (const auto* d = std::get_if<double>(&value)) return *d;
  return std::nullopt;
}

}  // namespace

Result<std::optional<int64_t>> Metadata::Int(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return std::optional<int64_t>();
  if (const auto i = IntOf(*value)) return i;
  return WrongKind(key, "an integer");
}

Result<std::optional<double>> Metadata::Number(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return std::optional<double>();
  if (const auto d = NumberOf(*value)) return d;
  return WrongKind(key, "a number");
}

Result<std::optional<bool>> Metadata::Bool(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return std::optional<bool>();
  if (const auto* b = std::get_if<bool>(value)) return std::optional<bool>(*b);
  return WrongKind(key, "true or false");
}

Result<std::optional<std::string>> Metadata::String(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return std::optional<std::string>();
  if (const auto* s = std::get_if<std::string>(value)) return std::optional<std::string>(*s);
  return WrongKind(key, "a string");
}

Result<std::optional<std::vector<int64_t>>> Metadata::Ints(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return std::optional<std::vector<int64_t>>();
  if (const auto* list = std::get_if<std::vector<int64_t>>(value)) return std::optional(*list);
  if (const auto i = IntOf(*value)) return std::optional(std::vector<int64_t>{*i});
  return WrongKind(key, "a list of integers");
}

Result<std::optional<std::vector<double>>> Metadata::Numbers(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return std::optional<std::vector<double>>();
  if (const auto* list = std::get_if<std::vector<double>>(value)) return std::optional(*list);
  if (const auto* list = std::get_if<std::vector<int64_t>>(value)) {
    return std::optional(std::vector<double>(list->begin(), list->end()));
  }
  if (const auto d = NumberOf(*value)) return std::optional(std::vector<double>{*d});
  return WrongKind(key, "a list of numbers");
}

Result<std::optional<std::vector<std::string>>> Metadata::Strings(std::string_view key) const {
  const MetadataValue* value = Find(key);
  if (value == nullptr) return std::optional<std::vector<std::string>>();
  if (const auto* list = std::get_if<std::vector<std::string>>(value)) return std::optional(*list);
  if (const auto* s = std::get_if<std::string>(value)) {
    return std::optional(std::vector<std::string>{*s});
  }
  // JSON's [] has no kind; format/ stores it as a list of integers.
  if (const auto* ints = std::get_if<std::vector<int64_t>>(value);
      ints != nullptr && ints->empty()) {
    return std::optional(std::vector<std::string>());
  }
  return WrongKind(key, "a list of strings");
}

}  // namespace tutti
