// Any bytes as a SentencePiece model; what is accepted must make a tokenizer that works.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tutti/base/check.h"
#include "tutti/text/tokenizer.h"
#include "tutti/text/tokenizer_files.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  const auto spec = tutti::text::ParseSentencePieceModel(content);
  TUTTI_CHECK(spec.status().message().find('\n') == std::string::npos, "a message of one line");
  if (!spec.ok()) return 0;
  const auto tokenizer = tutti::text::Tokenizer::Create(*spec);
  TUTTI_CHECK(tokenizer.status().message().find('\n') == std::string::npos,
              "a message of one line");
  if (!tokenizer.ok()) return 0;
  const auto count = static_cast<tutti::TokenId>(spec->tokens.size());
  const tutti::TokenIds ids =
      (*tokenizer)->Encode("Hello,  <s>w\u00f6rld \u2581 \xff\n\n 123", {true, true});
  for (const tutti::TokenId id : ids) TUTTI_CHECK(id >= 0 && id < count, "an id in range");
  (void)(*tokenizer)->Decode(ids, true);
  return 0;
}
