#include "tutti/text/jinja_string.h"

#include <algorithm>
#include <cstring>

namespace tutti::text::jinja {

void Builder::Append(std::string_view text, bool from_template) {
  if (text.empty()) return;
  text_.append(text);
  const uint32_t end = bytes();
  if (!marks_.empty() && marks_.back().from_template == from_template) {
    marks_.back().end = end;
  } else {
    marks_.push_back({end, from_template});
  }
}

bool Builder::Add(std::string_view text, bool from_template) {
  if (!heap_.Charge(text.size()) || !heap_.Work(text.size())) return false;
  Append(text, from_template);
  return true;
}

bool Builder::Add(const String& string, uint32_t begin, uint32_t end) {
  if (begin >= end) return !heap_.failed();
  if (!heap_.Charge(end - begin) || !heap_.Work(end - begin)) return false;
  bool ok = true;
  uint32_t runs = 0;
  ForEachRun(string, begin, end, [&](uint32_t from, uint32_t to, bool from_template) {
    // Marks cost memory too; the first one is in the noise.
    if (++runs > 1) ok = ok && heap_.Charge(sizeof(Mark)) && heap_.Step();
    if (ok) Append(string.view().substr(from, to - from), from_template);
  });
  return ok;
}

bool Builder::AddChar(char32_t c, bool from_template) {
  std::string encoded;
  EncodeChar(c, encoded);
  return Add(encoded, from_template);
}

bool Builder::AddRepeated(const String& string, uint64_t times) {
  if (string.bytes == 0 || times == 0) return true;
  // Refused as a whole before the first copy: the product may be anything.
  if (times > heap_.budget().memory_bytes / string.bytes) {
    return heap_.Charge(heap_.budget().memory_bytes);
  }
  if (heap_.memory() + times * string.bytes > heap_.budget().memory_bytes) {
    return heap_.Charge(times * string.bytes);
  }
  text_.reserve(text_.size() + times * string.bytes);
  for (uint64_t i = 0; i < times; ++i) {
    if (!Add(string)) return false;
  }
  return true;
}

bool Builder::AddSpaces(uint64_t count) {
  String space;
  space.data = " ";
  space.bytes = space.chars = 1;
  return AddRepeated(space, count);
}

Value Builder::Finish(bool safe) {
  if (heap_.failed()) return Value();
  char* data = heap_.TakeCharged(text_.size());
  std::memcpy(data, text_.data(), text_.size());
  String string;
  string.data = data;
  string.bytes = bytes();
  string.chars = CountChars(text_);
  string.safe = safe;
  if (marks_.size() == 1) {
    string.from_template = marks_.front().from_template;
  } else if (marks_.empty()) {
    string.from_template = true;
  } else {
    Mark* marks = heap_.NewArray<Mark>(marks_.size());
    if (marks == nullptr) return Value();
    std::copy(marks_.begin(), marks_.end(), marks);
    string.marks = marks;
    string.marks_count = static_cast<uint32_t>(marks_.size());
  }
  return Value::Of(heap_.New(string));
}

Value MakeString(Heap& heap, std::string_view text, bool from_template, bool safe) {
  char* data = heap.NewArray<char>(text.size());
  if (data == nullptr || !heap.Work(text.size())) return Value();
  std::copy(text.begin(), text.end(), data);  // also for a text of no address
  String string;
  string.data = data;
  string.bytes = static_cast<uint32_t>(text.size());
  string.chars = CountChars(text);
  string.from_template = from_template;
  string.safe = safe;
  return Value::Of(heap.New(string));
}

Value Slice(Heap& heap, const String& string, uint32_t begin, uint32_t end) {
  if (end < begin) end = begin;
  if (begin == 0 && end == string.bytes) return Value::Of(&string);
  if (!heap.Work(string.ascii() ? 0 : end - begin)) return Value();
  String cut = string;
  cut.data += begin;
  cut.bytes = end - begin;
  cut.chars = string.ascii() ? cut.bytes : CountChars(cut.view());
  cut.marks_base += begin;
  if (cut.marks != nullptr) {
    // One run only: drop the marks.
    uint32_t first_end = begin;
    bool origin = true;
    ForEachRun(string, begin, end, [&](uint32_t from, uint32_t to, bool from_template) {
      if (from == begin) {
        first_end = to;
        origin = from_template;
      }
    });
    if (first_end == end) {
      cut.marks = nullptr;
      cut.marks_count = 0;
      cut.marks_base = 0;
      cut.from_template = origin;
    }
  }
  return Value::Of(heap.New(cut));
}

namespace {

bool AtItsEnd(const String& string) {
  const Growth* growth = string.growth;
  return growth != nullptr && string.data == growth->data && string.bytes == growth->used &&
         string.marks == growth->marks && string.marks_count == growth->marks_used;
}

// Adds bytes that the growth has room for.
bool Extend(Heap& heap, Growth& growth, const String& piece) {
  if (!heap.Work(piece.bytes)) return false;
  bool ok = true;
  ForEachRun(piece, 0, piece.bytes, [&](uint32_t begin, uint32_t end, bool from_template) {
    if (!ok) return;
    std::memcpy(growth.data + growth.used, piece.data + begin, end - begin);
    growth.used += end - begin;
    // Strings that share the last mark clamp it to their own length.
    Mark* last = growth.marks_used == 0 ? nullptr : &growth.marks[growth.marks_used - 1];
    if (last != nullptr && last->from_template == from_template) {
      last->end = growth.used;
      return;
    }
    if (growth.marks_used == growth.marks_capacity) {
      const uint32_t capacity = growth.marks_capacity * 2;
      Mark* marks = heap.NewArray<Mark>(capacity);
      ok = marks != nullptr && heap.Step(growth.marks_used);
      if (!ok) return;
      std::copy_n(growth.marks, growth.marks_used, marks);
      growth.marks = marks;
      growth.marks_capacity = capacity;
    }
    growth.marks[growth.marks_used++] = {growth.used, from_template};
  });
  return ok;
}

Growth* NewGrowth(Heap& heap, const String& string, uint64_t bytes) {
  const uint64_t capacity = 2 * bytes;
  char* data = heap.NewArray<char>(capacity);
  const uint32_t marks_capacity = std::max(8u, 2 * string.marks_count);
  Mark* marks = heap.NewArray<Mark>(marks_capacity);
  if (data == nullptr || marks == nullptr) return nullptr;
  Growth* growth =
      heap.New(Growth{data, 0, static_cast<uint32_t>(capacity), marks, 0, marks_capacity});
  return growth != nullptr && Extend(heap, *growth, string) ? growth : nullptr;
}

}  // namespace

Value Append(Heap& heap, const String& left, const String& right) {
  const uint64_t bytes = uint64_t{left.bytes} + right.bytes;
  if (left.bytes < kGrowsFrom) {
    Builder out(heap);
    return out.Add(left) && out.Add(right) ? out.Finish() : Value();
  }
  Growth* growth = left.growth;
  if (!AtItsEnd(left) || growth->capacity < bytes) growth = NewGrowth(heap, left, bytes);
  if (growth == nullptr || !Extend(heap, *growth, right)) return Value();
  String whole;
  whole.data = growth->data;
  whole.bytes = growth->used;
  whole.chars = left.chars + right.chars;
  whole.marks = growth->marks;
  whole.marks_count = growth->marks_used;
  whole.growth = growth;
  return Value::Of(heap.New(whole));
}

uint32_t CountChars(std::string_view text) {
  uint32_t chars = 0;
  for (const char c : text) chars += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return chars;
}

char32_t DecodeChar(std::string_view text, uint32_t& offset) {
  const auto byte = [&](uint32_t i) {
    return offset + i < text.size() ? static_cast<unsigned char>(text[offset + i]) : 0x80u;
  };
  const unsigned first = byte(0);
  char32_t c = first;
  uint32_t length = 1;
  if (first >= 0xF0) {
    c = (first & 7u) << 18 | (byte(1) & 63u) << 12 | (byte(2) & 63u) << 6 | (byte(3) & 63u);
    length = 4;
  } else if (first >= 0xE0) {
    c = (first & 15u) << 12 | (byte(1) & 63u) << 6 | (byte(2) & 63u);
    length = 3;
  } else if (first >= 0xC0) {
    c = (first & 31u) << 6 | (byte(1) & 63u);
    length = 2;
  }
  offset = std::min<uint32_t>(offset + length, static_cast<uint32_t>(text.size()));
  return c;
}

char32_t DecodeCharBefore(std::string_view text, uint32_t& offset) {
  --offset;
  while (offset > 0 && (static_cast<unsigned char>(text[offset]) & 0xC0) == 0x80) --offset;
  uint32_t forward = offset;
  return DecodeChar(text, forward);
}

void EncodeChar(char32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 63));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 63));
    out += static_cast<char>(0x80 | (c & 63));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 63));
    out += static_cast<char>(0x80 | ((c >> 6) & 63));
    out += static_cast<char>(0x80 | (c & 63));
  }
}

