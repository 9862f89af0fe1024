// Writes JSON from front to back, commas included: cheap enough for every token of every stream.
//
//   JsonWriter w;
//   w.Object().Text("id", id).List("choices").Int(3).Close().Close();   //
//   {"id":"...","choices":[3]}
//
// Members have their name as the first argument, elements have none. The order of calls must be
// that of a document. Threads: one at a time. Errors: none; text of any bytes is written as valid
// UTF-8, numbers that JSON has not as null.
#pragma once
#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

#include "tutti/base/json_string.h"

namespace tutti::server {

class JsonWriter {
 public:
  JsonWriter& Object() { return Open('{', '}'); }
  JsonWriter& List() { return Open('[', ']'); }
  JsonWriter& Close() {
    out_ += open_.back();
    open_.pop_back();
    comma_ = true;
    return *this;
  }
  JsonWriter& Text(std::string_view text) {
    Separate();
    AppendJsonString(text, out_);
    return *this;
  }
  JsonWriter& Int(int64_t number) { return Raw(fmt::format_int(number).c_str()); }
  JsonWriter& Number(double number) {
    return Raw(std::isfinite(number) ? fmt::format("{}", number) : "null");
  }
  // As short as it is exact for a float: 0.8, not 0.800000011920929.
  JsonWriter& Number(float number) {
    return Raw(std::isfinite(number) ? fmt::format("{}", number) : "null");
  }
  JsonWriter& Bool(bool value) { return Raw(value ? "true" : "false"); }
  JsonWriter& Null() { return Raw("null"); }
  // A value that is JSON already.
  JsonWriter& Raw(std::string_view json) {
    Separate();
    out_ += json;
    return *this;
  }

  // A name; the value follows.
  JsonWriter& Key(std::string_view key) {
    Separate();
    AppendJsonString(key, out_);
    out_ += ':';
    comma_ = false;
    return *this;
  }

  JsonWriter& Object(std::string_view key) { return Key(key).Object(); }
  JsonWriter& List(std::string_view key) { return Key(key).List(); }
  JsonWriter& Text(std::string_view key, std::string_view text) { return Key(key).Text(text); }
  // A text, or null where it is empty.
  JsonWriter& TextOrNull(std::string_view key, std::string_view text) {
    return text.empty() ? Null(key) : Text(key, text);
  }
  JsonWriter& Int(std::string_view key, int64_t number) { return Key(key).Int(number); }
  JsonWriter& Number(std::string_view key, double number) { return Key(key).Number(number); }
  JsonWriter& Number(std::string_view key, float number) { return Key(key).Number(number); }
  JsonWriter& Bool(std::string_view key, bool value) { return Key(key).Bool(value); }
  JsonWriter& Null(std::string_view key) { return Key(key).Null(); }
  JsonWriter& Raw(std::string_view key, std::string_view json) { return Key(key).Raw(json); }

  // The document; the writer is as new afterwards.
  std::string Take() {
    comma_ = false;
    return std::move(out_);
  }

 private:
  JsonWriter& Open(char open, char close) {
    Separate();
    out_ += open;
    open_ += close;
    comma_ = false;
    return *this;
  }
  void Separate() {
    if (comma_) out_ += ',';
    comma_ = true;
  }

  std::string out_;
  std::string open_;  // the brackets that close what is open
  bool comma_ = false;
};

}  // namespace tutti::server
