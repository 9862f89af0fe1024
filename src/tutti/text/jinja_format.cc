#include "tutti/text/jinja_format.h"

#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_format_number.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_number.h"
#include "tutti/text/jinja_operators.h"
#include "tutti/text/jinja_print.h"

namespace tutti::text::jinja {
namespace {

// str % arguments
class PercentFormatter {
 public:
  PercentFormatter(Heap& heap, const String& format, const Value& arguments)
      : heap_(heap), format_(format), text_(format.view()), arguments_(arguments), out_(heap) {}

  Value Run() {
    size_t plain = 0;
    while (true) {
      const size_t percent = text_.find('%', plain);
      const size_t stop = percent == std::string_view::npos ? text_.size() : percent;
      if (!AddFormat(plain, stop)) return Value();
      if (percent == std::string_view::npos) break;
      at_ = percent + 1;
      if (!Conversion(percent)) return Value();
      plain = at_;
    }
    const bool one = !arguments_.Is(Kind::kTuple);
    // What can be indexed may hold named arguments and need not be used up.
    const bool mapping = one && IsIterable(arguments_) && !arguments_.Is(Kind::kString) &&
                         !arguments_.Is(Kind::kDictView) && !arguments_.Is(Kind::kIterator);
    if (!mapping && next_ < (one ? 1 : arguments_.list->count)) {
      return Fail(heap_, "not all arguments converted during string formatting");
    }
    return out_.Finish(format_.safe);
  }

 private:
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool AddFormat(size_t begin, size_t end) {
    return out_.Add(format_, static_cast<uint32_t>(begin), static_cast<uint32_t>(end));
  }
  Value NextArgument() {
    const bool one = !arguments_.Is(Kind::kTuple);
    if (next_ >= (one ? 1 : arguments_.list->count)) {
      return Fail(heap_, "not enough arguments for format string");
    }
    const uint32_t at = next_++;
    return one ? arguments_ : arguments_.list->items[at];
  }
  bool Star(int64_t& count) {
    const Value value = NextArgument();
    if (value.nothing()) return false;
    const auto small = SmallInt(value);
    if (!small) {
      Fail(heap_, "* wants int");
      return false;
    }
    count = *small;
    return true;
  }
  bool Flags(FormatSpec& spec) {
    bool left = false;
    bool zero = false;
    for (;; ++at_) {
      const char c = Peek();
      if (c == '-')
        left = true;
      else if (c == '0')
        zero = true;
      else if (c == '+')
        spec.sign = '+';
      else if (c == ' ')
        spec.sign = spec.sign == '+' ? '+' : ' ';
      else if (c == '#')
        spec.alternate = true;
      else
        break;
    }
    if (Peek() == '*') {
      ++at_;
      if (!Star(spec.width)) return false;
      left = left || spec.width < 0;
      spec.width = std::abs(spec.width);
    } else {
      spec.width = ReadCount(text_, at_);
    }
    if (Peek() == '.') {
      ++at_;
      if (Peek() == '*') {
        ++at_;
        if (!Star(spec.precision)) return false;
        spec.precision = std::max<int64_t>(0, spec.precision);
      } else {
        spec.precision = ReadCount(text_, at_);
      }
    }
    if (Peek() == 'h' || Peek() == 'l' || Peek() == 'L') ++at_;
    if (zero && !left) spec.fill = '0';
    spec.align = left ? '<' : zero ? '=' : '>';
    return true;
  }
  bool Key(Value& value) {
    int depth = 1;
    const size_t begin = ++at_;
    for (; at_ < text_.size() && depth > 0; ++at_) {
      depth += text_[at_] == '(' ? 1 : text_[at_] == ')' ? -1 : 0;
    }
    if (depth > 0) {
      Fail(heap_, "incomplete format key");
      return false;
    }
    if (!arguments_.Is(Kind::kDict)) {
      Fail(heap_, "format requires a mapping");
      return false;
    }
    const std::string_view key = text_.substr(begin, at_ - 1 - begin);
    const DictEntry* entry = DictFind(heap_, *arguments_.dict, key);
    if (entry == nullptr) {
      Fail(heap_, "'{}'", key);
      return false;
    }
    value = entry->value;
    next_ = 1;
    return true;
  }

