#include "tutti/text/jinja_globals.h"

#include <array>
#include <limits>

#include "tutti/text/jinja_arguments.h"
#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"
#include "tutti/text/jinja_methods.h"
#include "tutti/text/jinja_print.h"
#include "tutti/text/jinja_strftime.h"

namespace tutti::text::jinja {
namespace {

constexpr int64_t kMaxRange = 100000;            // Jinja's sandbox has the same
constexpr int64_t kFarthest = int64_t{1} << 40;  // so that no item of a range can overflow

Value MakeRange(Interpreter& interpreter, const Value&, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 3> given;
  if (!BindPositional(heap, "range", arguments, 1, given)) return Value();
  std::array<int64_t, 3> bounds{};
  for (size_t i = 0; i < 3; ++i) {
    if (!AsIndex(heap, given[i], i == 2 ? 1 : 0, bounds[i])) return Value();
  }
  if (given[1].nothing()) {
    bounds[1] = bounds[0];
    bounds[0] = 0;
  }
  const auto [start, stop, step] = bounds;
  if (step == 0) return Fail(heap, "range() arg 3 must not be zero");
  for (const int64_t bound : bounds) {
    if (bound > kFarthest || bound < -kFarthest) {
      return Fail(heap, "Range too big. Its bounds may be at most {}.", kFarthest);
    }
  }
  const int64_t distance = step > 0 ? stop - start : start - stop;
  const int64_t count = distance <= 0 ? 0 : (distance - 1) / (step > 0 ? step : -step) + 1;
  if (count > kMaxRange) {
    return Fail(heap, "Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).",
                kMaxRange);
  }
  return Value::Of(heap.New(Range{start, stop, step, static_cast<uint32_t>(count)}));
}

// Adds a mapping or a list of pairs.
bool FillDict(Heap& heap, Dict& dict, const Value& from) {
  if (from.Is(Kind::kDict)) {
    for (const DictEntry& entry : from.dict->view()) {
      if (!DictSet(heap, dict, entry.key, entry.value)) return false;
    }
    return true;
  }
  const List* items = ItemsOf(heap, from);
  if (items == nullptr) return false;
  for (uint32_t i = 0; i < items->count; ++i) {
    const List* pair = ItemsOf(heap, items->items[i]);
    if (pair == nullptr) return false;
    if (pair->count != 2) {
      Fail(heap, "dictionary update sequence element #{} has length {}; 2 is required", i,
           pair->count);
      return false;
    }
    if (!DictSet(heap, dict, pair->items[0], pair->items[1])) return false;
  }
  return true;
}

Dict* DictFrom(Heap& heap, std::string_view function, const Arguments& arguments) {
  if (arguments.positional.size() > 1) {
    Fail(heap, "{} expected at most 1 argument, got {}", function, arguments.positional.size());
    return nullptr;
  }
  Dict* dict = NewDict(heap);
  if (dict == nullptr) return nullptr;
  if (!arguments.positional.empty() && !FillDict(heap, *dict, arguments.positional[0])) {
    return nullptr;
  }
  for (const Keyword& keyword : arguments.named) {
    const Value name = MakeString(heap, keyword.name, false);
    if (name.nothing() || !DictSet(heap, *dict, name, keyword.value)) return nullptr;
  }
  return dict;
}

Value MakeDict(Interpreter& interpreter, const Value&, const Arguments& arguments) {
  return Value::Of(DictFrom(interpreter.heap(), "dict", arguments));
}

Value DictFromKeys(Interpreter& interpreter, const Value&, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  if (!BindPositional(heap, "fromkeys", arguments, 1, given)) return Value();
  const List* keys = ItemsOf(heap, given[0]);
  Dict* dict = NewDict(heap);
  if (keys == nullptr || dict == nullptr) return Value();
  const Value value = given[1].nothing() ? Value::None() : given[1];
  for (const Value& key : keys->view()) {
    if (!DictSet(heap, *dict, key, value)) return Value();
  }
  return Value::Of(dict);
}

Value MakeNamespace(Interpreter& interpreter, const Value&, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  Dict* dict = DictFrom(heap, "namespace", arguments);
  if (dict == nullptr) return Value();
  for (const DictEntry& entry : dict->view()) {
    if (!CheckNamespaceName(heap, entry.key)) return Value();
  }
  return Value::Namespace(dict);
}

Value MakeCycler(Interpreter& interpreter, const Value&, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  if (!arguments.named.empty()) return Fail(heap, "cycler() takes no keyword arguments");
  if (arguments.positional.empty()) return Fail(heap, "at least one item has to be provided");
  const List* items = MakeList(heap, arguments.positional);
  return items == nullptr ? Value() : Value::Of(heap.New(CycleState{items, 0}));
}

Value MakeJoiner(Interpreter& interpreter, const Value&, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  if (!BindArguments(heap, "joiner", arguments, {"sep"}, 0, given)) return Value();
  const Value separator = given[0].nothing() ? MakeString(heap, ", ", true) : given[0];
  return separator.nothing() ? Value() : Value::Of(heap.New(JoinState{separator, false}));
}

// Jinja's lipsum is random filler; nothing a chat template prints may be random.
Value Lipsum(Interpreter& interpreter, const Value&, const Arguments&) {
  return Fail(interpreter.heap(), "lipsum() is random and therefore not supported");
}

Value RaiseException(Interpreter& interpreter, const Value&, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  if (!BindArguments(heap, "raise_exception", arguments, {"message"}, 1, given)) return Value();
  const Value text = ToStr(heap, given[0]);
  if (text.nothing()) return Value();
  heap.FailRaised(std::string(text.string->view()));
  return Value();
}

Value StrftimeNow(Interpreter& interpreter, const Value&, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  if (!BindArguments(heap, "strftime_now", arguments, {"format"}, 1, given)) return Value();
  const String* format = AsString(heap, given[0], "strftime() argument 1");
  // The longest field is about 24 bytes for two of the format.
  if (format == nullptr || !heap.Charge(format->bytes * 12) || !heap.Step(format->bytes)) {
    return Value();
  }
  const auto text = FormatTime(interpreter.now(), format->view());
  if (!text) {
    return Fail(heap, "the current time '{}' is no date and time like 2026-01-15T12:34:56",
                interpreter.now());
  }
  return MakeString(heap, *text, format->marks == nullptr && format->from_template);
}

constexpr NamedNative kGlobals[] = {
    {"range", MakeRange},
    {"dict", MakeDict},
    {"namespace", MakeNamespace},
    {"cycler", MakeCycler},
    {"joiner", MakeJoiner},
    {"lipsum", Lipsum},
    {"raise_exception", RaiseException},
    {"strftime_now", StrftimeNow},
};

Value CyclerNext(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!BindPositional(interpreter.heap(), "next", arguments, 0, {})) return Value();
  CycleState& cycler = *self.cycler;
  const Value item = cycler.items->items[cycler.position];
  cycler.position = (cycler.position + 1) % cycler.items->count;
  return item;
}

Value CyclerReset(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (!BindPositional(interpreter.heap(), "reset", arguments, 0, {})) return Value();
  self.cycler->position = 0;
  return Value::None();
}

}  // namespace

