#include "tutti/text/vocab_builder.h"

#include "tutti/base/printable.h"
#include "tutti/text/byte_alphabet.h"

namespace tutti::text {

Status VocabBuilder::Reserve(int64_t id, std::string_view token) {
  if (id < 0 || static_cast<uint64_t>(id) >= id_limit_) {
    return DataError("token \"{}\" has the id {}, in a file of this size it must be below {}",
                     Printable(token), id, id_limit_);
  }
  const auto index = static_cast<size_t>(id);
  if (index >= spec_->tokens.size()) {
    spec_->tokens.resize(index + 1);
    spec_->kinds.resize(index + 1, TokenKind::kUnused);
  }
  return Status();
}

Status VocabBuilder::Add(int64_t id, std::string_view token, TokenKind kind) {
  TUTTI_RETURN_IF_ERROR(Reserve(id, token));
  const auto index = static_cast<size_t>(id);
  if (spec_->kinds[index] != TokenKind::kUnused) {
    return DataError("tokens \"{}\" and \"{}\" both have the id {}",
                     Printable(spec_->tokens[index]), Printable(token), id);
  }
  spec_->tokens[index] = token;
  spec_->kinds[index] = kind;
  return Status();
}

Status VocabBuilder::AddAdded(const AddedTokenRule& rule, int64_t id, std::string_view token,
                              bool special) {
  if (token.empty()) return DataError("the added token {} is empty", id);
  TUTTI_RETURN_IF_ERROR(Reserve(id, token));
  const auto index = static_cast<size_t>(id);
  std::string& present = spec_->tokens[index];
  if (spec_->kinds[index] != TokenKind::kUnused && present != token &&
      BytesOfPrintable(present) != token) {
    return DataError("the added token \"{}\" has the id {}, which is \"{}\"", Printable(token), id,
                     Printable(present));
  }
  present = token;
  spec_->kinds[index] = special ? TokenKind::kControl : TokenKind::kUserDefined;
  spec_->added_rules.push_back(rule);
  return Status();
}

}  // namespace tutti::text
