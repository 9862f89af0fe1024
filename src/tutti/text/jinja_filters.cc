#include "tutti/text/jinja_filters.h"

#include <array>

#include "tutti/text/jinja_arguments.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_methods.h"
#include "tutti/text/jinja_operators.h"
#include "tutti/text/jinja_print.h"

namespace tutti::text::jinja {
namespace {

Value Default(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 2> given;
  if (!BindArguments(heap, "default", arguments, {"default_value", "boolean"}, 0, given)) {
    return Value();
  }
  if (!self.Is(Kind::kUndefined) && !(Truth(given[1]) && !Truth(self))) return self;
  return given[0].nothing() ? MakeString(heap, "", true) : given[0];
}

Value Attr(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  std::array<Value, 1> given;
  if (!BindArguments(heap, "attr", arguments, {"name"}, 1, given)) return Value();
  const String* name = AsString(heap, given[0], "attr(): attribute name");
  if (name == nullptr) return Value();
  bool found = false;
  const Value value = OwnAttribute(interpreter, self, name->view(), found);
  if (found || heap.failed()) return value;
  if (self.Is(Kind::kUndefined)) return FailUndefined(heap, self);
  return MakeUndefinedAttribute(heap, self, given[0]);
}

constexpr NamedNative kFilters[] = {
    {"default", Default},
    {"d", Default},
    {"attr", Attr},
};

}  // namespace

Native FindFilter(std::string_view name) {
  for (const NamedNative& row : kFilters) {
    if (row.name == name) return row.native;
  }
  for (const auto find : {FindTextFilter, FindSequenceFilter, FindSelectFilter, FindNumberFilter}) {
    if (const Native native = find(name)) return native;
  }
  return nullptr;
}

}  // namespace tutti::text::jinja
