// What a text must look like, compiled: JSON, a JSON schema, an expression or an EBNF grammar; and
// the constraint that lets a model write nothing else.
//
//   auto grammar = CompileJsonSchema(schema);              // once; refused here or obeyed
//   auto masks = GrammarMasks::Create(grammar, vocabulary); // once per grammar and vocabulary
//   auto constraint = Constrain(masks);                    // one per answer
//
// Every answer that ends by itself is a text of the grammar; what a grammar asks for and Tutti
// cannot enforce is refused. The reverse does not hold: of texts that mean the same some are never
// written (docs/formats/grammars.md).
//
// Limits: kSourceMax bytes, brackets kNestingMax deep, GrammarRules::kNodesMax nodes, counted
// steps; no limit is a time.
// Ownership: grammars and masks are shared by the answers that use them. Threads: grammars are
// immutable; masks lock themselves; a constraint is one answer's. Errors: kUsage for what is
// malformed, too large or satisfied by no text; kUnsupported for what cannot be enforced.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "tutti/base/status.h"
#include "tutti/spec/token_constraint.h"
#include "tutti/text/grammar_vocabulary.h"

namespace tutti::text {

inline constexpr size_t kGrammarSourceMax = 1 << 20;
inline constexpr int32_t kGrammarNestingMax = 64;

class Grammar;  // grammar_compiled.h

enum class JsonRoot : uint8_t { kAny, kObject };

Result<std::shared_ptr<const Grammar>> CompileJson(JsonRoot root);
// A JSON text that the schema allows (docs/formats/grammars.md). `space_before`: white space, as
// between its parts, may come first.
Result<std::shared_ptr<const Grammar>> CompileJsonSchema(std::string_view schema,
                                                         bool space_before = false);
// A regular expression (grammar_regex.h says which) that the whole text matches.
Result<std::shared_ptr<const Grammar>> CompileRegex(std::string_view pattern);
// A grammar in llama.cpp's notation (grammar_ebnf.cc); the text is one of its rule "root".
Result<std::shared_ptr<const Grammar>> CompileEbnf(std::string_view grammar);

// What answers of one grammar have learnt about one vocabulary.
class GrammarMasks {
 public:
  // kUnsupported where the vocabulary cannot write any text of the grammar byte by byte.
  static Result<std::shared_ptr<GrammarMasks>> Create(
      std::shared_ptr<const Grammar> grammar, std::shared_ptr<const GrammarVocabulary> vocabulary);
  virtual ~GrammarMasks() = default;
  virtual size_t size_bytes() const = 0;
  // Of the limits of one grammar that it has used up, 0 to 1; the same however much is learnt.
  virtual double share() const = 0;
};

// An answer that begins at the grammar's beginning, or has begun with `text` already; null where no
// text of the grammar begins like that.
std::unique_ptr<TokenConstraint> Constrain(std::shared_ptr<GrammarMasks> masks,
                                           std::string_view text = {});

}  // namespace tutti::text
