#include <algorithm>
#include <charconv>
#include <set>
#include <string>
#include <string_view>

#include "tutti/base/json.h"
#include "tutti/base/json_string.h"
#include "tutti/base/json_text.h"
#include "tutti/text/tool_call_parsers.h"
#include "tutti/text/unicode.h"

namespace tutti::text {
namespace {

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// Letters, digits and `others`, a letter first.
bool IsIdentifier(std::string_view name, std::string_view others) {
  const auto fits = [&](char c) {
    return IsLetter(c) || (c >= '0' && c <= '9') || others.find(c) != std::string_view::npos;
  };
  return !name.empty() && IsLetter(name.front()) && std::all_of(name.begin(), name.end(), fits);
}

// Calls with literals of Python as their arguments, turned into JSON: [f(a=1, b='x'), g()].
class PythonCalls {
 public:
  explicit PythonCalls(std::string_view text) : rest_(text) {}

  bool Read(std::vector<ToolCall>& calls) {
    const bool list = Take('[');
    do {
      ToolCall call;
      if (!Call(call)) return false;
      calls.push_back(std::move(call));
    } while (Take(','));
    return (!list || Take(']')) && Trimmed(rest_).empty();
  }

 private:
  static constexpr int kMaxDepth = 32;

  void SkipSpaces() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
  }
  bool Take(char c) {
    SkipSpaces();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // What stands before `end`, which is taken too.
  std::string_view Name(char end) {
    const size_t at = std::min(rest_.find(end), rest_.size());
    const std::string_view name = Trimmed(rest_.substr(0, at));
    rest_.remove_prefix(std::min(at + 1, rest_.size()));
    return name;
  }

  bool Call(ToolCall& call) {
    call.name = Name('(');
    // What names of tools may be made of beside Python's own letters.
    if (!IsToolName(call.name) || !IsIdentifier(call.name, "-.:/")) return false;
    std::set<std::string_view> keys;
    out_ = "{";
    while (!Take(')')) {
      if (out_.size() > 1) {
        if (!Take(',')) return false;
        out_ += ',';
      }
      const std::string_view key = Name('=');
      if (!IsIdentifier(key, "") || !keys.insert(key).second) return false;
      AppendJsonString(key, out_);
      out_ += ':';
      if (!Value(0)) return false;
    }
    call.arguments = out_ + "}";
    return true;
  }

  bool Value(int depth) {
    SkipSpaces();
    if (depth > kMaxDepth || rest_.empty()) return false;
    if (rest_.front() == '[' || rest_.front() == '{') return Collection(depth);
    if (rest_.front() == '"' || rest_.front() == '\'') return Text();
    const size_t end = std::min(rest_.find_first_of(",)]}"), rest_.size());
    std::string_view word = Trimmed(rest_.substr(0, end));
    rest_.remove_prefix(end);
    if (word == "None") word = "null";
    if (word == "True") word = "true";
    if (word == "False") word = "false";
    const auto value = ParseJson(word);
    if (!value.ok()) return false;
    out_ += JsonText(*value);
    return true;
  }

  bool Collection(int depth) {
    const bool dictionary = rest_.front() == '{';
    const char close = dictionary ? '}' : ']';
    out_ += rest_.front();
    rest_.remove_prefix(1);
    for (bool first = true; !Take(close); first = false) {
      if (!first) {
        if (!Take(',')) return false;
        out_ += ',';
      }
      if (dictionary) {
        SkipSpaces();
        if (rest_.empty() || (rest_.front() != '"' && rest_.front() != '\'') || !Text()) {
          return false;
        }
        if (!Take(':')) return false;
        out_ += ':';
      }
      if (!Value(depth + 1)) return false;
    }
    out_ += close;
    return true;
  }

  bool Text() {
    const char quote = rest_.front();
    std::string text;
    size_t i = 1;
    for (; i < rest_.size() && rest_[i] != quote; ++i) {
      if (rest_[i] != '\\' || i + 1 == rest_.size()) {
        text += rest_[i];
        continue;
      }
      i += Escape(rest_.substr(i + 1), text);
    }
    if (i >= rest_.size()) return false;
    rest_.remove_prefix(i + 1);
    AppendJsonString(text, out_);
    return true;
  }

  // What a backslash and `text` mean; answers how many bytes that takes. Of what is no escape the
  // backslash stays.
  static size_t Escape(std::string_view text, std::string& out) {
    constexpr std::string_view kLetters = "ntrbf\\'\"/";
    constexpr std::string_view kMeanings = "\n\t\r\b\f\\'\"/";
    if (const size_t at = kLetters.find(text.front()); at != std::string_view::npos) {
      out += kMeanings[at];
      return 1;
    }
    uint32_t code = 0;
    if (text.front() == 'u' && text.size() >= 5) {
      const char* const end = text.data() + 5;
      const auto read = std::from_chars(text.data() + 1, end, code, 16);
      const bool surrogate = code >= 0xD800 && code < 0xE000;
      if (read.ec == std::errc() && read.ptr == end && !surrogate) {
        AppendUtf8(code, &out);
        return 5;
      }
    }
    out += '\\';
    return 0;
  }

  std::string_view rest_;
  std::string out_;  // the arguments of a call
};

}  // namespace

bool ParsePythonCalls(std::string_view body, const ToolTypes& types, std::vector<ToolCall>& calls) {
  const size_t before = calls.size();
  if (ParseJsonCalls(body, types, calls)) return true;
  calls.resize(before);
  return PythonCalls(body).Read(calls);
}

}  // namespace tutti::text
