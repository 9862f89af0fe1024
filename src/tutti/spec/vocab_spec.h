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
  kByte,         // SentencePiece byte fallback "<0x0A>"
};

enum class TokenizerAlgorithm : uint8_t {
  kByteBpe,        // byte-level BPE: GPT-2 and most others
  kSentencePiece,  // BPE by score with byte fallback: Llama 2, Mistral
  kUnigram,        // SentencePiece unigram
};

struct VocabSpec {
  TokenizerAlgorithm algorithm = TokenizerAlgorithm::kByteBpe;
  // Name of the pre-tokenizer (text/pretokenizer.h): "gpt2", "llama3", "qwen2", "deepseek_v3", ...
  std::string pretokenizer;
  std::vector<std::string> tokens;    // [vocab]; for kByteBpe in the printable GPT-2 alphabet
  std::vector<TokenKind> kinds;       // [vocab]
  std::vector<float> scores;          // [vocab] or empty
  std::vector<std::pair<std::string, std::string>> merges;  // by rank, kByteBpe
  bool merge_by_token_rank = false;   // tiktoken: the rank of a merge is the id of its result
  bool ignore_merges = false;         // a whole pre-token that is in the vocabulary is taken as is
  bool add_space_prefix = false;
  bool remove_extra_whitespace = false;
  TokenId bos = kNoToken;
  TokenId eos = kNoToken;
  TokenId unknown = kNoToken;
  TokenId padding = kNoToken;
  bool add_bos = false;
  bool add_eos = false;
  TokenIds end_of_generation;   // any of these ends an answer (includes eos)
  std::string chat_template;    // Jinja, empty where there is none
};

}  // namespace tutti
