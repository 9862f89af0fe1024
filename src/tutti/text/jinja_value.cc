#include "tutti/text/jinja_value.h"

#include <algorithm>

#include "tutti/text/jinja_print.h"

namespace tutti::text::jinja {

std::string_view TypeName(const Value& value) {
  switch (value.kind) {
    case Kind::kNothing:
      return "nothing";
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
    case Kind::kBigInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return value.string->safe ? "Markup" : "str";
    case Kind::kBytes:
      return "bytes";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kDictView:
      return value.view->part == DictPart::kKeys     ? "dict_keys"
             : value.view->part == DictPart::kValues ? "dict_values"
                                                     : "dict_items";
    case Kind::kRange:
      return "range";
    case Kind::kIterator:
      return value.iterator->type_name;
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kFunction:
      return "function";
    case Kind::kMacro:
      return "Macro";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kCycler:
      return "Cycler";
    case Kind::kJoiner:
      return "Joiner";
    case Kind::kSelf:
      return "TemplateReference";
  }
  return "nothing";
}

bool Truth(const Value& value) {
  switch (value.kind) {
    case Kind::kNothing:
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.boolean;
    case Kind::kInt:
      return value.integer != 0;
    case Kind::kFloat:
      return value.real != 0;
    case Kind::kString:
    case Kind::kBytes:
      return value.string->bytes > 0;
    case Kind::kList:
    case Kind::kTuple:
      return value.list->count > 0;
    case Kind::kDict:
      return value.dict->count > 0;
    case Kind::kDictView:
      return value.view->dict->count > 0;
    case Kind::kRange:
      return value.range->count > 0;
    default:
      return true;
  }
}

Value FailUndefined(Heap& heap, const Value& undefined) {
  const Undefined& why = *undefined.undefined;
  switch (why.reason) {
    case Undefined::Reason::kName:
      return Fail(heap, "'{}' is undefined", why.name);
    case Undefined::Reason::kHint:
      return Fail(heap, "{}", why.name);
    case Undefined::Reason::kUnsafe:
      return Fail(heap, "access to attribute '{}' of '{}' object is unsafe.", why.name,
                  TypeName(why.object));
    case Undefined::Reason::kAttribute:
      break;
  }
  const std::string object = why.object.Is(Kind::kNone)
                                 ? std::string("None")
                                 : fmt::format("{} object", TypeName(why.object));
  if (why.key.Is(Kind::kString)) {
    return Fail(heap, "'{}' has no attribute '{}'", object, why.key.string->view());
  }
  return Fail(heap, "{} has no element {}", object, ShortRepr(heap, why.key));
}

Value MakeUndefined(Heap& heap, std::string_view hint) {
  return Value::Of(heap.New(Undefined{Undefined::Reason::kHint, hint, {}, {}}));
}

Value MakeUndefinedName(Heap& heap, std::string_view name) {
  return Value::Of(heap.New(Undefined{Undefined::Reason::kName, name, {}, {}}));
}

Value MakeUndefinedAttribute(Heap& heap, const Value& object, const Value& key) {
  return Value::Of(heap.New(Undefined{Undefined::Reason::kAttribute, {}, object, key}));
}

Value MakeUnsafe(Heap& heap, const Value& object, std::string_view attribute) {
  return Value::Of(heap.New(Undefined{Undefined::Reason::kUnsafe, attribute, object, {}}));
}

const List* MakeList(Heap& heap, std::span<const Value> items) {
  Value* copy = heap.NewArray<Value>(items.size());
  if (copy == nullptr) return nullptr;
  std::copy(items.begin(), items.end(), copy);
  return heap.New(List{copy, static_cast<uint32_t>(items.size())});
}

Value MakeTuple(Heap& heap, std::span<const Value> items) {
  return Value::Tuple(MakeList(heap, items));
}

}  // namespace tutti::text::jinja
