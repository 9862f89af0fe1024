// Byte-level BPE: bytes are the symbols, pre-tokens the words (Radford et al.: "Language models are
// unsupervised multitask learners", 2019).
#include <array>
#include <optional>

#include "tutti/base/printable.h"
#include "tutti/text/bpe.h"
#include "tutti/text/byte_alphabet.h"
#include "tutti/text/nfc.h"
#include "tutti/text/pretokenizer.h"
#include "tutti/text/token_index.h"
#include "tutti/text/tokenizer_kinds.h"

namespace tutti::text {
namespace {

class ByteBpeTokenizer final : public Tokenizer {
 public:
  ByteBpeTokenizer(VocabSpec spec, Pretokenizer pretokenizer)
      : Tokenizer(std::move(spec)), pretokenizer_(pretokenizer) {}

  Status Build() {
    std::vector<std::string> bytes(spec_.tokens.size());
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = BytesOfToken(i);
    Prepare(std::move(bytes));

    TokenIndex normal(spec_.tokens.size());
    for (size_t i = 0; i < spec_.tokens.size(); ++i) {
      if (spec_.kinds[i] != TokenKind::kNormal) continue;
      const auto id = static_cast<TokenId>(i);
      if (const TokenId other = normal.Add(TokenBytes(id), id); other != kNoToken) {
        return DataError("tokens {} and {} are both \"{}\"", other, id, Printable(spec_.tokens[i]));
      }
    }
    byte_ids_.fill(kNoToken);
    for (size_t b = 0; b < byte_ids_.size(); ++b) {
      const char byte = static_cast<char>(b);
      const TokenId id = normal.Find(std::string_view(&byte, 1));
      byte_ids_[b] = id == kNoToken ? spec_.unknown : id;
    }
    TUTTI_RETURN_IF_ERROR(spec_.merge_by_token_rank ? BuildMergesByRank(normal)
                                                    : BuildListedMerges());
    if (spec_.ignore_merges) words_ = std::move(normal);
    spec_.merges = {};  // their work is done; the table has what is needed
    return Status();
  }

 protected:
  bool normalizes() const override { return spec_.nfc; }

  std::string Normalize(std::string_view text, bool, ControlMask* mask) const override {
    if (!spec_.nfc || !MayChangeInNfc(text)) return std::string(text);
    return ToNfc(text, mask != nullptr && !mask->bytes.empty() ? &mask->bytes : nullptr);
  }

  void EncodeNormalized(std::string_view text, TokenIds* ids) const override {
    BpeMerger merger(merges_);
    TokenIds symbols;
    size_t begin = 0;
    for (const size_t end : pretokenizer_.Split(text)) {
      for (; begin < end; begin += std::min(end - begin, kMaxSymbols)) {
        const std::string_view word = text.substr(begin, std::min(end - begin, kMaxSymbols));
        EncodeWord(word, &merger, &symbols, ids);
      }
    }
  }

 private:
  std::string BytesOfToken(size_t i) const {
    const TokenKind kind = spec_.kinds[i];
    if (kind == TokenKind::kNormal || kind == TokenKind::kUnused) {
      if (auto bytes = BytesOfPrintable(spec_.tokens[i])) return *std::move(bytes);
    }
    return spec_.tokens[i];
  }

  void EncodeWord(std::string_view word, BpeMerger* merger, TokenIds* symbols,
                  TokenIds* ids) const {
    if (spec_.ignore_merges) {
      if (const TokenId id = words_.Find(word); id != kNoToken) {
        ids->push_back(id);
        return;
      }
    }
    symbols->clear();
    for (const char c : word) {
      const TokenId id = byte_ids_[static_cast<unsigned char>(c)];
      if (id != kNoToken) symbols->push_back(id);
    }
    merger->Merge(symbols);
    ids->insert(ids->end(), symbols->begin(), symbols->end());
  }

  // Every pair of tokens that together are a token.
  Status BuildMergesByRank(const TokenIndex& normal) {
    merges_ = MergeTable(spec_.tokens.size() * 2);
    for (size_t i = 0; i < spec_.tokens.size(); ++i) {
      const auto id = static_cast<TokenId>(i);
      const std::string_view bytes = TokenBytes(id);
      if (spec_.kinds[i] != TokenKind::kNormal || bytes.size() < 2) continue;
      if (bytes.size() > kMaxMergedBytes) {
        return DataError("token {} has {} bytes, merges are made up to {}", id, bytes.size(),
                         kMaxMergedBytes);
      }
      for (size_t cut = 1; cut < bytes.size(); ++cut) {
        const TokenId left = normal.Find(bytes.substr(0, cut));
        if (left == kNoToken) continue;
        const TokenId right = normal.Find(bytes.substr(cut));
        if (right == kNoToken) continue;
        merges_.Add(left, right, static_cast<uint32_t>(id), id);
      }
    }
    return Status();
  }

  // Merges are written in the printable alphabet, as normal tokens are; one that became an added
  // token may stand there as it is in text. Control tokens are never made of text.
  Status BuildListedMerges() {
    TokenIndex tokens(spec_.tokens.size());
    for (const bool normal : {true, false}) {
      for (size_t i = 0; i < spec_.tokens.size(); ++i) {
        if (spec_.kinds[i] == TokenKind::kUnused ||
            (spec_.kinds[i] == TokenKind::kNormal) != normal) {
          continue;
        }
        tokens.Add(spec_.tokens[i], static_cast<TokenId>(i));
      }
    }
    const auto find = [&](std::string_view printable) {
      const TokenId id = tokens.Find(printable);
      if (id != kNoToken) return id;
      const auto bytes = BytesOfPrintable(printable);
      return bytes ? tokens.Find(*bytes) : kNoToken;
    };
    merges_ = MergeTable(spec_.merges.size());
    std::string result_text;
    for (size_t rank = 0; rank < spec_.merges.size(); ++rank) {
      const auto& [left_text, right_text] = spec_.merges[rank];
      result_text.assign(left_text).append(right_text);
      const TokenId left = find(left_text), right = find(right_text), result = find(result_text);
      if (left == kNoToken || right == kNoToken || result == kNoToken) {
        return DataError("merge {} (\"{}\" \"{}\") names a token that the vocabulary lacks", rank,
                         Printable(left_text), Printable(right_text));
      }
      if (spec_.kinds[static_cast<size_t>(result)] == TokenKind::kControl) continue;
      merges_.Add(left, right, static_cast<uint32_t>(rank), result);
    }
    return Status();
  }

  Pretokenizer pretokenizer_;
  std::array<TokenId, 256> byte_ids_{};  // kNoToken: the byte is dropped
  MergeTable merges_;
  TokenIndex words_;  // with ignore_merges
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> CreateByteBpe(VocabSpec spec) {
  TUTTI_ASSIGN_OR_RETURN(const Pretokenizer pretokenizer, Pretokenizer::Named(spec.pretokenizer));
  auto tokenizer = std::make_unique<ByteBpeTokenizer>(std::move(spec), pretokenizer);
  TUTTI_RETURN_IF_ERROR(tokenizer->Build());
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

}  // namespace tutti::text
