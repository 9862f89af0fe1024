// The `attribute` argument of filters: "function.name", "tags.0", or an index.
#pragma once
#include <vector>

#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

class AttributePath {
 public:
  // Nothing and None give an empty path, whose Get is the item itself. False after an error.
  bool Parse(Heap& heap, const Value& attribute);
  // Several paths where `split` and the attribute is "a,b"; otherwise one.
  static bool ParseAll(Heap& heap, const Value& attribute, bool split,
                       std::vector<AttributePath>& out);
  // What an undefined value becomes; nothing keeps it.
  void set_fallback(const Value& fallback) { fallback_ = fallback; }
  Value Get(Interpreter& interpreter, const Value& item) const;

 private:
  bool ParseText(Heap& heap, const String& text, uint32_t begin, uint32_t end);
  bool Keep(Heap& heap, std::span<const Value> parts);

  std::span<const Value> parts_;  // in the heap
  Value fallback_;
};

}  // namespace tutti::text::jinja