Value FindGlobal(Heap& heap, std::string_view name) {
  for (const NamedNative& row : kGlobals) {
    if (row.name == name) return MakeMethod(heap, row.name, row.native, Value::None());
  }
  return Value();
}

Value CyclerAttribute(Heap& heap, const Value& cycler, std::string_view name, bool& found) {
  const CycleState& state = *cycler.cycler;
  found = true;
  if (name == "next") return MakeMethod(heap, name, CyclerNext, cycler);
  if (name == "reset") return MakeMethod(heap, name, CyclerReset, cycler);
  if (name == "current") return state.items->items[state.position];
  if (name == "pos") return Value::Int(state.position);
  if (name == "items") return Value::Tuple(state.items);
  found = false;
  return Value();
}

Value FunctionAttribute(Heap& heap, const Value& function, std::string_view name, bool& found) {
  found = function.function->call == MakeDict && name == "fromkeys";
  return found ? MakeMethod(heap, name, DictFromKeys, Value::None()) : Value();
}

bool CheckNamespaceName(Heap& heap, const Value& name) {
  if (!name.Is(Kind::kString) || !name.string->view().starts_with('_')) return true;
  Fail(heap,
       "Chat templates cannot store underscore-prefixed attributes on a namespace, but got {}. "
       "Please rename the attribute.",
       ShortRepr(heap, name));
  return false;
}

}  // namespace tutti::text::jinja
