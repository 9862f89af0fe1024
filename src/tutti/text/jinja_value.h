// The values a template computes with: Python's, as far as templates can see them.
//
// A Value is a 16-byte handle; what it points to lives in a Heap (jinja_heap.h) or in the parsed
// template, is never freed alone and, except for namespaces, loops, cyclers and joiners, never
// changes: the sandbox offers no method that alters a list or a dict.
//
// Strings are UTF-8, counted in code points as Python does, and know for each byte whether it was
// written in the template or came from its variables (`from_template`).
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

#include "tutti/text/jinja_heap.h"

namespace tutti::text::jinja {

class Interpreter;
struct Value;
struct BigInt;
struct CycleState;
struct Dict;
struct DictView;
struct FilterStage;
struct Function;
struct JoinState;
struct List;
struct Iterator;
struct Loop;
struct Macro;
struct Range;
struct String;
struct Undefined;

enum class Kind : uint8_t {
  kNothing,  // no value: an argument that was not given, or a failure whose reason is in the heap
  kUndefined,
  kNone,
  kBool,
  kInt,  // what fits 64 bits; larger ones are kBigInt
  kBigInt,
  kFloat,
  kString,
  kBytes,  // str.encode(); a String underneath
  kList,
  kTuple,  // a List underneath
  kDict,
  kDictView,
  kRange,
  kIterator,
  kNamespace,  // a Dict underneath that may change
  kFunction,
  kMacro,
  kLoop,
  kCycler,
  kJoiner,
  kSelf,  // the template's own blocks
};

struct Value {
  Kind kind = Kind::kNothing;
  union {
    bool boolean;
    int64_t integer = 0;
    double real;
    const BigInt* big;
    const String* string;
    const List* list;
    Dict* dict;
    const DictView* view;
    const Range* range;
    Iterator* iterator;
    const Undefined* undefined;
    const Function* function;
    const Macro* macro;
    Loop* loop;
    CycleState* cycler;
    JoinState* joiner;
  };

  bool nothing() const { return kind == Kind::kNothing; }
  bool Is(Kind k) const { return kind == k; }
  bool IsInteger() const {  // Python's int, which includes bool
    return kind == Kind::kInt || kind == Kind::kBigInt || kind == Kind::kBool;
  }
  bool IsNumber() const { return IsInteger() || kind == Kind::kFloat; }

  static Value None() { return Make(Kind::kNone); }
  static Value Bool(bool value);
  static Value Int(int64_t value);
  static Value Float(double value);
  static Value Of(const BigInt* big);
  static Value Of(const String* string);  // nullptr gives nothing, here and below
  static Value Bytes(const String* string);
  static Value Of(const List* list);
  static Value Tuple(const List* list);
  static Value Of(Dict* dict);
  static Value Namespace(Dict* dict);
  static Value Of(const DictView* view);
  static Value Of(const Range* range);
  static Value Of(Iterator* iterator);
  static Value Of(const Undefined* undefined);
  static Value Of(const Function* function);
  static Value Of(const Macro* macro);
  static Value Of(Loop* loop);
  static Value Of(CycleState* cycler);
  static Value Of(JoinState* joiner);
  static Value Self() { return Make(Kind::kSelf); }

 private:
  static Value Make(Kind kind) {
    Value value;
    value.kind = kind;
    return value;
  }
};
static_assert(sizeof(Value) == 16);

// Where a run of bytes ends, counted from the start of the string the marks were made for.
struct Mark {
  uint32_t end;
  bool from_template;
};

// Room behind a string, so that text which grows piece by piece is not copied for every piece. The
// next piece goes behind the string that ends at `used`; strings made before keep their length.
struct Growth {
  char* data;
  uint32_t used, capacity;
  Mark* marks;
  uint32_t marks_used, marks_capacity;
};

struct String {
  const char* data = nullptr;
  uint32_t bytes = 0;
  uint32_t chars = 0;           // code points
  const Mark* marks = nullptr;  // nullptr: all bytes have the origin `from_template`
  uint32_t marks_count = 0;
  uint32_t marks_base = 0;  // offset of data[0] in the string the marks were made for
  bool from_template = false;
  bool safe = false;         // Markup: HTML that needs no escaping
  Growth* growth = nullptr;  // see Append in jinja_string.h

