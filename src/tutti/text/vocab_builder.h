// Collects tokens by id, as the readers of vocabulary files find them.
//
// Ids may come in any order and leave holes, but not so many that a short file makes a long list.
#pragma once
#include <string>
#include <string_view>

#include "tutti/base/status.h"
#include "tutti/spec/vocab_spec.h"

namespace tutti::text {

class VocabBuilder {
 public:
  // `tokens_expected` bounds the ids: a token may have at most twice that and 65536.
  VocabBuilder(VocabSpec* spec, size_t tokens_expected)
      : spec_(spec), id_limit_(2 * tokens_expected + 65536) {}

  // kData where the id is out of range or taken.
  Status Add(int64_t id, std::string_view token, TokenKind kind);
  // Gives a token that may be there already its place among the added ones; kData where the id has
  // another text. Text in the printable alphabet counts as the same. The last rule of an id counts.
  Status AddAdded(const AddedTokenRule& rule, int64_t id, std::string_view token, bool special);

 private:
  Status Reserve(int64_t id, std::string_view token);

  VocabSpec* spec_;
  size_t id_limit_;
};

}  // namespace tutti::text
