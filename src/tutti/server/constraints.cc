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
  Forget();
  return it->second;
}

Result<Constraints::Masks> Constraints::MasksOf(const OutputFormat& format) {
  Masks masks = Find(format);
  if (!masks) {
    TUTTI_ASSIGN_OR_RETURN(auto grammar, Compile(format));
    TUTTI_ASSIGN_OR_RETURN(auto vocabulary, Vocabulary());
    TUTTI_ASSIGN_OR_RETURN(masks,
                           text::GrammarMasks::Create(std::move(grammar), std::move(vocabulary)));
    Remember(format, masks);
  }
  return masks;
}

void Constraints::Remember(const OutputFormat& format, const Masks& masks) {
  const std::lock_guard lock(mutex_);
  remembered_.emplace_front(format, masks);
  Forget();
}

void Constraints::Forget() {
  size_t bytes = 0;
  size_t kept = 0;
  auto at = remembered_.begin();
  for (; at != remembered_.end() && kept < kRemembered; ++at, ++kept) {
    bytes += at->second->size_bytes() + at->first.source.size();
    if (kept > 0 && bytes > remembered_bytes_max_) break;
  }
  remembered_.erase(at, remembered_.end());
}

size_t Constraints::remembered_bytes() const {
  const std::lock_guard lock(mutex_);
  size_t bytes = 0;
  for (const auto& entry : remembered_) bytes += entry.second->size_bytes();
  return bytes;
}

Result<std::shared_ptr<const TokenConstraint>> Constraints::For(const OutputFormat& format) {
  if (format.kind == OutputKind::kFree) return std::shared_ptr<const TokenConstraint>();
  TUTTI_ASSIGN_OR_RETURN(Masks masks, MasksOf(format));
  return std::shared_ptr<const TokenConstraint>(text::Constrain(std::move(masks)));
}

}  // namespace tutti::server
