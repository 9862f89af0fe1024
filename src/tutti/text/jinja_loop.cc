#include "tutti/text/jinja_loop.h"

#include "tutti/text/jinja_arguments.h"
#include "tutti/text/jinja_interpreter.h"
#include "tutti/text/jinja_iterate.h"

namespace tutti::text::jinja {
namespace {

Value NextSource(Loop& loop) {
  if (loop.source == nullptr) return NextOf(loop.interpreter->heap(), *loop.iterator);
  return loop.next < loop.source->count ? loop.source->items[loop.next++] : Value();
}

// The next item the filter takes; nothing at the end or after an error.
Value Fetch(Loop& loop) {
  Interpreter& interpreter = *loop.interpreter;
  for (Value item = NextSource(loop); !item.nothing(); item = NextSource(loop)) {
    if (interpreter.LoopTakes(loop, item)) return item;
    if (interpreter.heap().failed()) break;
  }
  return Value();
}

const Value& Peek(Loop& loop) {
  if (loop.after.nothing()) loop.after = Fetch(loop);
  return loop.after;
}

Value Cycle(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  if (arguments.positional.empty()) return Fail(interpreter.heap(), "no items for cycling given");
  return arguments.positional[static_cast<size_t>(self.loop->index0) % arguments.positional.size()];
}

Value Changed(Interpreter& interpreter, const Value& self, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  const Value now = MakeTuple(heap, arguments.positional);
  if (now.nothing()) return Value();
  Loop& loop = *self.loop;
  if (!loop.last_changed.nothing()) {
    const auto equal = Equal(heap, loop.last_changed, now);
    if (!equal) return Value();
    if (*equal) return Value::Bool(false);
  }
  loop.last_changed = now;
  return Value::Bool(true);
}

}  // namespace

bool LoopAdvance(Loop& loop) {
  Value item = loop.after;
  loop.after = Value();
  if (item.nothing()) item = Fetch(loop);
  if (item.nothing() || loop.interpreter->heap().failed()) return false;
  ++loop.index0;
  loop.before = loop.current;
  loop.current = item;
  return true;
}

Value LoopLength(Loop& loop) {
  if (loop.length >= 0) return Value::Int(loop.length);
  // Filter what is left now and walk over the result later.
  std::vector<Value> rest;
  for (Value item = Fetch(loop); !item.nothing(); item = Fetch(loop)) rest.push_back(item);
  Heap& heap = loop.interpreter->heap();
  const List* list = heap.failed() ? nullptr : MakeList(heap, rest);
  if (list == nullptr) return Value();
  loop.length = loop.index0 + 1 + (loop.after.nothing() ? 0 : 1) + list->count;
  loop.source = list;
  loop.next = 0;
  loop.prefiltered = true;
  return Value::Int(loop.length);
}

Value LoopAttribute(Heap& heap, const Value& self, std::string_view name, bool& found) {
  Loop& loop = *self.loop;
  found = true;
  if (name == "index") return Value::Int(loop.index0 + 1);
  if (name == "index0") return Value::Int(loop.index0);
  if (name == "first") return Value::Bool(loop.index0 == 0);
  if (name == "depth") return Value::Int(loop.depth0 + 1);
  if (name == "depth0") return Value::Int(loop.depth0);
  if (name == "cycle") return MakeMethod(heap, "cycle", Cycle, self);
  if (name == "changed") return MakeMethod(heap, "changed", Changed, self);
  if (name == "last") {
    const bool last = Peek(loop).nothing();
    return heap.failed() ? Value() : Value::Bool(last);
  }
  if (name == "previtem") {
    return loop.index0 == 0 ? MakeUndefined(heap, "there is no previous item") : loop.before;
  }
  if (name == "nextitem") {
    const Value& next = Peek(loop);
    if (heap.failed()) return Value();
    return next.nothing() ? MakeUndefined(heap, "there is no next item") : next;
  }
  if (name == "length" || name == "revindex" || name == "revindex0") {
    const Value length = LoopLength(loop);
    if (length.nothing() || name == "length") return length;
    return Value::Int(length.integer - loop.index0 - (name == "revindex0" ? 1 : 0));
  }
  found = false;
  return Value();
}

}  // namespace tutti::text::jinja
