// Text to token ids and back.
//
// Immutable after Create; any thread may encode and decode. Encoding takes linear time in the text
// (1 MB of one character included) and cannot fail: bytes that are not UTF-8 are encoded as bytes,
// or as the unknown token where the vocabulary has no bytes, or not at all where it has neither.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/ids.h"
#include "tutti/base/status.h"
#include "tutti/spec/vocab_spec.h"
#include "tutti/text/added_tokens.h"

namespace tutti::text {

struct RenderedSegment;  // chat_template.h

struct EncodeOptions {
  bool add_special = true;     // BOS and EOS as the vocabulary asks for them
  bool parse_special = false;  // control tokens written in the text become their token
};

class Tokenizer {
 public:
  // kData where the vocabulary contradicts itself, kUnsupported for an unknown pre-tokenizer.
  static Result<std::unique_ptr<Tokenizer>> Create(VocabSpec spec);
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  TokenIds Encode(std::string_view text, const EncodeOptions& options) const;
  // The same with control tokens only where the mask allows them, and no BOS or EOS.
  TokenIds EncodeMasked(std::string_view text, const ControlMask& mask) const;

  // The bytes of one token as they stand in the text; control tokens give their name. Empty for ids
  // outside the vocabulary.
  const std::string& TokenBytes(TokenId id) const;
  // The text of a sequence; invalid UTF-8 becomes U+FFFD. Ids outside the vocabulary give nothing;
  // control tokens give their name or, without `keep_special` and in SentencePiece's own files,
  // nothing. The space that the vocabulary puts before a text is taken away again.
  std::string Decode(std::span<const TokenId> ids, bool keep_special) const;

  const VocabSpec& spec() const { return spec_; }

 protected:
  explicit Tokenizer(VocabSpec spec) : spec_(std::move(spec)) {}

  // Text without (unnormalised) added tokens into the form that EncodeNormalized takes. `at_start`:
  // it stands at the beginning of the whole text. `mask` follows the bytes where it has any.
  virtual std::string Normalize(std::string_view text, bool at_start, ControlMask* mask) const = 0;
  // False where Normalize changes no text.
  virtual bool normalizes() const = 0;
  virtual void EncodeNormalized(std::string_view text, TokenIds* ids) const = 0;

  // Builds what all kinds share; `token_bytes` as TokenBytes gives them.
  void Prepare(std::vector<std::string> token_bytes);

  VocabSpec spec_;

 private:
  void EncodePiece(std::string_view text, bool at_start, ControlMask mask, TokenIds* ids) const;

  std::vector<std::string> token_bytes_;  // [vocab]
  AddedTokens raw_tokens_;                // looked for in the text as it is
  AddedTokens normalized_tokens_;         // looked for after Normalize
};

// The ids of a text that goes on: with what the vocabulary puts before a text, without what it puts
// behind one.
TokenIds EncodeOpenText(const Tokenizer& tokenizer, std::string_view text);

// A rendered chat template: control tokens come from the template's own text only. Otherwise the
// ids are those of the joined text; a control token that user text would complete is not formed.
TokenIds EncodeSegments(const Tokenizer& tokenizer, std::span<const RenderedSegment> segments);

// Emits text as tokens arrive, never half a character: a character appears with the token that
// holds its last byte; bytes that cannot become a character appear at once as U+FFFD, one per
// maximal subpart (Unicode 16, table 3-7). All that comes out together is what Decode gives, but
// for the space that Decode takes away at the beginning.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  std::string Push(TokenId id);
  std::string Finish();  // what is still held, as U+FFFD

 private:
  const Tokenizer& tokenizer_;
  std::string held_;  // the valid beginning of a character
};

}  // namespace tutti::text
