// Any bytes as tokenizer.json with its companions, or, where they do not begin like JSON, as a rank
// file or as merges.txt; what is accepted must make a tokenizer that works.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tutti/base/check.h"
#include "tutti/text/tokenizer.h"
#include "tutti/text/tokenizer_files.h"

namespace {

using tutti::Result;
using tutti::Status;
using tutti::VocabSpec;

void CheckMessage(const Status& status) {
  TUTTI_CHECK(status.message().find('\n') == std::string::npos, "a message of one line");
}

void Use(const Result<VocabSpec>& spec) {
  CheckMessage(spec.status());
  if (!spec.ok()) return;
  const auto tokenizer = tutti::text::Tokenizer::Create(*spec);
  CheckMessage(tokenizer.status());
  if (!tokenizer.ok()) return;
  const auto size = static_cast<tutti::TokenId>(spec->tokens.size());
  for (const bool parse : {false, true}) {
    const tutti::TokenIds ids =
        (*tokenizer)->Encode("Hello, <s>w\u00f6rld</s>  e\u0301 \xff\n\n 123", {true, parse});
    for (const tutti::TokenId id : ids) TUTTI_CHECK(id >= 0 && id < size, "an id in range");
    (void)(*tokenizer)->Decode(ids, parse);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  if (!content.starts_with('{')) {
    Use(tutti::text::ParseRankFile(content, "gpt-2"));
    Use(tutti::text::ParseVocabAndMerges(R"({"a":0,"b":1,"ab":2,"\u0120":3})", content, "gpt-2"));
    return 0;
  }
  Use(tutti::text::ParseTokenizerJson(content));
  VocabSpec spec;
  spec.tokens = {"a", "<s>"};
  spec.kinds = {tutti::TokenKind::kNormal, tutti::TokenKind::kControl};
  spec.pretokenizer = "gpt-2";
  const Status config = tutti::text::ApplyTokenizerConfig(content, &spec);
  CheckMessage(config);
  if (config.ok()) {
    CheckMessage(tutti::text::ApplyGenerationConfig(content, &spec));
    Use(spec);
  }
  Use(tutti::text::ParseVocabAndMerges(content, "a b\n", "gpt-2"));
  return 0;
}
