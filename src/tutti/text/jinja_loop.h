// The state of one running for loop: its items and what the template sees as `loop`.
#pragma once
#include "tutti/text/jinja_ast.h"
#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

struct Scope;

struct Loop {
  Interpreter* interpreter;
  const ForStatement* statement;
  Scope* outer;        // the scope around the loop
  const List* source;  // nullptr where the items come from `iterator`
  Iterator* iterator;
  uint32_t next = 0;  // first item of `source` that was not looked at
  int64_t index0 = -1;
  int64_t depth0 = 0;        // of recursive loops
  int64_t length = -1;       // unknown while a filter has not seen all items
  bool prefiltered = false;  // `source` holds only items the filter took
  Value before;
  Value current;
  Value after;         // an item that was fetched early, to know whether there is one
  Value last_changed;  // what loop.changed() saw
};

// Moves to the next item; false at the end or after an error.
bool LoopAdvance(Loop& loop);
// loop.length; looks through all items where the loop has a filter.
Value LoopLength(Loop& loop);
// loop.index, loop.cycle, ...; `found` is false for other names.
Value LoopAttribute(Heap& heap, const Value& loop, std::string_view name, bool& found);

}  // namespace tutti::text::jinja
