// A vocabulary and how text becomes tokens, as plain data.
//
// Filled by format/ (GGUF metadata) or text/ (tokenizer.json, tiktoken, SentencePiece files);
// text/tokenizer.h makes a Tokenizer from it.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tutti/base/ids.h"

namespace tutti {

enum class TokenKind : uint8_t {
  kNormal,
  kUnknown,
  kControl,      // special: matched in text only where the caller allows special tokens
  kUserDefined,  // added: always matched in text
  kUnused,
  kByte,  // SentencePiece byte fallback "<0x0A>"
};

enum class TokenizerAlgorithm : uint8_t {
  kByteBpe,        // byte-level BPE: GPT-2 and most others
  kSentencePiece,  // BPE by score (or by listed merges) with byte fallback: Llama 2, Mistral
  kUnigram,        // SentencePiece unigram
};

// How a control or user-defined token is found in text where that is not simply its text, wherever
// it stands.
struct AddedTokenRule {
  TokenId id = kNoToken;
  bool strip_left = false;   // swallows the whitespace before it
  bool strip_right = false;  // ... and after it
  bool single_word = false;  // only between characters that are not parts of words
  bool normalized = false;   // looked for in the normalised text, after those that are not, ...
  bool verbatim = false;     // ... where its own text is not normalised
};

struct VocabSpec {
  TokenizerAlgorithm algorithm = TokenizerAlgorithm::kByteBpe;
  // Name of the pre-tokenizer as in GGUF files (text/pretokenizer.h): "gpt-2", "llama-bpe",
  // "qwen2", "deepseek-v3", ... Only for kByteBpe.
  std::string pretokenizer;
  // [vocab]; normal tokens of kByteBpe in the printable GPT-2 alphabet, of kSentencePiece with
  // U+2581 for spaces; control and user-defined tokens as they stand in text. Holes are empty and
  // kUnused.
  std::vector<std::string> tokens;
  std::vector<TokenKind> kinds;                             // [vocab]
  std::vector<float> scores;                                // [vocab] or empty
  std::vector<std::pair<std::string, std::string>> merges;  // by rank
  std::vector<AddedTokenRule> added_rules;
  bool merge_by_token_rank = false;  // tiktoken: the rank of a merge is the id of its result
  bool ignore_merges = false;        // a whole pre-token that is in the vocabulary is taken as is
  bool nfc = false;                  // text is brought into Unicode normalisation form C first
  bool add_space_prefix =
      false;  // kSentencePiece: a space before the text and after each added token
  bool space_prefix_once = false;     // ... before the text only
  bool space_prefix_if_none = false;  // ... where there is none already
  bool remove_extra_whitespace = false;
  // Control tokens have no text, as SentencePiece has it: decoding gives nothing for them.
  bool silent_control = false;
  TokenId bos = kNoToken;
  TokenId eos = kNoToken;
  TokenId unknown = kNoToken;
  TokenId padding = kNoToken;
  bool add_bos = false;
  bool add_eos = false;
  TokenIds prefix;  // what stands before a text instead of BOS where it is more ([gMASK]<sop>)
  TokenIds suffix;  // likewise behind it, instead of EOS
  TokenIds end_of_generation;  // any of these ends an answer (includes eos)
  std::string chat_template;   // Jinja, empty where there is none

  // All tokens that end an answer, eos included.
  TokenIds Ends() const {
    TokenIds ends = end_of_generation;
    if (eos != kNoToken) ends.push_back(eos);
    return ends;
  }
};

}  // namespace tutti
