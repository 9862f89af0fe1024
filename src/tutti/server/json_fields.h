// The members of a request's JSON, as tables: name, type, limits, and where the value goes.
//
// All requests are read by such tables, so every value of every endpoint is checked alike: wrong
// type, out of range, not finite, null where a value must be. A default is what the target holds
// before. What the tables do not name is ignored and counted.
//
// Threads: one at a time. Errors: the first one stays in the reader, status 400, with the path of
// the field in `param` ("messages[2].content"); what is read after it has no meaning.
#pragma once
#include <boost/json.hpp>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tutti/base/json.h"
#include "tutti/server/api_error.h"

namespace tutti::server {

class RequestReader;

// Bytes of a text that has no limit of its own: those of a whole request.
inline constexpr double kMaxTextBytes = 64 << 20;

// A member that is known, may be anything and changes nothing.
struct Ignored {};

template <typename T>
struct Field {
  using Integer = void (*)(T&, int64_t);
  using Number = void (*)(T&, double);
  using Bool = void (*)(T&, bool);
  using Text = void (*)(T&, std::string_view);
  using List = void (*)(RequestReader&, T&, const boost::json::array&);
  using Object = void (*)(RequestReader&, T&, const boost::json::object&);
  using Any = void (*)(RequestReader&, T&, const boost::json::value&);

  std::string_view name;
  std::variant<Ignored, Integer, Number, Bool, Text, List, Object, Any> read;
  // Of a number its least and largest value, of a text its bytes, of a list its elements.
  double min = 0;
  double max = kMaxTextBytes;
  bool required = false;
};

template <typename T>
using Fields = std::span<const Field<T>>;

class RequestReader {
 public:
  bool ok() const { return !error_; }
  const std::optional<ApiError>& error() const { return error_; }
  const std::vector<std::string>& warnings() const { return warnings_; }
  int64_t unknown_fields() const { return unknown_fields_; }
  const std::string& path() const { return path_; }

  // About the value that is being read, or a member of it; the message says so in front:
  // "stop[3]" + " must not be empty".
  void Fail(std::string_view message, std::string_view code = {});
  void FailAt(std::string_view member, std::string_view message, std::string_view code = {});
  void Warn(std::string message) { warnings_.push_back(std::move(message)); }

  // Parses a request's body, which must be an object.
  std::optional<boost::json::object> ParseBody(std::string_view body);

  // Reads an object by tables that have no name in common.
  template <typename T>
  void Read(const boost::json::object& object, std::span<const Fields<T>> tables, T& target);
  template <typename T>
  void Read(const boost::json::object& object, std::initializer_list<Fields<T>> tables, T& target) {
    Read<T>(object, std::span<const Fields<T>>(tables.begin(), tables.size()), target);
  }
  // An element or value that must be an object with these members.
  template <typename T>
  void ReadObject(const boost::json::value& value, Fields<T> table, T& target) {
    if (const auto* object = AsObject(value)) Read<T>(*object, {table}, target);
  }
  // Calls read(element) for each element, until one is wrong.
  template <typename Function>
  void Each(const boost::json::array& list, Function read);

  // Null, and an error, where the value is something else.
  const boost::json::object* AsObject(const boost::json::value& value);
  std::optional<std::string_view> AsText(const boost::json::value& value, double min, double max);
  std::optional<int64_t> AsInteger(const boost::json::value& value, double min, double max);
  std::optional<double> AsNumber(const boost::json::value& value, double min, double max);

  // While it lives, what is read is this member or element of what was read before.
  class Step {
   public:
    Step(RequestReader& reader, std::string_view member) : path_(reader.path_) {
      if (!path_.empty()) path_ += '.';
      path_ += member;
    }
    Step(RequestReader& reader, size_t index) : path_(reader.path_) {
      path_ += fmt::format("[{}]", index);
    }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    ~Step() { path_.resize(size_); }

   private:
    std::string& path_;
    size_t size_ = path_.size();
  };

 private:
  template <typename T>
  void ReadField(const Field<T>& field, const boost::json::value& value, T& target);
  bool CheckSize(size_t size, double min, double max, std::string_view unit);
  bool CheckRange(double number, double min, double max);
  void FailType(std::string_view wanted, const boost::json::value& value);

  std::string path_;
  std::optional<ApiError> error_;
  std::vector<std::string> warnings_;
  int64_t unknown_fields_ = 0;
};

template <typename T>
void RequestReader::Read(const boost::json::object& object, std::span<const Fields<T>> tables,
                         T& target) {
  size_t known = 0;
  for (const Fields<T>& table : tables) {
    for (const Field<T>& field : table) {
      if (!ok()) return;
      const auto* value = object.if_contains(field.name);
      if (value != nullptr) ++known;
      if (value != nullptr && !value->is_null()) {
        const Step step(*this, field.name);
        ReadField(field, *value, target);
      } else if (field.required) {
        FailAt(field.name, value == nullptr ? "is missing" : "must not be null",
               "missing_required_parameter");
      }
    }
  }
  unknown_fields_ += static_cast<int64_t>(object.size() - known);
}

template <typename T>
void RequestReader::ReadField(const Field<T>& field, const boost::json::value& value, T& target) {
  using F = Field<T>;
  if (const auto* integer = std::get_if<typename F::Integer>(&field.read)) {
    if (const auto number = AsInteger(value, field.min, field.max)) (*integer)(target, *number);
  } else if (const auto* number = std::get_if<typename F::Number>(&field.read)) {
    if (const auto real = AsNumber(value, field.min, field.max)) (*number)(target, *real);
  } else if (const auto* text = std::get_if<typename F::Text>(&field.read)) {
    if (const auto view = AsText(value, field.min, field.max)) (*text)(target, *view);
  } else if (const auto* flag = std::get_if<typename F::Bool>(&field.read)) {
    if (!value.is_bool()) return FailType("true or false", value);
    (*flag)(target, value.get_bool());
  } else if (const auto* list = std::get_if<typename F::List>(&field.read)) {
    if (!value.is_array()) return FailType("a list", value);
    if (CheckSize(value.get_array().size(), field.min, field.max, "elements")) {
      (*list)(*this, target, value.get_array());
    }
  } else if (const auto* object = std::get_if<typename F::Object>(&field.read)) {
    if (const auto* members = AsObject(value)) (*object)(*this, target, *members);
  } else if (const auto* any = std::get_if<typename F::Any>(&field.read)) {
    (*any)(*this, target, value);
  }
}

template <typename Function>
void RequestReader::Each(const boost::json::array& list, Function read) {
  for (size_t i = 0; i < list.size() && ok(); ++i) {
    const Step step(*this, i);
    read(list[i]);
  }
}

}  // namespace tutti::server
