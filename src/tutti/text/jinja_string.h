// Building, cutting and searching strings while keeping track of where each byte came from.
//
// All text is valid UTF-8: sources and variables are checked when they enter. Offsets are bytes
// unless a name says chars.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

// Collects text and origins. Charges the heap before it grows.
class Builder {
 public:
  explicit Builder(Heap& heap) : heap_(heap) {}

  // The following return false once a budget is spent.
  bool Add(std::string_view text, bool from_template);
  bool Add(const String& string) { return Add(string, 0, string.bytes); }
  bool Add(const String& string, uint32_t begin, uint32_t end);
  bool AddChar(char32_t c, bool from_template);
  bool AddRepeated(const String& string, uint64_t times);
  bool AddSpaces(uint64_t count);  // counted as the user's

  uint32_t bytes() const { return static_cast<uint32_t>(text_.size()); }
  std::string_view view() const { return text_; }
  const std::vector<Mark>& marks() const { return marks_; }
  Heap& heap() { return heap_; }
  Value Finish(bool safe = false);

 private:
  void Append(std::string_view text, bool from_template);

  Heap& heap_;
  std::string text_;
  std::vector<Mark> marks_;  // the last one ends at text_.size()
};

// A copy of `text`, all of one origin.
Value MakeString(Heap& heap, std::string_view text, bool from_template, bool safe = false);
// text[begin, end) of a string, sharing its bytes.
Value Slice(Heap& heap, const String& string, uint32_t begin, uint32_t end);

// Texts of this length are grown in place; shorter ones are simply copied.
inline constexpr uint32_t kGrowsFrom = 256;

// left + right, plain text. Appending to the same text again and again costs memory and time in
// proportion to its final length.
Value Append(Heap& heap, const String& left, const String& right);

uint32_t CountChars(std::string_view text);
// The code point at `offset`, which is moved behind it.
char32_t DecodeChar(std::string_view text, uint32_t& offset);
// The code point that ends at `offset`, which is moved to its start.
char32_t DecodeCharBefore(std::string_view text, uint32_t& offset);
void EncodeChar(char32_t c, std::string& out);
bool IsValidUtf8(std::string_view text);

// Byte offset of a character (clamped to the end). Charges the scan.
uint32_t OffsetOfChar(Heap& heap, const String& string, uint32_t chars);
bool OriginAt(const String& string, uint32_t offset);

// First or last occurrence of `needle` in text[begin, end), in linear time, charged.
std::optional<uint32_t> Find(Heap& heap, std::string_view text, std::string_view needle,
                             uint32_t begin, uint32_t end);
std::optional<uint32_t> FindLast(Heap& heap, std::string_view text, std::string_view needle,
                                 uint32_t begin, uint32_t end);

// Calls visit(begin, end, from_template) for the runs of one origin in [begin, end), in order.
template <typename Visit>
void ForEachRun(const String& string, uint32_t begin, uint32_t end, Visit visit) {
  if (begin >= end) return;
  if (string.marks == nullptr) {
    visit(begin, end, string.from_template);
    return;
  }
  // First mark that ends behind `begin`.
  uint32_t low = 0;
  uint32_t high = string.marks_count;
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    if (string.marks[middle].end > string.marks_base + begin) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  for (; begin < end && low < string.marks_count; ++low) {
    const uint32_t run_end = string.marks[low].end - string.marks_base;
    const uint32_t stop = run_end < end ? run_end : end;
    visit(begin, stop, string.marks[low].from_template);
    begin = stop;
  }
}

}  // namespace tutti::text::jinja
