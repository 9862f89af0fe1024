// A vocabulary as grammars see it: the bytes of its tokens, sorted into a tree that is walked front
// to back.
//
// Most tokens are plain: whole characters that may stand in a JSON string as they are. Where a
// grammar takes any plain text, all plain tokens up to a length are allowed at once and only the
// rest is walked; there is a tree of the rest for each of a few lengths.
//
// Control tokens, tokens without bytes and those that end an answer are in no tree.
//
// Ownership: owns copies of the bytes. Immutable; any thread.
// Errors: kUsage where the model has fewer tokens than the tokenizer, or ends that it has not.
#pragma once
#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/ids.h"
#include "tutti/base/status.h"
#include "tutti/text/tokenizer.h"

namespace tutti::text {

class GrammarVocabulary {
 public:
  // `vocab_size` is the model's; `ends` are the tokens that end an answer.
  static Result<std::shared_ptr<const GrammarVocabulary>> Create(const Tokenizer& tokenizer,
                                                                 int32_t vocab_size, TokenIds ends);

  // In the order of a depth-first walk.
  struct TreeNode {
    uint32_t next = 0;   // the node that follows this one and all below it
    TokenId token = -1;  // that ends here; others with the same bytes follow by Twin
    uint16_t depth = 0;  // of the root's children: 0
    uint8_t byte = 0;
  };
  using Tree = std::vector<TreeNode>;
  // Lengths of plain tokens, in characters.
  static constexpr std::array<int32_t, 3> kPlainLengths = {8, 24, INT32_MAX};

  struct Rest {
    std::vector<uint32_t> plain;  // mask of the plain tokens up to that length
    Tree tree;                    // of all others
  };
  const Tree& tree() const { return tree_; }
  const Rest& rest(size_t length) const { return rests_[length]; }  // index of kPlainLengths
  // Characters of the longest plain token.
  int32_t plain_length() const { return plain_length_; }
  int32_t depth() const { return depth_; }  // bytes of the longest token

  TokenId Twin(TokenId id) const { return twins_[static_cast<size_t>(id)]; }  // -1: no more
  std::string_view Bytes(TokenId id) const {
    return std::string_view(bytes_).substr(
        offsets_[static_cast<size_t>(id)],
        offsets_[static_cast<size_t>(id) + 1] - offsets_[static_cast<size_t>(id)]);
  }
  // Bytes that are tokens of their own, and which.
  const std::bitset<256>& single_bytes() const { return single_bytes_; }
  TokenId single_byte(uint8_t byte) const { return singles_[byte]; }

  bool IsEnd(TokenId id) const;
  const TokenIds& ends() const { return ends_; }
  size_t mask_words() const { return (static_cast<size_t>(vocab_size_) + 31) / 32; }
  int32_t vocab_size() const { return vocab_size_; }

 private:
  Tree MakeTree(std::span<const TokenId> sorted);

  int32_t vocab_size_ = 0;
  TokenIds ends_;  // sorted
  std::string bytes_;
  std::vector<uint32_t> offsets_;  // [vocab + 1]
  std::vector<TokenId> twins_;     // [vocab]
  std::bitset<256> single_bytes_;
  std::array<TokenId, 256> singles_ = {};
  Tree tree_;
  std::array<Rest, kPlainLengths.size()> rests_;
  int32_t plain_length_ = 0;
  int32_t depth_ = 0;
};

// Whether a character may stand in a JSON string as it is.
constexpr bool IsPlainByte(uint8_t byte) { return byte >= 0x20 && byte != '"' && byte != '\\'; }

}  // namespace tutti::text
