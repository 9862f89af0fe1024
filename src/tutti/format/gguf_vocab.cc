#include "tutti/format/gguf_vocab.h"

#include <algorithm>
#include <array>
#include <limits>

namespace tutti::format {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";
constexpr std::string_view kTemplateKey = "tokenizer.chat_template";

constexpr std::array<std::pair<std::string_view, TokenizerAlgorithm>, 3> kAlgorithms = {{
    {"gpt2", TokenizerAlgorithm::kByteBpe},
    {"llama", TokenizerAlgorithm::kSentencePiece},
    {"t5", TokenizerAlgorithm::kUnigram},
}};

// tokenizer.ggml.token_type, by value. 0 ("undefined") is what converters write for plain tokens of
// vocabularies without types.
constexpr std::array kKinds = {
    TokenKind::kNormal,      TokenKind::kNormal, TokenKind::kUnknown, TokenKind::kControl,
    TokenKind::kUserDefined, TokenKind::kUnused, TokenKind::kByte,
};

// Pre-tokenizers that stand for "take a pre-token that is in the vocabulary as it is": GGUF has no
// key for this. All but the last two also add BOS where tokenizer.ggml.add_bos_token is absent.
constexpr std::array<std::string_view, 11> kWholePretokens = {
    "llama-bpe", "llama3", "llama-v3", "falcon3",  "falcon-h1", "pixtral",
    "midm-2.0",  "lfm2",   "tekken",   "minicpm5", "youtu",
};

constexpr std::array<std::string_view, 15> kTurnEnds = {
    "<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>",    "<|eom_id|>",
    "<|end|>",    "<|return|>",    "<|call|>",        "<|flush|>",     "<|calls|>",
    "<EOT>",      "[EOT]",         "[EOS]",           "<end_of_turn>", "<end_of_utterance>",
};

std::string Key(std::string_view name) { return std::string(kPrefix).append(name); }

template <size_t n>
bool Contains(const std::array<std::string_view, n>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool IsSpecial(TokenKind kind) {
  return kind == TokenKind::kControl || kind == TokenKind::kUserDefined;
}

class VocabReader {
 public:
  explicit VocabReader(const GgufMetadata& metadata) : metadata_(metadata) {}

  Result<std::unique_ptr<VocabSpec>> Read() {
    TUTTI_ASSIGN_OR_RETURN(const auto model, metadata_.values.String(Key("model")));
    if (!model) return std::unique_ptr<VocabSpec>();
    const auto known = std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                                    [&](const auto& entry) { return entry.first == *model; });
    if (known == kAlgorithms.end()) return std::unique_ptr<VocabSpec>();
    vocab_ = std::make_unique<VocabSpec>();
    vocab_->algorithm = known->second;
    TUTTI_RETURN_IF_ERROR(ReadTokens());
    TUTTI_RETURN_IF_ERROR(ReadKinds());
    TUTTI_RETURN_IF_ERROR(ReadScores());
    TUTTI_RETURN_IF_ERROR(ReadMerges());
    TUTTI_RETURN_IF_ERROR(ReadSettings());
    TUTTI_RETURN_IF_ERROR(ReadIds());
    AddTurnEnds();
    return std::move(vocab_);
  }

 private:
  // Null where the key is absent; an error where it is there with other elements.
  Result<const GgufArray*> FindArray(std::string_view name, GgufType element) {
    const auto it = metadata_.vocab.find(Key(name));
    if (it == metadata_.vocab.end()) {
      if (!metadata_.values.Has(Key(name))) return static_cast<const GgufArray*>(nullptr);
      return DataError("metadata key {}{} is not an array", kPrefix, name);
    }
    if (it->second.element != element) {
      return DataError("metadata key {}{} is an array of type {}, {} expected", kPrefix, name,
                       static_cast<uint32_t>(it->second.element), static_cast<uint32_t>(element));
    }
    return &it->second;
  }

  Status ReadTokens() {
    TUTTI_ASSIGN_OR_RETURN(const GgufArray* tokens, FindArray("tokens", GgufType::kString));
    if (tokens == nullptr || tokens->count == 0) {
      return DataError("metadata key {}tokens is missing or empty, but {}model is there", kPrefix,
                       kPrefix);
    }
    vocab_->tokens.reserve(tokens->count);
    tokens->ForEachString([&](std::string_view token) { vocab_->tokens.emplace_back(token); });
    return Status();
  }

  Status CheckCount(std::string_view name, const GgufArray& array) {
    if (array.count == vocab_->tokens.size()) return Status();
    return DataError("metadata key {}{} has {} elements for {} tokens", kPrefix, name, array.count,
                     vocab_->tokens.size());
  }

  Status ReadKinds() {
    vocab_->kinds.assign(vocab_->tokens.size(), TokenKind::kNormal);
    TUTTI_ASSIGN_OR_RETURN(const GgufArray* types, FindArray("token_type", GgufType::kI32));
    if (types == nullptr) return Status();
    TUTTI_RETURN_IF_ERROR(CheckCount("token_type", *types));
    for (size_t i = 0; i < vocab_->kinds.size(); ++i) {
      uint32_t type;
      std::memcpy(&type, types->bytes.data() + i * sizeof type, sizeof type);
      if (type >= kKinds.size()) {
        return DataError("token {} has the unknown type {} at byte {}", i,
                         static_cast<int32_t>(type), types->offset + i * sizeof type);
      }
      vocab_->kinds[i] = kKinds[type];
    }
    return Status();
  }

  Status ReadScores() {
    TUTTI_ASSIGN_OR_RETURN(const GgufArray* scores, FindArray("scores", GgufType::kF32));
    if (scores == nullptr || scores->count == 0) return Status();
    TUTTI_RETURN_IF_ERROR(CheckCount("scores", *scores));
    vocab_->scores.resize(scores->count);
    std::memcpy(vocab_->scores.data(), scores->bytes.data(), scores->bytes.size());
    return Status();
  }

  Status ReadMerges() {
    TUTTI_ASSIGN_OR_RETURN(const GgufArray* merges, FindArray("merges", GgufType::kString));
    if (merges == nullptr) return Status();
    vocab_->merges.reserve(merges->count);
    Status status;
    merges->ForEachString([&](std::string_view merge) {
      // The first space that leaves both halves something.
      const size_t space = merge.find(' ', 1);
      if (space != std::string_view::npos && space + 1 < merge.size()) {
        vocab_->merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
      } else if (status.ok()) {
        status = DataError("merge {} is \"{}\", two parts with a space between expected",
                           vocab_->merges.size(), Printable(merge));
      }
    });
    return status;
  }

  Status ReadBool(std::string_view name, bool otherwise, bool* value) {
    TUTTI_ASSIGN_OR_RETURN(const auto found, metadata_.values.Bool(Key(name)));
    *value = found.value_or(otherwise);
    return Status();
  }

  Status ReadSettings() {
    TUTTI_ASSIGN_OR_RETURN(const auto pretokenizer, metadata_.values.String(Key("pre")));
    vocab_->pretokenizer = pretokenizer.value_or("");
    const bool llama = vocab_->algorithm == TokenizerAlgorithm::kSentencePiece;
    const bool t5 = vocab_->algorithm == TokenizerAlgorithm::kUnigram;
    vocab_->ignore_merges = vocab_->algorithm == TokenizerAlgorithm::kByteBpe &&
                            Contains(kWholePretokens, vocab_->pretokenizer);
    const bool adds_bos = vocab_->ignore_merges && vocab_->pretokenizer != "minicpm5" &&
                          vocab_->pretokenizer != "youtu";
    TUTTI_RETURN_IF_ERROR(ReadBool("add_bos_token", llama || adds_bos, &vocab_->add_bos));
    TUTTI_RETURN_IF_ERROR(ReadBool("add_eos_token", t5, &vocab_->add_eos));
    TUTTI_RETURN_IF_ERROR(ReadBool("add_space_prefix", llama || t5, &vocab_->add_space_prefix));
    TUTTI_RETURN_IF_ERROR(
        ReadBool("remove_extra_whitespaces", t5, &vocab_->remove_extra_whitespace));
    TUTTI_ASSIGN_OR_RETURN(const auto chat_template, metadata_.values.String(kTemplateKey));
    vocab_->chat_template = chat_template.value_or("");
    return Status();
  }

  Status ReadId(std::string_view name, TokenId* id) {
    TUTTI_ASSIGN_OR_RETURN(const auto value, metadata_.values.Int(Key(name)));
    if (!value || *value == -1 || *value == std::numeric_limits<uint32_t>::max()) return Status();
    if (*value < 0 || static_cast<uint64_t>(*value) >= vocab_->tokens.size()) {
      return DataError("metadata key {}{} is {}, the vocabulary has {} tokens", kPrefix, name,
                       *value, vocab_->tokens.size());
    }
    *id = static_cast<TokenId>(*value);
    return Status();
  }

  Status ReadIds() {
    TUTTI_RETURN_IF_ERROR(ReadId("bos_token_id", &vocab_->bos));
    TUTTI_RETURN_IF_ERROR(ReadId("eos_token_id", &vocab_->eos));
    TUTTI_RETURN_IF_ERROR(ReadId("unknown_token_id", &vocab_->unknown));
    TUTTI_RETURN_IF_ERROR(ReadId("padding_token_id", &vocab_->padding));
    AddEnd(vocab_->eos);
    for (const std::string_view name : {"eot_token_id", "eom_token_id"}) {
      TokenId id = kNoToken;
      TUTTI_RETURN_IF_ERROR(ReadId(name, &id));
      AddEnd(id);
    }
    return Status();
  }

  void AddEnd(TokenId id) {
    TokenIds& ends = vocab_->end_of_generation;
    if (id != kNoToken && std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
  }

  void AddTurnEnds() {
    TokenId message_end = kNoToken;
    bool harmony = false;
    for (size_t i = 0; i < vocab_->tokens.size(); ++i) {
      const std::string& token = vocab_->tokens[i];
      if (!IsSpecial(vocab_->kinds[i]) || !Contains(kTurnEnds, token)) continue;
      if (token == "<|end|>") {
        message_end = static_cast<TokenId>(i);
        continue;
      }
      harmony |= token == "<|return|>";
      AddEnd(static_cast<TokenId>(i));
    }
    // In the harmony format of gpt-oss "<|end|>" ends a message, and the answer goes on with the
    // next one; elsewhere (Phi 3) it ends the turn.
    if (!harmony) AddEnd(message_end);
  }

  const GgufMetadata& metadata_;
  std::unique_ptr<VocabSpec> vocab_;
};

// The end tokens that ReadGgufVocab would not find by their names.
TokenIds UnnamedEnds(const VocabSpec& vocab) {
  TokenIds ends;
  for (const TokenId id : vocab.end_of_generation) {
    const auto i = static_cast<size_t>(id);
    const bool named = i < vocab.tokens.size() && IsSpecial(vocab.kinds[i]) &&
                       Contains(kTurnEnds, vocab.tokens[i]) && vocab.tokens[i] != "<|end|>";
    if (id != vocab.eos && !named) ends.push_back(id);
  }
  return ends;
}

void SetIds(const VocabSpec& vocab, const TokenIds& ends, GgufWriter& writer) {
  const auto set = [&](std::string_view name, TokenId id) {
    if (id != kNoToken) writer.Set(Key(name), static_cast<uint32_t>(id));
  };
  set("bos_token_id", vocab.bos);
  set("eos_token_id", vocab.eos);
  set("unknown_token_id", vocab.unknown);
  set("padding_token_id", vocab.padding);
  if (!ends.empty()) set("eot_token_id", ends[0]);
  if (ends.size() > 1) set("eom_token_id", ends[1]);
}

}  // namespace

Result<std::unique_ptr<VocabSpec>> ReadGgufVocab(const GgufMetadata& metadata) {
  return VocabReader(metadata).Read();
}

Status SetGgufVocab(const VocabSpec& vocab, GgufWriter& writer) {
  if (vocab.merge_by_token_rank && vocab.merges.empty()) {
    return Unsupported(
        "a vocabulary of tiktoken ranks without merges cannot be written as GGUF yet");
  }
  const TokenIds ends = UnnamedEnds(vocab);
  if (ends.size() > 2) {
    return Unsupported("GGUF names at most two end tokens besides EOS, the vocabulary has {}",
                       ends.size());
  }
  for (const auto& [name, algorithm] : kAlgorithms) {
    if (algorithm == vocab.algorithm) writer.Set(Key("model"), std::string(name));
  }
  if (!vocab.pretokenizer.empty()) writer.Set(Key("pre"), vocab.pretokenizer);
  writer.Set(Key("tokens"), vocab.tokens);
  std::vector<int32_t> types;
  types.reserve(vocab.kinds.size());
  for (const TokenKind kind : vocab.kinds) {
    // From 1: 0 is "undefined".
    const auto it = std::find(kKinds.begin() + 1, kKinds.end(), kind);
    types.push_back(static_cast<int32_t>(it - kKinds.begin()));
  }
  writer.Set(Key("token_type"), std::move(types));
  if (!vocab.scores.empty()) writer.Set(Key("scores"), vocab.scores);
  if (!vocab.merges.empty()) {
    std::vector<std::string> merges;
    merges.reserve(vocab.merges.size());
    for (const auto& [left, right] : vocab.merges) {
      if (left.empty() || right.empty() || left.find(' ', 1) != std::string::npos) {
        return Unsupported("merge {} (\"{}\", \"{}\") cannot be written with a space between",
                           merges.size(), Printable(left), Printable(right));
      }
      merges.push_back(left + " " + right);
    }
    writer.Set(Key("merges"), std::move(merges));
  }
  SetIds(vocab, ends, writer);
  writer.Set(Key("add_bos_token"), vocab.add_bos);
  writer.Set(Key("add_eos_token"), vocab.add_eos);
  writer.Set(Key("add_space_prefix"), vocab.add_space_prefix);
  writer.Set(Key("remove_extra_whitespaces"), vocab.remove_extra_whitespace);
  if (!vocab.chat_template.empty()) writer.Set(kTemplateKey, vocab.chat_template);
  return Status();
}

}  // namespace tutti::format