  bool Conversion(size_t percent) {
    FormatSpec spec;
    spec.users = !OriginAt(format_, static_cast<uint32_t>(percent));
    Value value;
    if (Peek() == '(' && !Key(value)) return false;
    if (!Flags(spec)) return false;
    const char type = Peek();
    if (type == '\0') {
      Fail(heap_, "incomplete format");
      return false;
    }
    ++at_;
    if (type == '%') return AddFormat(percent, percent + 1);
    if (std::string_view("diouxXeEfFgGcrsa").find(type) == std::string_view::npos) {
      Fail(heap_, "unsupported format character '{}' ({:#x}) at index {}", type,
           static_cast<unsigned char>(type), at_ - 1);
      return false;
    }
    if (value.nothing()) value = NextArgument();
    if (value.nothing()) return false;
    if (type == 's' || type == 'r' || type == 'a') return Text(type, value, spec);
    if (type == 'c') return Character(value, spec);
    return Number(type, value, spec);
  }

  bool Text(char type, const Value& value, FormatSpec& spec) {
    Value text = type == 's'   ? ToStr(heap_, value)
                 : type == 'r' ? ToRepr(heap_, value)
                               : ToAscii(heap_, value);
    if (!text.nothing() && format_.safe) text = Escape(heap_, text);
    if (text.nothing()) return false;
    if (spec.precision >= 0 && spec.precision < text.string->chars) {
      const uint32_t end = OffsetOfChar(heap_, *text.string, static_cast<uint32_t>(spec.precision));
      text = Slice(heap_, *text.string, 0, end);
      if (text.nothing()) return false;
    }
    if (spec.align == '=') spec.align = '>';
    spec.fill = ' ';
    return AddPadded(out_, *text.string, spec, '>');
  }

  bool Character(const Value& value, const FormatSpec& spec) {
    std::string text;
    const auto code = SmallInt(value);
    if (value.Is(Kind::kString) && value.string->chars == 1) {
      return AddPadded(out_, *value.string, spec, '>');
    }
    if (!code || *code < 0 || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF)) {
      Fail(heap_, "%c requires an int that is a character or one character");
      return false;
    }
    EncodeChar(static_cast<char32_t>(*code), text);
    return AddNumber(text, spec);
  }

  bool AddNumber(const std::string& text, const FormatSpec& spec) {
    const Value made = MakeString(heap_, text, false);
    return !made.nothing() && AddPadded(out_, *made.string, spec, '>');
  }

  bool Number(char type, const Value& value, FormatSpec& spec) {
    const bool is_float = std::string_view("eEfFgG").find(type) != std::string_view::npos;
    const bool decimal = type == 'd' || type == 'i' || type == 'u';
    if (value.Is(Kind::kUndefined)) {
      FailUndefined(heap_, value);
      return false;
    }
    if (!value.IsNumber() || (!is_float && !decimal && value.Is(Kind::kFloat))) {
      if (is_float) {
        Fail(heap_, "must be real number, not {}", TypeName(value));
      } else {
        Fail(heap_, "%{} format: {} is required, not {}", type,
             decimal ? "a real number" : "an integer", TypeName(value));
      }
      return false;
    }
    if (is_float) {
      spec.type = type;
      const auto text = FormatFloat(heap_, ToDouble(value), spec);
      return text && AddNumber(*text, spec);
    }
    const Value integer = value.Is(Kind::kFloat) ? IntFromFloat(heap_, value.real) : value;
    if (integer.nothing()) return false;
    const int64_t digits = std::exchange(spec.precision, -1);
    spec.type = decimal ? 'd' : type;
    auto text = FormatInteger(heap_, integer, spec);
    if (!text) return false;
    if (digits > 0 && digits > static_cast<int64_t>(text->size())) {
      // A precision asks for that many digits.
      const size_t sign = text->find_first_of("0123456789abcdefABCDEF");
      const uint64_t zeros = static_cast<uint64_t>(digits) - (text->size() - sign);
      if (!heap_.Charge(zeros)) return false;
      text->insert(sign, zeros, '0');
    }
    return AddNumber(*text, spec);
  }

  Heap& heap_;
  const String& format_;
  std::string_view text_;
  Value arguments_;
  Builder out_;
  size_t at_ = 0;
  uint32_t next_ = 0;
};

// str.format
class BraceFormatter {
 public:
  BraceFormatter(Interpreter& interpreter, const String& format, const Arguments& arguments,
                 const Value& mapping)
      : interpreter_(interpreter),
        heap_(interpreter.heap()),
        format_(format),
        text_(format.view()),
        arguments_(arguments),
        mapping_(mapping) {}

