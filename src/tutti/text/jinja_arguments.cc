#include "tutti/text/jinja_arguments.h"

#include <algorithm>
#include <limits>

#include "tutti/text/jinja_number.h"

namespace tutti::text::jinja {

bool BindArguments(Heap& heap, std::string_view function, const Arguments& arguments,
                   std::initializer_list<std::string_view> names, size_t required,
                   std::span<Value> out) {
  const size_t given = arguments.positional.size();
  if (given > names.size()) {
    Fail(heap, "{}() takes at most {} arguments ({} given)", function, names.size(), given);
    return false;
  }
  std::copy(arguments.positional.begin(), arguments.positional.end(), out.begin());
  for (const Keyword& keyword : arguments.named) {
    const auto* found = std::find(names.begin(), names.end(), keyword.name);
    if (found == names.end()) {
      Fail(heap, "{}() got an unexpected keyword argument '{}'", function, keyword.name);
      return false;
    }
    Value& place = out[static_cast<size_t>(found - names.begin())];
    if (!place.nothing()) {
      Fail(heap, "{}() got multiple values for argument '{}'", function, keyword.name);
      return false;
    }
    place = keyword.value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (out[i].nothing()) {
      Fail(heap, "{}() missing 1 required argument: '{}'", function, names.begin()[i]);
      return false;
    }
  }
  return true;
}

bool BindPositional(Heap& heap, std::string_view function, const Arguments& arguments,
                    size_t required, std::span<Value> out) {
  if (!arguments.named.empty()) {
    Fail(heap, "{}() takes no keyword arguments", function);
    return false;
  }
  const size_t given = arguments.positional.size();
  if (given < required || given > out.size()) {
    Fail(heap, "{}() takes {} {} arguments ({} given)", function,
         given < required ? "at least" : "at most", given < required ? required : out.size(),
         given);
    return false;
  }
  std::copy(arguments.positional.begin(), arguments.positional.end(), out.begin());
  return true;
}

bool AsIndex(Heap& heap, const Value& value, int64_t fallback, int64_t& out) {
  out = fallback;
  if (value.nothing()) return true;
  if (const auto small = SmallInt(value)) {
    out = *small;
    return true;
  }
  if (value.Is(Kind::kBigInt)) {
    out = value.big->negative ? std::numeric_limits<int64_t>::min()
                              : std::numeric_limits<int64_t>::max();
    return true;
  }
  if (value.Is(Kind::kUndefined)) {
    FailUndefined(heap, value);
  } else {
    Fail(heap, "'{}' object cannot be interpreted as an integer", TypeName(value));
  }
  return false;
}

const String* AsString(Heap& heap, const Value& value, std::string_view what) {
  if (value.Is(Kind::kString)) return value.string;
  if (value.Is(Kind::kUndefined)) {
    FailUndefined(heap, value);
  } else {
    Fail(heap, "{} must be str, not {}", what, TypeName(value));
  }
  return nullptr;
}

Value MakeMethod(Heap& heap, std::string_view name, Native native, const Value& self) {
  return Value::Of(heap.New(Function{name, native, self}));
}

}  // namespace tutti::text::jinja
