// Text to token ids and back.
//
// Immutable after Create; any thread may encode and decode. Encoding takes linear time in the text
// (1 MB of one character included) and cannot fail: bytes that are not UTF-8 are encoded as bytes or
// as U+FFFD, as the vocabulary allows.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tutti/base/ids.h"
#include "tutti/base/status.h"
#include "tutti/spec/vocab_spec.h"

namespace tutti::text {

struct EncodeOptions {
  bool add_special = true;     // BOS and EOS as the vocabulary asks for them
  bool parse_special = false;  // control tokens written in the text become their token
};

class Tokenizer {
 public:
  // kData where the vocabulary contradicts itself, kUnsupported for an unknown pre-tokenizer.
  static Result<std::unique_ptr<Tokenizer>> Create(VocabSpec spec);
  virtual ~Tokenizer() = default;

  virtual TokenIds Encode(std::string_view text, const EncodeOptions& options) const = 0;
  // The bytes of one token as they stand in the text; control tokens give their name.
  virtual std::string TokenBytes(TokenId id) const = 0;
  // The text of a sequence; invalid UTF-8 becomes U+FFFD. Ids outside the vocabulary give nothing.
  virtual std::string Decode(std::span<const TokenId> ids, bool keep_special) const = 0;

  const VocabSpec& spec() const { return spec_; }

 protected:
  explicit Tokenizer(VocabSpec spec) : spec_(std::move(spec)) {}
  VocabSpec spec_;
};

// Emits text as tokens arrive, never half a character: a character appears with the token that holds
// its last byte; bytes that cannot become a character appear at once as U+FFFD, one per maximal
// subpart (Unicode 15, table 3-7).
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  std::string Push(TokenId id);
  std::string Finish();   // what is still held, as U+FFFD

 private:
  const Tokenizer& tokenizer_;
  std::string held_;
};

}  // namespace tutti::text