  std::string_view view() const { return {data, bytes}; }
  bool ascii() const { return bytes == chars; }
};

struct List {
  const Value* items = nullptr;
  uint32_t count = 0;
  std::span<const Value> view() const { return {items, count}; }
};

struct DictEntry {
  Value key;
  Value value;
  uint64_t hash = 0;
};

// Insertion-ordered, found through an open-addressed index once it has more than a few entries.
struct Dict {
  DictEntry* entries = nullptr;
  uint32_t count = 0;
  uint32_t capacity = 0;
  uint32_t* slots = nullptr;  // [slots_count]: entry + 1, 0 is empty; a power of two
  uint32_t slots_count = 0;
  std::span<const DictEntry> view() const { return {entries, count}; }
};

enum class DictPart : uint8_t { kKeys, kValues, kItems };
struct DictView {
  const Dict* dict;
  DictPart part;
};

struct Range {
  int64_t start, stop, step;
  uint32_t count;
};

// Something that can be walked once: what is left of a list, or a filter that is applied to one
// item after the other as they are asked for (an error in a later item may never be met).
struct Iterator {
  const List* items;  // nullptr where `pull` makes the items
  uint32_t next = 0;
  const char* type_name = "generator";
  Value (*pull)(Heap& heap, Iterator& iterator) = nullptr;  // nothing: at the end, or failed
  FilterStage* stage = nullptr;
};

// Why a value is undefined, for the error when it is used.
struct Undefined {
  enum class Reason : uint8_t { kName, kAttribute, kUnsafe, kHint };
  Reason reason;
  std::string_view name;  // of the variable or attribute, or the hint
  Value object;           // kAttribute, kUnsafe: whose attribute
  Value key;              // kAttribute with a key that is no string
};

struct Keyword {
  std::string_view name;
  Value value;
};
struct Arguments {
  std::span<const Value> positional;
  std::span<const Keyword> named;
};

// `self` is the object of a bound method, the input of a filter or test.
using Native = Value (*)(Interpreter& interpreter, const Value& self, const Arguments& arguments);
// A row of a table of methods or filters.
struct NamedNative {
  std::string_view name;
  Native native;
};
struct Function {
  std::string_view name;
  Native call;
  Value self;
};

struct CycleState {
  const List* items;
  uint32_t position = 0;
};
struct JoinState {
  Value separator;
  bool used = false;
};

// Python's name of the type: "str", "dict_keys".
std::string_view TypeName(const Value& value);
// bool(value).
bool Truth(const Value& value);

// The error of using an undefined value.
Value FailUndefined(Heap& heap, const Value& undefined);
// Records kData and returns nothing.
template <typename... Args>
Value Fail(Heap& heap, fmt::format_string<Args...> format, Args&&... args) {
  heap.Fail(StatusCode::kData, fmt::format(format, std::forward<Args>(args)...));
  return Value();
}

Value MakeUndefined(Heap& heap, std::string_view hint);
Value MakeUndefinedName(Heap& heap, std::string_view name);
Value MakeUndefinedAttribute(Heap& heap, const Value& object, const Value& key);
Value MakeUnsafe(Heap& heap, const Value& object, std::string_view attribute);

// Lists and tuples of the given items (copied).
const List* MakeList(Heap& heap, std::span<const Value> items);
Value MakeTuple(Heap& heap, std::span<const Value> items);

inline Value Value::Bool(bool value) {
  Value made = Make(Kind::kBool);
  made.boolean = value;
  return made;
}
inline Value Value::Int(int64_t value) {
  Value made = Make(Kind::kInt);
  made.integer = value;
  return made;
}
inline Value Value::Float(double value) {
  Value made = Make(Kind::kFloat);
  made.real = value;
  return made;
}
inline Value Value::Of(const String* string) {
  Value made = Make(string == nullptr ? Kind::kNothing : Kind::kString);
  made.string = string;
  return made;
}
inline Value Value::Bytes(const String* string) {
  Value made = Of(string);
  if (!made.nothing()) made.kind = Kind::kBytes;
  return made;
}
inline Value Value::Of(const BigInt* big) {
  Value made = Make(big == nullptr ? Kind::kNothing : Kind::kBigInt);
  made.big = big;
  return made;
}
inline Value Value::Of(const List* list) {
  Value made = Make(list == nullptr ? Kind::kNothing : Kind::kList);
  made.list = list;
  return made;
}
inline Value Value::Tuple(const List* list) {
  Value made = Make(list == nullptr ? Kind::kNothing : Kind::kTuple);
  made.list = list;
  return made;
}
inline Value Value::Of(Dict* dict) {
  Value made = Make(dict == nullptr ? Kind::kNothing : Kind::kDict);
  made.dict = dict;
  return made;
}
inline Value Value::Namespace(Dict* dict) {
  Value made = Make(dict == nullptr ? Kind::kNothing : Kind::kNamespace);
  made.dict = dict;
  return made;
}
inline Value Value::Of(const DictView* view) {
  Value made = Make(view == nullptr ? Kind::kNothing : Kind::kDictView);
  made.view = view;
  return made;
}
inline Value Value::Of(const Range* range) {
  Value made = Make(range == nullptr ? Kind::kNothing : Kind::kRange);
  made.range = range;
  return made;
}
inline Value Value::Of(Iterator* iterator) {
  Value made = Make(iterator == nullptr ? Kind::kNothing : Kind::kIterator);
  made.iterator = iterator;
  return made;
}
inline Value Value::Of(const Undefined* undefined) {
  Value made = Make(undefined == nullptr ? Kind::kNothing : Kind::kUndefined);
  made.undefined = undefined;
  return made;
}
inline Value Value::Of(const Function* function) {
  Value made = Make(function == nullptr ? Kind::kNothing : Kind::kFunction);
  made.function = function;
  return made;
}
inline Value Value::Of(const Macro* macro) {
  Value made = Make(macro == nullptr ? Kind::kNothing : Kind::kMacro);
  made.macro = macro;
  return made;
}
inline Value Value::Of(Loop* loop) {
  Value made = Make(loop == nullptr ? Kind::kNothing : Kind::kLoop);
  made.loop = loop;
  return made;
}
inline Value Value::Of(CycleState* cycler) {
  Value made = Make(cycler == nullptr ? Kind::kNothing : Kind::kCycler);
  made.cycler = cycler;
  return made;
}
inline Value Value::Of(JoinState* joiner) {
  Value made = Make(joiner == nullptr ? Kind::kNothing : Kind::kJoiner);
  made.joiner = joiner;
  return made;
}

}  // namespace tutti::text::jinja
