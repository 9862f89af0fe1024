#include "tutti/text/json_access.h"

#include <limits>

#include "tutti/base/printable.h"

namespace tutti::text {
namespace {

namespace json = boost::json;

const json::value* Find(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains({key.data(), key.size()});
  return value == nullptr || value->is_null() ? nullptr : value;
}

Status WrongKind(std::string_view key, std::string_view wanted, const json::value& value) {
  return DataError("\"{}\" should be {}, it is {}", key, wanted, Shown(value));
}

}  // namespace

Result<const json::object*> ObjectField(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr) return static_cast<const json::object*>(nullptr);
  if (!value->is_object()) return WrongKind(key, "an object", *value);
  return &value->get_object();
}

Result<const json::array*> ArrayField(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr) return static_cast<const json::array*>(nullptr);
  if (!value->is_array()) return WrongKind(key, "an array", *value);
  return &value->get_array();
}

Result<std::optional<std::string_view>> StringField(const json::object& object,
                                                    std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr) return std::optional<std::string_view>();
  if (!value->is_string()) return WrongKind(key, "a string", *value);
  return std::optional<std::string_view>(View(value->get_string()));
}

Result<std::optional<bool>> BoolField(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr) return std::optional<bool>();
  if (!value->is_bool()) return WrongKind(key, "true or false", *value);
  return std::optional<bool>(value->get_bool());
}

Result<std::optional<int64_t>> IntField(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr) return std::optional<int64_t>();
  if (!value->is_int64()) return WrongKind(key, "an integer", *value);
  return std::optional<int64_t>(value->get_int64());
}

std::string_view TypeOf(const json::object& object) {
  const json::value* value = Find(object, "type");
  return value != nullptr && value->is_string() ? View(value->get_string()) : std::string_view();
}

std::string Shown(const json::value& value) {
  // Only what fits a message is turned into text: a value may be the size of the file.
  constexpr size_t kShown = 400;
  json::serializer serializer;
  serializer.reset(&value);
  char buffer[kShown];
  const json::string_view text = serializer.read(buffer, sizeof buffer);
  std::string shown = Printable({text.data(), text.size()});
  if (!serializer.done()) shown += "...";
  return shown;
}

}  // namespace tutti::text