bool IsValidUtf8(std::string_view text) {
  size_t i = 0;
  const auto continues = [&](size_t at) {
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  };
  while (i < text.size()) {
    const auto first = static_cast<unsigned char>(text[i]);
    if (first < 0x80) {
      ++i;
      continue;
    }
    const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4) return false;
    for (size_t k = 1; k < length; ++k) {
      if (!continues(i + k)) return false;
    }
    const auto second = static_cast<unsigned char>(text[i + 1]);
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
        (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) {
      return false;
    }
    i += length;
  }
  return true;
}

uint32_t OffsetOfChar(Heap& heap, const String& string, uint32_t chars) {
  if (chars >= string.chars) return string.bytes;
  if (string.ascii()) return chars;
  if (!heap.Work(chars)) return 0;
  uint32_t offset = 0;
  for (; chars > 0; --chars) {
    ++offset;
    while (offset < string.bytes &&
           (static_cast<unsigned char>(string.data[offset]) & 0xC0) == 0x80)
      ++offset;
  }
  return offset;
}

bool OriginAt(const String& string, uint32_t offset) {
  bool origin = false;
  ForEachRun(string, offset, offset + 1,
             [&](uint32_t, uint32_t, bool from_template) { origin = from_template; });
  return origin;
}

std::optional<uint32_t> Find(Heap& heap, std::string_view text, std::string_view needle,
                             uint32_t begin, uint32_t end) {
  if (begin > end || end - begin < needle.size()) return std::nullopt;
  if (needle.empty()) return begin;
  // glibc's and musl's memmem are two-way searches: linear whatever the input.
  const void* found = ::memmem(text.data() + begin, end - begin, needle.data(), needle.size());
  const uint32_t looked_at =
      found == nullptr
          ? end - begin
          : static_cast<uint32_t>(static_cast<const char*>(found) - text.data()) - begin;
  if (!heap.Work(looked_at + needle.size()) || found == nullptr) return std::nullopt;
  return begin + looked_at;
}

std::optional<uint32_t> FindLast(Heap& heap, std::string_view text, std::string_view needle,
                                 uint32_t begin, uint32_t end) {
  if (begin > end || end - begin < needle.size()) return std::nullopt;
  if (needle.empty()) return end;
  if (!heap.Work(end - begin)) return std::nullopt;
  const std::string_view part = text.substr(begin, end - begin);
  const std::string reversed(part.rbegin(), part.rend());
  const std::string reversed_needle(needle.rbegin(), needle.rend());
  const auto found = Find(heap, reversed, reversed_needle, 0, end - begin);
  if (!found) return std::nullopt;
  return end - *found - static_cast<uint32_t>(needle.size());
}

}  // namespace tutti::text::jinja
