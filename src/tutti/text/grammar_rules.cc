#include "tutti/text/grammar_rules.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tutti/base/check.h"
#include "tutti/base/checked_math.h"

namespace tutti::text {
namespace {

constexpr int64_t kSizeMax = INT64_MAX / 4;
constexpr size_t kExpressionsMax = 4'000'000;
constexpr uint32_t kSurrogateFirst = 0xD800;
constexpr uint32_t kSurrogateLast = 0xDFFF;

int64_t SaturatedAdd(int64_t a, int64_t b) {
  return std::min(CheckedAdd(a, b).value_or(kSizeMax), kSizeMax);
}
int64_t SaturatedMul(int64_t a, int64_t b) {
  return std::min(CheckedMul(a, b).value_or(kSizeMax), kSizeMax);
}

struct Utf8 {
  std::array<uint8_t, 4> bytes = {};
  int count = 0;
};

Utf8 Encode(uint32_t c) {
  const auto tail = [&](int shift) { return static_cast<uint8_t>(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) return {{static_cast<uint8_t>(c)}, 1};
  if (c < 0x800) return {{static_cast<uint8_t>(0xC0 | (c >> 6)), tail(0)}, 2};
  if (c < 0x10000) return {{static_cast<uint8_t>(0xE0 | (c >> 12)), tail(6), tail(0)}, 3};
  return {{static_cast<uint8_t>(0xF0 | (c >> 18)), tail(12), tail(6), tail(0)}, 4};
}

// Cuts a range into such that all characters of a piece have as many bytes, and each byte takes all
// values between those of the first and the last character.
void SplitRange(CodePoints range, std::vector<CodePoints>& pieces) {
  std::vector<CodePoints> open = {range};
  const auto split = [&](CodePoints r, uint32_t last) {
    open.push_back({last + 1, r.last});
    open.push_back({r.first, last});
  };
  while (!open.empty()) {
    const CodePoints r = open.back();
    open.pop_back();
    bool is_split = false;
    for (const uint32_t last : {0x7Fu, 0x7FFu, 0xFFFFu}) {
      if (is_split || r.first > last || r.last <= last) continue;
      split(r, last);
      is_split = true;
    }
    for (const int shift : {6, 12, 18}) {
      const uint32_t low = (1u << shift) - 1;
      if (is_split || r.last < 0x80 || (r.first >> shift) == (r.last >> shift)) continue;
      if ((r.first & low) != 0) {
        split(r, r.first | low);
        is_split = true;
      } else if ((r.last & low) != low) {
        split(r, (r.last & ~low) - 1);
        is_split = true;
      }
    }
    if (!is_split) pieces.push_back(r);
  }
}

}  // namespace

std::vector<CodePoints> Normalized(std::vector<CodePoints> ranges, bool negated) {
  std::sort(ranges.begin(), ranges.end(),
            [](const CodePoints& a, const CodePoints& b) { return a.first < b.first; });
  std::vector<CodePoints> merged;
  for (const CodePoints& r : ranges) {
    if (r.first > r.last) continue;
    if (!merged.empty() && r.first <= merged.back().last + 1) {
      merged.back().last = std::max(merged.back().last, r.last);
    } else {
      merged.push_back(r);
    }
  }
  if (negated) {
    std::vector<CodePoints> others;
    uint32_t next = 0;
    for (const CodePoints& r : merged) {
      if (r.first > next) others.push_back({next, r.first - 1});
      next = r.last + 1;
    }
    if (next <= kLastCodePoint) others.push_back({next, kLastCodePoint});
    merged = std::move(others);
  }
  constexpr CodePoints kScalars[] = {{0, kSurrogateFirst - 1},
                                     {kSurrogateLast + 1, kLastCodePoint}};
  return Intersection(merged, kScalars);
}

std::vector<CodePoints> Intersection(std::span<const CodePoints> a, std::span<const CodePoints> b) {
  std::vector<CodePoints> both;
  size_t i = 0;
  size_t j = 0;
  while (i < a.size() && j < b.size()) {
    const uint32_t first = std::max(a[i].first, b[j].first);
    const uint32_t last = std::min(a[i].last, b[j].last);
    if (first <= last) both.push_back({first, last});
    if (a[i].last < b[j].last) {
      ++i;
    } else {
      ++j;
    }
  }
  return both;
}

void GrammarRules::Fail(Status status) {
  if (status_.ok()) status_ = std::move(status);
}

GrammarRules::Expr GrammarRules::Add(Node node) {
  if (node.depth > kDepthMax) {
    Fail(UsageError("the grammar is nested more than {} levels deep: flatten it", kDepthMax));
  }
  if (nodes_.size() >= kExpressionsMax) {
    Fail(UsageError("the grammar has more than {} parts: make it smaller", kExpressionsMax));
  }
  if (!status_.ok()) node = {};
  nodes_.push_back(std::move(node));
  if (!status_.ok() && nodes_.size() > 1) nodes_.pop_back();
  return static_cast<Expr>(nodes_.size()) - 1;
}

GrammarRules::Expr GrammarRules::Nothing() { return Add({.op = Op::kNothing}); }

GrammarRules::Expr GrammarRules::Literal(std::string_view bytes) {
  return Add({.op = Op::kLiteral,
              .size = static_cast<int64_t>(bytes.size()) + 1,
              .literal = std::string(bytes)});
}

GrammarRules::Expr GrammarRules::Bytes(const ByteSet& set) {
  if (set.none()) return Nothing();
  sets_.push_back(set);
  return Add({.op = Op::kBytes, .max = static_cast<int64_t>(sets_.size()) - 1});
}

GrammarRules::Expr GrammarRules::Characters(std::span<const CodePoints> normalized) {
  std::vector<CodePoints> pieces;
  for (const CodePoints& range : normalized) SplitRange(range, pieces);
  ByteSet ascii;
  std::vector<Expr> parts;
  for (const CodePoints& piece : pieces) {
    const Utf8 first = Encode(piece.first);
    const Utf8 last = Encode(piece.last);
    if (first.count == 1) {
      for (size_t byte = first.bytes[0]; byte <= last.bytes[0]; ++byte) ascii.set(byte);
      continue;
    }
    std::vector<Expr> bytes;
    for (size_t i = 0; i < static_cast<size_t>(first.count); ++i) {
      ByteSet set;
      for (size_t byte = first.bytes[i]; byte <= last.bytes[i]; ++byte) set.set(byte);
      bytes.push_back(Bytes(set));
    }
    parts.push_back(Sequence(std::move(bytes)));
  }
  if (ascii.any()) parts.push_back(Bytes(ascii));
  return Choice(std::move(parts));
}

GrammarRules::Expr GrammarRules::Sequence(std::vector<Expr> parts) {
  if (parts.empty()) return Empty();
  if (parts.size() == 1) return parts.front();
  Node node{.op = Op::kSequence};
  for (const Expr part : parts) {
    const Node& inner = nodes_[static_cast<size_t>(part)];
    node.size = SaturatedAdd(node.size, SaturatedAdd(inner.size, 1));
    node.depth = std::max(node.depth, inner.depth + 1);
  }
  node.parts = std::move(parts);
  return Add(std::move(node));
}

GrammarRules::Expr GrammarRules::Choice(std::vector<Expr> parts) {
  if (parts.empty()) return Nothing();
  if (parts.size() == 1) return parts.front();
  Node node{.op = Op::kChoice};
  for (const Expr part : parts) {
    const Node& inner = nodes_[static_cast<size_t>(part)];
    node.size = SaturatedAdd(node.size, inner.size);
    node.depth = std::max(node.depth, inner.depth + 1);
  }
  node.parts = std::move(parts);
  return Add(std::move(node));
}

GrammarRules::Expr GrammarRules::Repeat(Expr part, int64_t min, int64_t max) {
  TUTTI_CHECK(min >= 0 && (max == -1 || max >= min), "a repetition's bounds");
  if (max == 0) return Empty();
  if (min == 1 && max == 1) return part;
  const Node& inner = nodes_[static_cast<size_t>(part)];
  const int64_t copies = max == -1 ? SaturatedAdd(min, 1) : max;
  return Add({.op = Op::kRepeat,
              .depth = inner.depth + 1,
              .size = SaturatedMul(SaturatedAdd(inner.size, 1), copies),
              .min = min,
              .max = max,

              .parts = {part}});
}

GrammarRules::Rule GrammarRules::NewRule(std::string name) {
  bodies_.push_back(-1);
  names_.push_back(std::move(name));
  return static_cast<Rule>(bodies_.size()) - 1;
}

void GrammarRules::Define(Rule rule, Expr body) {
  bodies_[static_cast<size_t>(rule)] = body;
  total_size_ = SaturatedAdd(total_size_, nodes_[static_cast<size_t>(body)].size + 2);
  if (total_size_ > kNodesMax) {
    Fail(UsageError(
        "the grammar needs more than {} nodes when its repetitions are written out: use smaller "
        "counts, lengths or fewer alternatives",
        kNodesMax));
  }
}

GrammarRules::Expr GrammarRules::Call(Rule rule) { return Add({.op = Op::kCall, .max = rule}); }

}  // namespace tutti::text
