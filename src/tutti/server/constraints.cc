#include "tutti/server/constraints.h"

#include <algorithm>

namespace tutti::server {
namespace {

Result<std::shared_ptr<const text::Grammar>> Compile(const OutputFormat& format) {
  switch (format.kind) {
    case OutputKind::kJson:
      return text::CompileJson(text::JsonRoot::kObject);
    case OutputKind::kJsonSchema:
      return text::CompileJsonSchema(format.source);
    case OutputKind::kCall:
      return text::CompileJsonSchema(format.source, true);
    case OutputKind::kRegex:
      return text::CompileRegex(format.source);
    case OutputKind::kGrammar:
      return text::CompileEbnf(format.source);
    case OutputKind::kFree:
      break;
  }
  return Error(StatusCode::kInternal, "free text has no grammar");
}

}  // namespace

Result<std::shared_ptr<const text::GrammarVocabulary>> Constraints::Vocabulary() {
  const std::lock_guard lock(mutex_);
  if (!vocabulary_) {
    TUTTI_ASSIGN_OR_RETURN(vocabulary_, text::GrammarVocabulary::Create(tokenizer_, vocab_size_,
                                                                        tokenizer_.spec().Ends()));
  }
  return vocabulary_;
}

Constraints::Masks Constraints::Find(const OutputFormat& format) {
  const std::lock_guard lock(mutex_);
  const auto it = std::find_if(remembered_.begin(), remembered_.end(),
                               [&](const auto& entry) { return entry.first == format; });
  if (it == remembered_.end()) return nullptr;
  remembered_.splice(remembered_.begin(), remembered_, it);
  return it->second;
}

Result<Constraints::Masks> Constraints::MasksOf(const OutputFormat& format) {
  Masks masks = Find(format);
  if (!masks) {
    TUTTI_ASSIGN_OR_RETURN(auto grammar, Compile(format));
    TUTTI_ASSIGN_OR_RETURN(auto vocabulary, Vocabulary());
    TUTTI_ASSIGN_OR_RETURN(masks,
                           text::GrammarMasks::Create(std::move(grammar), std::move(vocabulary)));
    const std::lock_guard lock(mutex_);
    remembered_.emplace_front(format, masks);
    if (remembered_.size() > kRemembered) remembered_.pop_back();
  }
  return masks;
}

Result<std::shared_ptr<const TokenConstraint>> Constraints::For(const OutputFormat& format) {
  if (format.kind == OutputKind::kFree) return std::shared_ptr<const TokenConstraint>();
  TUTTI_ASSIGN_OR_RETURN(Masks masks, MasksOf(format));
  return std::shared_ptr<const TokenConstraint>(text::Constrain(std::move(masks)));
}

}  // namespace tutti::server
