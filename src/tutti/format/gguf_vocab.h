// The vocabulary in a GGUF file: the keys tokenizer.* to VocabSpec and back.
//
// Where a key is absent, the value that the format's converters leave out applies: a "llama"
// vocabulary adds BOS and a leading space, a "t5" one adds EOS, Llama 3's and Tekken's
// pre-tokenizers add BOS and take whole pre-tokens.
//
// GGUF names one end token, though many models end an answer with any of several. Control tokens
// whose names are known to end a turn ("<|im_end|>", "<|eot_id|>", ...) are therefore added to
// end_of_generation.
#pragma once
#include <memory>

#include "tutti/base/status.h"
#include "tutti/format/gguf_metadata.h"
#include "tutti/format/gguf_writer.h"
#include "tutti/spec/vocab_spec.h"

namespace tutti::format {

// Null where the file has no vocabulary or one of a kind that Tutti does not know (the key
// tokenizer.ggml.model then says which). kData where its arrays and ids contradict each other.
Result<std::unique_ptr<VocabSpec>> ReadGgufVocab(const GgufMetadata& metadata);

// Sets the keys tokenizer.* from which ReadGgufVocab makes the same vocabulary. ignore_merges has
// no key, it follows from the pre-tokenizer. kUnsupported where GGUF cannot say it: tiktoken ranks
// without merges, more than two unknown end tokens besides EOS.
Status SetGgufVocab(const VocabSpec& vocab, GgufWriter& writer);

}  // namespace tutti::format