  Value Run() {
    Builder out(heap_);
    size_t at = 0;
    while (at < text_.size()) {
      const char c = text_[at];
      if (c != '{' && c != '}') {
        const size_t stop = std::min(text_.find_first_of("{}", at), text_.size());
        if (!Plain(out, at, stop)) return Value();
        at = stop;
      } else if (at + 1 < text_.size() && text_[at + 1] == c) {
        if (!Plain(out, at, at + 1)) return Value();
        at += 2;
      } else if (c == '}') {
        return Fail(heap_, "Single '}}' encountered in format string");
      } else if (!Field(out, at)) {
        return Value();
      }
    }
    return out.Finish(format_.safe);
  }

 private:
  bool Plain(Builder& out, size_t begin, size_t end) {
    return out.Add(format_, static_cast<uint32_t>(begin), static_cast<uint32_t>(end));
  }

  // "{name!r:spec}" at `at`, which is moved behind it.
  bool Field(Builder& out, size_t& at) {
    size_t depth = 1;
    const size_t begin = at + 1;
    size_t end = begin;
    for (; end < text_.size() && depth > 0; ++end) {
      depth += text_[end] == '{' ? 1 : 0;
      depth -= text_[end] == '}' ? 1 : 0;
    }
    if (depth > 0) {
      Fail(heap_, "{}",
           begin == text_.size() ? "Single '{' encountered in format string"
                                 : "expected '}' before end of string");
      return false;
    }
    at = end;
    std::string_view field = text_.substr(begin, end - 1 - begin);
    size_t name_end = 0;
    bool bracket = false;
    for (; name_end < field.size(); ++name_end) {
      bracket = field[name_end] == '[' || (bracket && field[name_end] != ']');
      if (!bracket && (field[name_end] == '!' || field[name_end] == ':')) break;
    }
    Value value = Lookup(field.substr(0, name_end));
    if (value.nothing()) return false;
    field.remove_prefix(name_end);
    if (field.starts_with('!')) {
      if (!Convert(field, value)) return false;
      field.remove_prefix(2);
    }
    if (!field.empty() && !field.starts_with(':')) {
      Fail(heap_, "expected ':' after conversion specifier");
      return false;
    }
    std::string spec(field.empty() ? field : field.substr(1));
    const bool users = !OriginAt(format_, static_cast<uint32_t>(begin - 1));
    return Nested(spec) && Format(out, value, spec, users);
  }

  bool Convert(std::string_view field, Value& value) {
    const char conversion = field.size() > 1 ? field[1] : '\0';
    if (conversion == 's') {
      value = ToStr(heap_, value);
    } else if (conversion == 'r') {
      value = ToRepr(heap_, value);
    } else if (conversion == 'a') {
      value = ToAscii(heap_, value);
    } else {
      return !Fail(heap_, "Unknown conversion specifier '{}'", conversion).nothing();
    }
    return !value.nothing();
  }

  // Replaces the fields inside a specification, one level deep as in Python.
  bool Nested(std::string& spec) {
    if (spec.find('{') == std::string::npos) return true;
    const Value text = MakeString(heap_, spec, false);
    if (text.nothing()) return false;
    if (nested_) return !Fail(heap_, "Max string recursion exceeded").nothing();
    BraceFormatter inner(interpreter_, *text.string, arguments_, mapping_);
    inner.nested_ = true;
    inner.next_ = next_;
    inner.numbered_ = numbered_;
    const Value replaced = inner.Run();
    next_ = inner.next_;
    numbered_ = inner.numbered_;
    if (replaced.nothing()) return false;
    spec = std::string(replaced.string->view());
    return true;
  }

  Value First(std::string_view name) {
    const bool digits =
        !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
    if (name.empty() || digits) {
      size_t at = 0;
      if (name.empty() ? numbered_ : next_ > 0) {
        return Fail(heap_, "cannot mix automatic and manual field numbering");
      }
      numbered_ = !name.empty();
      const int64_t index = name.empty() ? next_++ : ReadCount(name, at);
      if (!mapping_.nothing()) {
        return Fail(heap_, "Format string contains positional fields");
      }
      if (index >= static_cast<int64_t>(arguments_.positional.size())) {
        return Fail(heap_, "Replacement index {} out of range for positional args tuple", index);
      }
      return arguments_.positional[static_cast<size_t>(index)];
    }
    if (!mapping_.nothing()) {
      const Value key = MakeString(heap_, name, false);
      if (key.nothing()) return Value();
      const Value value = GetItem(interpreter_, mapping_, key);
      return value.Is(Kind::kUndefined) ? Fail(heap_, "'{}'", name) : value;
    }
    for (const Keyword& keyword : arguments_.named) {
      if (keyword.name == name) return keyword.value;
    }
    return Fail(heap_, "'{}'", name);
  }

