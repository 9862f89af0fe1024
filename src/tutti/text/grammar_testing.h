// A vocabulary for tests of grammars, texts tried byte by byte, and masks computed the slow way.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tutti/base/check.h"
#include "tutti/text/byte_alphabet.h"
#include "tutti/text/grammar.h"
#include "tutti/text/grammar_compiled.h"
#include "tutti/text/grammar_states.h"
#include "tutti/text/tokenizer.h"

namespace tutti::text::testing {

// All bytes, the given texts, and a control token "<end>" that comes last and ends answers.
inline std::unique_ptr<Tokenizer> ToyTokenizer(const std::vector<std::string>& texts = {}) {
  VocabSpec spec;
  spec.pretokenizer = "gpt-2";
  const auto add = [&](std::string token, TokenKind kind) {
    spec.tokens.push_back(std::move(token));
    spec.kinds.push_back(kind);
  };
  for (int byte = 0; byte < 256; ++byte) {
    add(PrintableOfBytes(std::string(1, static_cast<char>(byte))), TokenKind::kNormal);
  }
  for (const std::string& text : texts) add(PrintableOfBytes(text), TokenKind::kNormal);
  add("<end>", TokenKind::kControl);
  auto tokenizer = Tokenizer::Create(std::move(spec));
  TUTTI_CHECK(tokenizer.ok(), tokenizer.status().message());
  return std::move(tokenizer).value();
}

inline std::shared_ptr<const GrammarVocabulary> VocabularyOf(const Tokenizer& tokenizer) {
  const auto size = static_cast<int32_t>(tokenizer.spec().tokens.size());
  auto vocabulary = GrammarVocabulary::Create(tokenizer, size, {size - 1});
  TUTTI_CHECK(vocabulary.ok(), vocabulary.status().message());
  return std::move(vocabulary).value();
}

// Texts by bytes, without a vocabulary.
class Matcher {
 public:
  explicit Matcher(const Grammar& grammar) : automaton_(grammar.automaton()), states_(automaton_) {}

  GrammarStates::Situation After(GrammarStates::Situation from, std::string_view text) {
    for (const char c : text)
      from = states_.Next(from, automaton_.ClassOf(static_cast<uint8_t>(c)));
    return from;
  }
  bool Matches(std::string_view text) { return states_.Accepts(After(states_.start(), text)); }
  // The text may be the beginning of a text of the grammar.
  bool Begins(std::string_view text) {
    return After(states_.start(), text) != GrammarStates::kDead;
  }

  // Each token's bytes tried on their own.
  std::vector<uint32_t> SlowMask(const GrammarVocabulary& vocabulary, std::string_view text) {
    const GrammarStates::Situation at = After(states_.start(), text);
    std::vector<uint32_t> mask(vocabulary.mask_words(), 0);
    for (TokenId id = 0; id < vocabulary.vocab_size(); ++id) {
      const std::string_view bytes = vocabulary.Bytes(id);
      const bool allowed = vocabulary.IsEnd(id)
                               ? states_.Accepts(at)
                               : !bytes.empty() && After(at, bytes) != GrammarStates::kDead;
      if (allowed) mask[static_cast<size_t>(id) / 32] |= uint32_t{1} << (id % 32);
    }
    return mask;
  }

 private:
  const GrammarAutomaton& automaton_;
  GrammarStates states_;
};

inline bool IsSet(std::span<const uint32_t> mask, TokenId id) {
  return (mask[static_cast<size_t>(id) / 32] >> (id % 32) & 1) != 0;
}

}  // namespace tutti::text::testing
