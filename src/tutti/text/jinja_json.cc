#include "tutti/text/jinja_json.h"

#include <algorithm>
#include <cmath>

#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_number.h"
#include "tutti/text/jinja_sort.h"

namespace tutti::text::jinja {
namespace {

// The escape of a character, empty where it stands for itself.
std::string JsonEscape(char32_t c, bool ensure_ascii) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    default:
      break;
  }
  const auto code = static_cast<uint32_t>(c);
  if (code < 0x20 || (ensure_ascii && code > 0x7E && code < 0x10000)) {
    return fmt::format("\\u{:04x}", code);
  }
  if (ensure_ascii && code >= 0x10000) {
    const uint32_t pair = code - 0x10000;
    return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (pair >> 10), 0xDC00 + (pair & 0x3FF));
  }
  return {};
}

bool AppendText(Builder& out, const String& string, bool ensure_ascii) {
  if (!out.Add("\"", false)) return false;
  uint32_t plain = 0;
  for (uint32_t at = 0; at < string.bytes;) {
    const uint32_t begin = at;
    const auto byte = static_cast<unsigned char>(string.data[at]);
    if (byte >= 0x20 && byte != '"' && byte != '\\' && (byte < 0x7F || !ensure_ascii)) {
      ++at;
      continue;
    }
    const std::string escape = JsonEscape(DecodeChar(string.view(), at), ensure_ascii);
    if (!out.Add(string, plain, begin) || !out.Add(escape, OriginAt(string, begin))) return false;
    plain = at;
  }
  return out.Add(string, plain, string.bytes) && out.Add("\"", false);
}

bool AppendNumber(Builder& out, const Value& number) {
  if (number.Is(Kind::kFloat)) {
    const double x = number.real;
    return out.Add(std::isnan(x)   ? "NaN"
                   : std::isinf(x) ? (x < 0 ? "-Infinity" : "Infinity")
                                   : FloatRepr(x),
                   false);
  }
  const auto digits = IntDigits(out.heap(), number);
  return digits && out.Add(*digits, false);
}

class JsonWriter {
 public:
  JsonWriter(Builder& out, const JsonStyle& style) : out_(out), heap_(out.heap()), style_(style) {}

  bool Write(const Value& value, uint32_t level) {
    const DepthGuard guard(heap_);
    if (!guard.ok() || !heap_.Step()) return false;
    switch (value.kind) {
      case Kind::kNone:
        return out_.Add("null", false);
      case Kind::kBool:
        return out_.Add(value.boolean ? "true" : "false", false);
      case Kind::kInt:
      case Kind::kBigInt:
      case Kind::kFloat:
        return AppendNumber(out_, value);
      case Kind::kString:
        return AppendText(out_, *value.string, style_.ensure_ascii);
      case Kind::kList:
      case Kind::kTuple:
        return WriteList(*value.list, level);
      case Kind::kDict:
        return WriteDict(*value.dict, level);
      default:
        Fail(heap_, "Object of type {} is not JSON serializable", TypeName(value));
        return false;
    }
  }

 private:
  bool NewLine(uint32_t level) {
    return !style_.indented || (out_.Add("\n", false) && out_.AddRepeated(style_.indent, level));
  }

  bool WriteList(const List& list, uint32_t level) {
    if (list.count == 0) return out_.Add("[]", false);
    if (!out_.Add("[", false)) return false;
    for (uint32_t i = 0; i < list.count; ++i) {
      if (i > 0 && !out_.Add(style_.item_separator)) return false;
      if (!NewLine(level + 1) || !Write(list.items[i], level + 1)) return false;
    }
    return NewLine(level) && out_.Add("]", false);
  }

  bool WriteKey(const Value& key) {
    switch (key.kind) {
      case Kind::kString:
        return AppendText(out_, *key.string, style_.ensure_ascii);
      case Kind::kNone:
        return out_.Add("\"null\"", false);
      case Kind::kBool:
        return out_.Add(key.boolean ? "\"true\"" : "\"false\"", false);
      case Kind::kInt:
      case Kind::kBigInt:
      case Kind::kFloat:
        return out_.Add("\"", false) && AppendNumber(out_, key) && out_.Add("\"", false);
      default:
        Fail(heap_, "keys must be str, int, float, bool or None, not {}", TypeName(key));
        return false;
    }
  }

  bool WriteDict(const Dict& dict, uint32_t level) {
    if (dict.count == 0) return out_.Add("{}", false);
    if (!out_.Add("{", false)) return false;
    std::vector<uint32_t> order(dict.count);
    for (uint32_t i = 0; i < dict.count; ++i) order[i] = i;
    if (style_.sort_keys) {
      std::vector<Value> keys;
      for (const DictEntry& entry : dict.view()) keys.push_back(entry.key);
      if (!SortOrder(heap_, keys, false, order)) return false;
    }
    bool first = true;
    for (const uint32_t i : order) {
      if (!first && !out_.Add(style_.item_separator)) return false;
      first = false;
      if (!NewLine(level + 1) || !WriteKey(dict.entries[i].key) ||
          !out_.Add(style_.key_separator) || !Write(dict.entries[i].value, level + 1)) {
        return false;
      }
    }
    return NewLine(level) && out_.Add("}", false);
  }

  Builder& out_;
  Heap& heap_;
  const JsonStyle& style_;
};

}  // namespace

bool AppendJson(Builder& out, const Value& value, const JsonStyle& style) {
  return JsonWriter(out, style).Write(value, 0);
}

std::string JsonQuote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const std::string escape = static_cast<unsigned char>(c) < 0x80
                                   ? JsonEscape(static_cast<unsigned char>(c), false)
                                   : std::string();
    if (escape.empty()) {
      out += c;
    } else {
      out += escape;
    }
  }
  return out + "\"";
}

}  // namespace tutti::text::jinja
