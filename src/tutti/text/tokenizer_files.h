// Vocabularies from the files that publishers ship, for those that are not in a GGUF.
//
// Untrusted input: every reader checks sizes before it allocates and answers kData with what and
// where. Pure but for reading the named files.
#pragma once
#include <filesystem>

#include "tutti/base/status.h"
#include "tutti/spec/vocab_spec.h"

namespace tutti::text {

// A Hugging Face model folder (tokenizer.json, else tokenizer.model, else vocab.json + merges.txt,
// else *.tiktoken; with tokenizer_config.json, generation_config.json and chat_template.jinja), or
// a bare tokenizer file of one of those kinds.
Result<VocabSpec> ReadVocab(const std::filesystem::path& path);

}  // namespace tutti::text
