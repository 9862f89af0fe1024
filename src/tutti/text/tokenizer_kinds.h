// The kinds of tokenizers behind Tokenizer::Create. They rely on what it has checked: sizes of the
// lists, ids in range.
#pragma once
#include <memory>

#include "tutti/text/tokenizer.h"

namespace tutti::text {

Result<std::unique_ptr<Tokenizer>> CreateByteBpe(VocabSpec spec);
Result<std::unique_ptr<Tokenizer>> CreateSentencePiece(VocabSpec spec);

// Merging looks at every way to cut a token in two, which must not take forever.
inline constexpr size_t kMaxMergedBytes = 512;
// A longer text is encoded in parts, so that positions fit 32 bits.
inline constexpr size_t kMaxSymbols = size_t{1} << 30;

}  // namespace tutti::text
