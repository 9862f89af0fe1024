#include "tutti/text/grammar_vocabulary.h"

#include <algorithm>
#include <utility>

#include "tutti/base/utf8.h"

namespace tutti::text {
namespace {

constexpr size_t kTokenBytesMax = UINT16_MAX;

// Characters of a plain token, -1 where it is not plain.
int32_t PlainLength(std::string_view bytes) {
  int32_t characters = 0;
  while (!bytes.empty()) {
    const size_t length = Utf8Length(bytes);
    if (length == 0 || !IsPlainByte(static_cast<uint8_t>(bytes.front()))) return -1;
    bytes.remove_prefix(length);
    ++characters;
  }
  return characters;
}

}  // namespace

bool GrammarVocabulary::IsEnd(TokenId id) const {
  return std::binary_search(ends_.begin(), ends_.end(), id);
}

GrammarVocabulary::Tree GrammarVocabulary::MakeTree(std::span<const TokenId> sorted) {
  Tree tree;
  std::vector<uint32_t> path;  // nodes of the token before
  std::string_view before;
  for (const TokenId id : sorted) {
    const std::string_view bytes = Bytes(id);
    if (bytes == before && !path.empty()) {
      // Only the first tree is made with twins; their order is that of the ids.
      TokenId last = tree[path.back()].token;
      while (last != id && Twin(last) >= 0) last = Twin(last);
      if (last != id) twins_[static_cast<size_t>(last)] = id;
      continue;
    }
    size_t common = 0;
    while (common < before.size() && common < bytes.size() && before[common] == bytes[common]) {
      ++common;
    }
    for (; path.size() > common; path.pop_back()) {
      tree[path.back()].next = static_cast<uint32_t>(tree.size());
    }
    for (size_t i = common; i < bytes.size(); ++i) {
      path.push_back(static_cast<uint32_t>(tree.size()));
      tree.push_back({.depth = static_cast<uint16_t>(i), .byte = static_cast<uint8_t>(bytes[i])});
    }
    tree[path.back()].token = id;
    before = bytes;
  }
  for (; !path.empty(); path.pop_back())
    tree[path.back()].next = static_cast<uint32_t>(tree.size());
  return tree;
}

Result<std::shared_ptr<const GrammarVocabulary>> GrammarVocabulary::Create(
    const Tokenizer& tokenizer, int32_t vocab_size, TokenIds ends) {
  const VocabSpec& spec = tokenizer.spec();
  if (vocab_size <= 0 || spec.tokens.size() > static_cast<size_t>(vocab_size)) {
    return UsageError("the tokenizer has {} tokens, the model {}", spec.tokens.size(), vocab_size);
  }
  for (const TokenId id : ends) {
    if (id < 0 || id >= vocab_size) {
      return UsageError("token {} should end answers, the model has {}", id, vocab_size);
    }
  }
  auto vocabulary = std::make_shared<GrammarVocabulary>();
  GrammarVocabulary& v = *vocabulary;
  v.vocab_size_ = vocab_size;
  std::sort(ends.begin(), ends.end());
  ends.erase(std::unique(ends.begin(), ends.end()), ends.end());
  v.ends_ = std::move(ends);
  v.twins_.assign(static_cast<size_t>(vocab_size), -1);
  v.singles_.fill(-1);
  std::vector<TokenId> sorted;
  std::vector<int32_t> plain(static_cast<size_t>(vocab_size), -1);
  for (TokenId id = 0; id < vocab_size; ++id) {
    const auto index = static_cast<size_t>(id);
    v.offsets_.push_back(static_cast<uint32_t>(v.bytes_.size()));
    if (index >= spec.tokens.size() || v.IsEnd(id)) continue;
    const TokenKind kind = index < spec.kinds.size() ? spec.kinds[index] : TokenKind::kNormal;
    if (kind == TokenKind::kControl || kind == TokenKind::kUnknown || kind == TokenKind::kUnused) {
      continue;
    }
    const std::string& bytes = tokenizer.TokenBytes(id);
    if (bytes.empty() || bytes.size() > kTokenBytesMax) continue;
    v.bytes_ += bytes;
    sorted.push_back(id);
    plain[index] = PlainLength(bytes);
    v.plain_length_ = std::max(v.plain_length_, plain[index]);
    v.depth_ = std::max(v.depth_, static_cast<int32_t>(bytes.size()));
    if (bytes.size() > 1) continue;
    const auto byte = static_cast<uint8_t>(bytes.front());
    v.single_bytes_.set(byte);
    if (v.singles_[byte] < 0) v.singles_[byte] = id;
  }
  v.offsets_.push_back(static_cast<uint32_t>(v.bytes_.size()));
  std::sort(sorted.begin(), sorted.end(), [&](TokenId a, TokenId b) {
    const int order = v.Bytes(a).compare(v.Bytes(b));
    return order != 0 ? order < 0 : a < b;
  });
  v.tree_ = v.MakeTree(sorted);
  for (size_t i = 0; i < kPlainLengths.size(); ++i) {
    Rest& rest = v.rests_[i];
    rest.plain.assign(v.mask_words(), 0);
    std::vector<TokenId> others;
    for (const TokenId id : sorted) {
      const int32_t length = plain[static_cast<size_t>(id)];
      if (length < 0 || length > kPlainLengths[i]) {
        others.push_back(id);
      } else {
        rest.plain[static_cast<size_t>(id) / 32] |= uint32_t{1} << (id % 32);
      }
    }
    rest.tree = v.MakeTree(others);
  }
  return std::shared_ptr<const GrammarVocabulary>(std::move(vocabulary));
}

}  // namespace tutti::text
