// Finds control and user-defined tokens in text: at each position the longest one that is allowed
// there, from left to right.
//
// Time: the text's length times the length of the longest added token at worst; in practice one
// table look-up a byte. Immutable; any thread may search.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tutti/spec/vocab_spec.h"

namespace tutti::text {

// Where control tokens may be found: everywhere, nowhere, or byte by byte.
struct ControlMask {
  bool all = false;
  std::string bytes;  // empty, or one for each byte of the text: '\1' where allowed

  bool Allows(size_t begin, size_t end) const {
    if (bytes.empty()) return all;
    return std::string_view(bytes).substr(begin, end - begin).find('\0') == std::string_view::npos;
  }
  ControlMask Part(size_t begin, size_t size) const {
    return {all, bytes.empty() ? std::string() : bytes.substr(begin, size)};
  }
};

class AddedTokens {
 public:
  struct Match {
    size_t begin;
    size_t end;
    TokenId id;
  };

  // `text` must not be empty; where it is there already, the first stays.
  void Add(std::string_view text, bool control, const AddedTokenRule& rule);
  bool empty() const { return tokens_.empty(); }

  // In ascending order, without overlaps.
  std::vector<Match> Find(std::string_view text, const ControlMask& mask) const;

 private:
  struct Token {
    AddedTokenRule rule;
    bool control;
  };
  // A node of the trie is a number; its children are in `children_` under node * 256 + byte.
  static constexpr uint32_t kNoNode = 0;

  uint32_t Child(uint32_t node, unsigned char byte) const {
    const auto it = children_.find(uint64_t{node} << 8 | byte);
    return it == children_.end() ? kNoNode : it->second;
  }
  // The longest allowed token at `pos`, its end in `end`; null where there is none.
  const Token* LongestAt(std::string_view text, const ControlMask& mask, size_t pos,
                         size_t* end) const;

  std::array<uint32_t, 256> first_{};  // nodes below the root
  std::unordered_map<uint64_t, uint32_t> children_;
  std::vector<uint32_t> token_at_{0};  // [node] 1 + index in tokens_, 0: none
  std::vector<Token> tokens_;
};

}  // namespace tutti::text
