// Walks through the masks of a grammar as the fuzzer's bytes say.
#pragma once
#include <string>
#include <string_view>

#include "tutti/base/check.h"
#include "tutti/text/grammar_testing.h"

namespace tutti::fuzz {

// Every mask is the one that trying each token alone gives. The text, and whether it has ended.
inline std::pair<std::string, bool> WalkGrammar(const std::shared_ptr<const text::Grammar>& grammar,
                                                std::string_view choices) {
  using text::testing::IsSet;
  static const auto tokenizer =
      text::testing::ToyTokenizer({"{\"", "\": ", "},", "\"]", "12", "-0.", "ab", "aaaa", "\\u00",
                                   "\xC3\xA9", "\xF0\x9F", "()", "abcdefghijklmnopqrstuvwxyz"});
  static const auto vocabulary = text::testing::VocabularyOf(*tokenizer);
  const auto masks = text::GrammarMasks::Create(grammar, vocabulary);
  TUTTI_CHECK(masks.ok(), masks.status().message());
  text::testing::Matcher matcher(*grammar);
  const auto constraint = text::Constrain(*masks);
  std::string written;
  for (const char choice : choices) {
    if (constraint->Ended()) break;
    const auto allowed = constraint->Allowed();
    const std::vector<uint32_t> slow = matcher.SlowMask(*vocabulary, written);
    TokenIds possible;
    for (TokenId id = 0; id < vocabulary->vocab_size(); ++id) {
      TUTTI_CHECK(IsSet(allowed, id) == IsSet(slow, id), "a mask is another than the slow one");
      if (IsSet(allowed, id)) possible.push_back(id);
    }
    TUTTI_CHECK(!possible.empty(), "nothing is allowed");
    const TokenId id = possible[static_cast<uint8_t>(choice) % possible.size()];
    constraint->Accept(id);
    written += vocabulary->Bytes(id);
  }
  TUTTI_CHECK(matcher.Begins(written), "a text that the grammar does not begin");
  if (!constraint->Ended()) return {written, false};
  TUTTI_CHECK(matcher.Matches(written), "a text that the grammar does not accept");
  return {written, true};
}

}  // namespace tutti::fuzz
