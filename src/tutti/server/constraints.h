// What answers must obey, compiled for one model and kept for the next request that asks for the
// same: at most 64 of them, of 256 MB together.
//
// Ownership: owns the vocabulary and what it remembers; constraints own what they use.
// Threads: any; two that ask for the same new thing may both compile it.
// Errors: as text/grammar.h: kUsage, kUnsupported, with what cannot be enforced.
#pragma once
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "tutti/server/generation_request.h"
#include "tutti/text/grammar.h"
#include "tutti/text/tokenizer.h"

namespace tutti::server {

class Constraints {
 public:
  Constraints(const text::Tokenizer& tokenizer, int32_t vocab_size,
              size_t remembered_bytes_max = size_t{256} << 20)
      : tokenizer_(tokenizer),
        vocab_size_(vocab_size),
        remembered_bytes_max_(remembered_bytes_max) {}
  Constraints(const Constraints&) = delete;
  Constraints& operator=(const Constraints&) = delete;

  using Masks = std::shared_ptr<text::GrammarMasks>;

  // Of all but free text.
  Result<Masks> MasksOf(const OutputFormat& format);
  size_t remembered_bytes() const;
  // Null for free text.
  Result<std::shared_ptr<const TokenConstraint>> For(const OutputFormat& format);

 private:
  static constexpr size_t kRemembered = 64;

  Masks Find(const OutputFormat& format);
  void Remember(const OutputFormat& format, const Masks& masks);
  // Those not used for longest, where there are too many or too large ones: they grow with use.
  void Forget();
  Result<std::shared_ptr<const text::GrammarVocabulary>> Vocabulary();

  const text::Tokenizer& tokenizer_;
  const int32_t vocab_size_;
  const size_t remembered_bytes_max_;
  mutable std::mutex mutex_;
  std::shared_ptr<const text::GrammarVocabulary> vocabulary_;  // shared with masks
  std::list<std::pair<OutputFormat, Masks>> remembered_;       // the last used first
};

}  // namespace tutti::server