  // name, then any number of .attribute and [item]
  Value Lookup(std::string_view name) {
    size_t at = std::min(name.find_first_of(".["), name.size());
    Value value = First(name.substr(0, at));
    while (at < name.size() && !value.nothing()) {
      const bool attribute = name[at] == '.';
      const size_t begin = at + 1;
      if (name[at] != '.' && name[at] != '[') {
        return Fail(heap_, "Only '.' or '[' may follow ']' in format field specifier");
      }
      size_t end = attribute ? std::min(name.find_first_of(".[", begin), name.size())
                             : name.find(']', begin);
      if (end == std::string_view::npos) return Fail(heap_, "Missing ']' in format string");
      const std::string_view part = name.substr(begin, end - begin);
      if (part.empty()) return Fail(heap_, "Empty attribute in format string");
      at = attribute ? end : end + 1;
      const Value key = MakeString(heap_, part, false);
      if (key.nothing()) return Value();
      size_t digits = 0;
      const int64_t index = ReadCount(part, digits);
      const bool is_index = !attribute && digits == part.size();
      value = attribute ? GetAttribute(interpreter_, value, key)
                        : GetItem(interpreter_, value, is_index ? Value::Int(index) : key);
    }
    return value;
  }

  bool Format(Builder& out, const Value& value, std::string_view text, bool users) {
    Value shown;
    FormatSpec spec;
    spec.users = users;
    char align = '<';
    if (text.empty()) {
      shown = ToStr(heap_, value);
    } else if (!value.IsNumber() && !value.Is(Kind::kString)) {
      Fail(heap_, "unsupported format string passed to {}.__format__", TypeName(value));
    } else if (!ParseFormatSpec(text, spec)) {
      Fail(heap_, "Invalid format specifier '{}'", text);
    } else if (value.Is(Kind::kString)) {
      shown = Cut(value, spec);
    } else {
      align = '>';
      const auto digits = value.Is(Kind::kFloat) ? FormatFloat(heap_, value.real, spec)
                          : spec.type == 'c'     ? CharText(value)
                                                 : FormatInteger(heap_, value, spec);
      if (digits) shown = MakeString(heap_, *digits, false);
    }
    if (!shown.nothing() && format_.safe) shown = Escape(heap_, shown);
    return !shown.nothing() && AddPadded(out, *shown.string, spec, align);
  }

  std::optional<std::string> CharText(const Value& value) {
    const auto code = SmallInt(value);
    if (!code || *code < 0 || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF)) {
      Fail(heap_, "%c arg not in range(0x110000)");
      return std::nullopt;
    }
    std::string text;
    EncodeChar(static_cast<char32_t>(*code), text);
    return text;
  }

  Value Cut(const Value& value, const FormatSpec& spec) {
    if ((spec.type != '\0' && spec.type != 's') || spec.align == '=' || spec.sign != '-' ||
        spec.grouping != '\0' || spec.alternate) {
      return Fail(heap_, "a number's format code '{}' for object of type 'str'", spec.type);
    }
    if (spec.precision < 0 || spec.precision >= value.string->chars) return value;
    const uint32_t end = OffsetOfChar(heap_, *value.string, static_cast<uint32_t>(spec.precision));
    return Slice(heap_, *value.string, 0, end);
  }

  Interpreter& interpreter_;
  Heap& heap_;
  const String& format_;
  std::string_view text_;
  Arguments arguments_;
  Value mapping_;
  int64_t next_ = 0;       // of fields without a number
  bool numbered_ = false;  // a field with a number was seen
  bool nested_ = false;
};

}  // namespace

Value FormatPercent(Heap& heap, const String& format, const Value& arguments) {
  return PercentFormatter(heap, format, arguments).Run();
}

Value FormatBraces(Interpreter& interpreter, const String& format, const Arguments& arguments) {
  return BraceFormatter(interpreter, format, arguments, Value()).Run();
}

Value FormatMap(Interpreter& interpreter, const String& format, const Value& mapping) {
  return BraceFormatter(interpreter, format, {}, mapping).Run();
}

}  // namespace tutti::text::jinja
