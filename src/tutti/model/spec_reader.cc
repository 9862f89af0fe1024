#include "tutti/model/spec_reader.h"

#include <cmath>
#include <limits>

namespace tutti::model {

std::string SpecReader::FullKey(Key key) const {
  const std::string_view name = source_.gguf ? key.gguf : key.hugging_face;
  if (name.empty() || !source_.gguf) return std::string(name);
  // Keys that are not about the architecture are written with their dot: "general.name".
  if (name.starts_with("general.")) return std::string(name);
  return fmt::format("{}.{}", prefix_, name);
}

template <typename T>
std::optional<T> SpecReader::Take(const std::string& key, Result<std::optional<T>> value) {
  if (key.empty()) return std::nullopt;
  if (!value.ok()) {
    Fail(value.status().WithContext(source_.where));
    return std::nullopt;
  }
  return std::move(value).value();
}

bool SpecReader::Has(Key key) const {
  const std::string full = FullKey(key);
  return !full.empty() && source_.metadata.Has(full);
}

std::optional<int32_t> SpecReader::TryInt(Key key) {
  const std::string full = FullKey(key);
  const std::optional<int64_t> value = Take(full, source_.metadata.Int(full));
  if (!value) return std::nullopt;
  if (*value < 0 || *value > std::numeric_limits<int32_t>::max()) {
    Fail(DataError("{}: {} is {}; between 0 and {} is possible", source_.where, full, *value,
                   std::numeric_limits<int32_t>::max()));
    return std::nullopt;
  }
  return static_cast<int32_t>(*value);
}

std::optional<double> SpecReader::TryNumber(Key key) {
  const std::string full = FullKey(key);
  const std::optional<double> value = Take(full, source_.metadata.Number(full));
  if (value && !std::isfinite(*value)) {
    Fail(DataError("{}: {} is not a finite number", source_.where, full));
    return std::nullopt;
  }
  return value;
}

int32_t SpecReader::Int(Key key) {
  const std::optional<int32_t> value = TryInt(key);
  if (!value) Fail(DataError("{}: the key {} is missing", source_.where, FullKey(key)));
  return value.value_or(1);
}

int32_t SpecReader::Int(Key key, int32_t fallback) { return TryInt(key).value_or(fallback); }

double SpecReader::Number(Key key) {
  const std::optional<double> value = TryNumber(key);
  if (!value) Fail(DataError("{}: the key {} is missing", source_.where, FullKey(key)));
  return value.value_or(1);
}

double SpecReader::Number(Key key, double fallback) { return TryNumber(key).value_or(fallback); }

bool SpecReader::Bool(Key key, bool fallback) {
  const std::string full = FullKey(key);
  return Take(full, source_.metadata.Bool(full)).value_or(fallback);
}

std::string SpecReader::String(Key key, std::string_view fallback) {
  const std::string full = FullKey(key);
  return Take(full, source_.metadata.String(full)).value_or(std::string(fallback));
}

std::vector<int64_t> SpecReader::Ints(Key key) {
  const std::string full = FullKey(key);
  return Take(full, source_.metadata.Ints(full)).value_or(std::vector<int64_t>());
}

std::vector<std::string> SpecReader::Strings(Key key) {
  const std::string full = FullKey(key);
  return Take(full, source_.metadata.Strings(full)).value_or(std::vector<std::string>());
}

}  // namespace tutti::model
