#include "tutti/text/jinja_operators.h"

#include <algorithm>

#include "tutti/text/jinja_format.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_print.h"
#include "tutti/text/jinja_string.h"

namespace tutti::text::jinja {
namespace {

bool IsSequence(const Value& value) { return value.Is(Kind::kList) || value.Is(Kind::kTuple); }

Value Unsupported(Heap& heap, Operation operation, const Value& left, const Value& right) {
  return Fail(heap, "unsupported operand type(s) for {}: '{}' and '{}'", OperationSign(operation),
              TypeName(left), TypeName(right));
}

Value JoinLists(Heap& heap, const Value& left, const Value& right) {
  const size_t count = size_t{left.list->count} + right.list->count;
  Value* items = heap.NewArray<Value>(count);
  if (items == nullptr || !heap.Step(count / 4)) return Value();
  std::copy_n(left.list->items, left.list->count, items);
  std::copy_n(right.list->items, right.list->count, items + left.list->count);
  const List* list = heap.New(List{items, static_cast<uint32_t>(count)});
  return left.Is(Kind::kList) ? Value::Of(list) : Value::Tuple(list);
}

Value AddValues(Heap& heap, const Value& left, const Value& right) {
  if (left.Is(Kind::kString)) {
    if (right.Is(Kind::kString)) return Concatenate(heap, left, right);
    return Fail(heap, "can only concatenate str (not \"{}\") to str", TypeName(right));
  }
  if (IsSequence(left)) {
    if (left.kind == right.kind) return JoinLists(heap, left, right);
    return Fail(heap, "can only concatenate {} (not \"{}\") to {}", TypeName(left), TypeName(right),
                TypeName(left));
  }
  return Unsupported(heap, Operation::kAdd, left, right);
}

// How often a sequence is repeated; a product that does not fit any budget is refused as a whole.
bool Times(Heap& heap, const Value& times, uint64_t size, uint64_t& out) {
  if (times.Is(Kind::kBigInt)) {
    if (!times.big->negative) return heap.Charge(heap.budget().memory_bytes + 1);
    out = 0;
    return true;
  }
  const int64_t count = std::max<int64_t>(0, *SmallInt(times));
  out = static_cast<uint64_t>(count);
  if (size > 0 && out > heap.budget().memory_bytes / size) {
    return heap.Charge(heap.budget().memory_bytes + 1);
  }
  return true;
}

Value RepeatString(Heap& heap, const String& string, const Value& times) {
  uint64_t count = 0;
  if (!Times(heap, times, string.bytes, count)) return Value();
  Builder out(heap);
  return out.AddRepeated(string, count) ? out.Finish(string.safe) : Value();
}

Value RepeatList(Heap& heap, const Value& sequence, const Value& times) {
  const List& list = *sequence.list;
  uint64_t count = 0;
  if (!Times(heap, times, list.count * sizeof(Value), count)) return Value();
  const size_t total = list.count * count;
  Value* items = heap.NewArray<Value>(total);
  if (items == nullptr || !heap.Step(total / 4)) return Value();
  for (size_t i = 0; i < total; i += list.count) std::copy_n(list.items, list.count, items + i);
  const List* repeated = heap.New(List{items, static_cast<uint32_t>(total)});
  return sequence.Is(Kind::kList) ? Value::Of(repeated) : Value::Tuple(repeated);
}

Value Multiply(Heap& heap, const Value& left, const Value& right) {
  if (left.Is(Kind::kString) && right.IsInteger()) return RepeatString(heap, *left.string, right);
  if (right.Is(Kind::kString) && left.IsInteger()) return RepeatString(heap, *right.string, left);
  if (IsSequence(left) && right.IsInteger()) return RepeatList(heap, left, right);
  if (IsSequence(right) && left.IsInteger()) return RepeatList(heap, right, left);
  if (left.Is(Kind::kString) || IsSequence(left)) {
    return Fail(heap, "can't multiply sequence by non-int of type '{}'", TypeName(right));
  }
  return Unsupported(heap, Operation::kMul, left, right);
}

std::string_view Entity(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '\'':
      return "&#39;";
    case '"':
      return "&#34;";
    default:
      return {};
  }
}

}  // namespace

Value Escape(Heap& heap, const Value& value) {
  const Value text = ToStr(heap, value);
  if (text.nothing() || text.string->safe) return text;
  const String& string = *text.string;
  Builder out(heap);
  uint32_t plain = 0;
  for (uint32_t i = 0; i < string.bytes; ++i) {
    const std::string_view entity = Entity(string.data[i]);
    if (entity.empty()) continue;
    if (!out.Add(string, plain, i) || !out.Add(entity, OriginAt(string, i))) return Value();
    plain = i + 1;
  }
  return out.Add(string, plain, string.bytes) ? out.Finish(true) : Value();
}

Value Concatenate(Heap& heap, const Value& left, const Value& right) {
  const bool safe = left.string->safe || right.string->safe;
  if (!safe) return Append(heap, *left.string, *right.string);
  const Value first = safe ? Escape(heap, left) : left;
  const Value second = safe ? Escape(heap, right) : right;
  if (first.nothing() || second.nothing()) return Value();
  Builder out(heap);
  if (!out.Add(*first.string) || !out.Add(*second.string)) return Value();
  return out.Finish(safe);
}

Value Operate(Interpreter& interpreter, Operation operation, const Value& left,
              const Value& right) {
  Heap& heap = interpreter.heap();
  if (left.IsNumber() && right.IsNumber()) return Arithmetic(heap, operation, left, right);
  if (left.Is(Kind::kUndefined)) return FailUndefined(heap, left);
  if (operation == Operation::kMod && left.Is(Kind::kString)) {
    return FormatPercent(heap, *left.string, right);
  }
  if (right.Is(Kind::kUndefined)) return FailUndefined(heap, right);
  if (operation == Operation::kAdd) return AddValues(heap, left, right);
  if (operation == Operation::kMul) return Multiply(heap, left, right);
  return Unsupported(heap, operation, left, right);
}

}  // namespace tutti::text::jinja
