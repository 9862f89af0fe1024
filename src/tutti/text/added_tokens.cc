#include "tutti/text/added_tokens.h"

#include <algorithm>

#include "tutti/text/unicode.h"

namespace tutti::text {
namespace {

size_t PreviousRune(std::string_view text, size_t pos) {
  --pos;
  for (int i = 0; i < 3 && pos > 0 && (static_cast<unsigned char>(text[pos]) & 0xC0) == 0x80; ++i) {
    --pos;
  }
  return pos;
}

bool IsWordCharacter(const Rune& rune) {
  return rune.value == '_' ||
         (Properties(rune.value) & (property::kLetter | property::kMark | property::kNumber)) != 0;
}

bool StandsAlone(std::string_view text, size_t begin, size_t end) {
  if (begin > 0 && IsWordCharacter(DecodeRune(text, PreviousRune(text, begin)))) return false;
  return end >= text.size() || !IsWordCharacter(DecodeRune(text, end));
}

bool IsSpaceAt(std::string_view text, size_t pos) {
  return Properties(DecodeRune(text, pos).value) & property::kSpace;
}

}  // namespace

void AddedTokens::Add(std::string_view text, bool control, const AddedTokenRule& rule) {
  uint32_t* node = &first_[static_cast<unsigned char>(text[0])];
  for (size_t i = 0;;) {
    if (*node == kNoNode) {
      *node = static_cast<uint32_t>(token_at_.size());
      token_at_.push_back(0);
    }
    if (++i == text.size()) break;
    node = &children_[uint64_t{*node} << 8 | static_cast<unsigned char>(text[i])];
  }
  if (token_at_[*node] != 0) return;
  tokens_.push_back({rule, control});
  token_at_[*node] = static_cast<uint32_t>(tokens_.size());
}

const AddedTokens::Token* AddedTokens::LongestAt(std::string_view text, const ControlMask& mask,
                                                 size_t pos, size_t* end) const {
  const Token* longest = nullptr;
  uint32_t node = first_[static_cast<unsigned char>(text[pos])];
  for (size_t i = pos + 1; node != kNoNode; ++i) {
    if (token_at_[node] != 0) {
      const Token& token = tokens_[token_at_[node] - 1];
      if ((!token.control || mask.Allows(pos, i)) &&
          (!token.rule.single_word || StandsAlone(text, pos, i))) {
        longest = &token;
        *end = i;
      }
    }
    if (i == text.size()) break;
    node = Child(node, static_cast<unsigned char>(text[i]));
  }
  return longest;
}

std::vector<AddedTokens::Match> AddedTokens::Find(std::string_view text,
                                                  const ControlMask& mask) const {
  std::vector<Match> matches;
  if (empty()) return matches;
  size_t done = 0;  // end of the last match
  for (size_t pos = 0; pos < text.size();) {
    size_t end = pos;
    const Token* token = LongestAt(text, mask, pos, &end);
    if (token == nullptr) {
      ++pos;
      continue;
    }
    size_t begin = pos;
    if (token->rule.strip_left) {
      while (begin > done && IsSpaceAt(text, std::max(done, PreviousRune(text, begin)))) {
        begin = std::max(done, PreviousRune(text, begin));
      }
    }
    if (token->rule.strip_right) {
      while (end < text.size() && IsSpaceAt(text, end)) end += DecodeRune(text, end).size;
    }
    matches.push_back({begin, end, token->rule.id});
    pos = done = end;
  }
  return matches;
}

}  // namespace tutti::text
