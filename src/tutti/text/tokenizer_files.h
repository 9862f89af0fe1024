// Vocabularies from the files that publishers ship, for those that are not in a GGUF.
//
// Untrusted input: every reader checks sizes before it allocates and answers kData with what and
// where, or kUnsupported with the setting that Tutti does not know. Pure but for reading the named
// files. What each file can hold: docs/formats/tokenizers.md.
#pragma once
#include <filesystem>
#include <string_view>

#include "tutti/base/status.h"
#include "tutti/spec/vocab_spec.h"

namespace tutti::text {

// A Hugging Face model folder (tokenizer.json, else tokenizer.model, else vocab.json + merges.txt
// or encoder.json + vocab.bpe, else *.tiktoken; with tokenizer_config.json, generation_config.json
// and chat_template.jinja), or a bare tokenizer file of one of those kinds, which is read alone
// (but for the merges beside a vocab.json).
Result<VocabSpec> ReadVocab(const std::filesystem::path& path);

// The readers, from bytes.
Result<VocabSpec> ParseTokenizerJson(std::string_view content);
Result<VocabSpec> ParseSentencePieceModel(std::string_view content);
// A rank file says nothing of its pre-tokenizer: `pretokenizer` does, or, where that is empty, the
// number of ranks of a well-known vocabulary. Likewise for vocab.json and merges.txt.
Result<VocabSpec> ParseRankFile(std::string_view content, std::string_view pretokenizer);
Result<VocabSpec> ParseVocabAndMerges(std::string_view vocab_json, std::string_view merges_txt,
                                      std::string_view pretokenizer);

// Adds what tokenizer_config.json says: special tokens, BOS and EOS, chat template ("default" where
// there are several by name).
Status ApplyTokenizerConfig(std::string_view json, VocabSpec* spec);
// Adds the tokens that end an answer.
Status ApplyGenerationConfig(std::string_view json, VocabSpec* spec);

}  // namespace tutti::text
