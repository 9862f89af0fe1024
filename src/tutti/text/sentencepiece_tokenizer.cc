// SentencePiece's BPE: characters are the symbols, the whole text is one word, spaces are U+2581,
// and characters that the vocabulary lacks become bytes (Kudo, Richardson: "SentencePiece: A simple
// and language independent subword tokenizer and detokenizer for neural text processing", 2018).
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "tutti/base/printable.h"
#include "tutti/text/bpe.h"
#include "tutti/text/nfc.h"
#include "tutti/text/token_index.h"
#include "tutti/text/tokenizer_kinds.h"
#include "tutti/text/unicode.h"

namespace tutti::text {
namespace {

constexpr std::string_view kSpaceMark = "\u2581";
constexpr char32_t kSpaceMarkValue = 0x2581;

// True for "a\u2581b".
bool HasInnerWordStart(std::string_view piece) {
  const size_t first = std::min(piece.find_first_not_of(kSpaceMark), piece.size());
  return piece.substr(first).find(kSpaceMark) != std::string_view::npos;
}

std::string Replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const size_t hit = std::min(text.find(from, pos), text.size());
    out.append(text, pos, hit - pos);
    if (hit < text.size()) out += to;
    pos = hit + from.size();
  }
  return out;
}

// "<0x0A>" -> 10
std::optional<unsigned char> ByteOfName(std::string_view name) {
  if (name.size() != 6 || !name.starts_with("<0x") || name[5] != '>') return std::nullopt;
  unsigned value = 0;
  for (const char c : name.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<unsigned>(digit);
  }
  return static_cast<unsigned char>(value);
}

class SentencePieceTokenizer final : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(VocabSpec spec) : Tokenizer(std::move(spec)) {}

  Status Build() {
    byte_ids_.fill(kNoToken);
    ascii_symbols_.fill(kNoToken);
    std::vector<std::string> bytes(spec_.tokens.size());
    for (size_t i = 0; i < bytes.size(); ++i) {
      const std::optional<unsigned char> byte =
          spec_.kinds[i] == TokenKind::kByte ? ByteOfName(spec_.tokens[i]) : std::nullopt;
      if (spec_.kinds[i] == TokenKind::kByte && !byte) {
        return DataError("token {} is of the kind byte, but its name is \"{}\", not like <0x0A>", i,
                         Printable(spec_.tokens[i]));
      }
      if (byte) byte_ids_[*byte] = static_cast<TokenId>(i);
      bytes[i] = byte ? std::string(1, static_cast<char>(*byte))
                      : Replaced(spec_.tokens[i], kSpaceMark, " ");
    }
    Prepare(std::move(bytes));

    TokenIndex pieces(spec_.tokens.size());
    for (size_t i = 0; i < spec_.tokens.size(); ++i) {
      if (!IsPiece(i)) continue;
      const auto id = static_cast<TokenId>(i);
      if (const TokenId other = pieces.Add(spec_.tokens[i], id); other != kNoToken) {
        return DataError("tokens {} and {} are both \"{}\"", other, id, Printable(spec_.tokens[i]));
      }
      words_are_separate_ &= !HasInnerWordStart(spec_.tokens[i]);
    }
    NumberCharacters();
    return spec_.merges.empty() ? BuildMergesByScore(pieces) : BuildListedMerges(pieces);
  }

 protected:
  bool normalizes() const override { return true; }

  std::string Normalize(std::string_view text, bool at_start, ControlMask* mask) const override {
    std::string composed;
    std::string* mask_bytes = mask != nullptr && !mask->bytes.empty() ? &mask->bytes : nullptr;
    if (spec_.nfc && MayChangeInNfc(text)) {
      composed = ToNfc(text, mask_bytes);
      text = composed;
    }
    const bool has_one = text.starts_with(' ') || text.starts_with(kSpaceMark);
    const bool prefix = spec_.add_space_prefix && (at_start || !spec_.space_prefix_once) &&
                        !(spec_.space_prefix_if_none && has_one);
    std::string out, out_mask;
    out.reserve(text.size() + text.size() / 4 + kSpaceMark.size());
    const auto append = [&](std::string_view part, char allowed) {
      out += part;
      if (mask_bytes != nullptr) out_mask.append(part.size(), allowed);
    };
    bool space_pending = prefix && !text.empty();
    bool begun = false;
    for (size_t i = 0; i < text.size(); ++i) {
      const char allowed = mask_bytes != nullptr ? (*mask_bytes)[i] : '\0';
      if (text[i] == ' ' && spec_.remove_extra_whitespace) {
        space_pending |= begun;
        continue;
      }
      if (space_pending) append(kSpaceMark, allowed);
      space_pending = false;
      begun = true;
      append(text[i] == ' ' ? kSpaceMark : text.substr(i, 1), allowed);
    }
    if (mask_bytes != nullptr) *mask_bytes = std::move(out_mask);
    return out;
  }

  void EncodeNormalized(std::string_view text, TokenIds* ids) const override {
    BpeMerger merger(merges_);
    TokenIds symbols;
    for (size_t pos = 0; pos < text.size();) {
      symbols.clear();
      char32_t last = kSpaceMarkValue;
      while (pos < text.size() && symbols.size() < kMaxSymbols) {
        const Rune rune = DecodeRune(text, pos);
        if (words_are_separate_ && rune.value == kSpaceMarkValue && last != kSpaceMarkValue) break;
        last = rune.value;
        const TokenId symbol = rune.kind == Rune::Kind::kValid ? SymbolOf(rune.value) : kNoToken;
        if (symbol != kNoToken) {
          symbols.push_back(symbol);
        } else {
          AppendBytes(text.substr(pos, rune.size), &symbols);
        }
        pos += rune.size;
      }
      merger.Merge(&symbols);
      for (const TokenId symbol : symbols) AppendSymbol(symbol, ids);
    }
  }

 private:
  bool IsPiece(size_t i) const {
    return (spec_.kinds[i] == TokenKind::kNormal || spec_.kinds[i] == TokenKind::kUserDefined) &&
           !spec_.tokens[i].empty();
  }

  TokenId SymbolOf(char32_t c) const {
    if (c < ascii_symbols_.size()) return ascii_symbols_[c];
    const auto it = symbols_.find(c);
    return it == symbols_.end() ? kNoToken : it->second;
  }

  void SetSymbol(char32_t c, TokenId symbol) {
    if (c < ascii_symbols_.size()) {
      ascii_symbols_[c] = symbol;
    } else {
      symbols_[c] = symbol;
    }
  }

  // Characters are symbols under the id of their piece. One that is part of pieces without being
  // one gets a number behind the vocabulary, for it may still be merged.
  void NumberCharacters() {
    for (size_t i = 0; i < spec_.tokens.size(); ++i) {
      if (!IsPiece(i)) continue;
      const Rune rune = DecodeRune(spec_.tokens[i], 0);
      if (rune.size == spec_.tokens[i].size() && rune.kind == Rune::Kind::kValid) {
        SetSymbol(rune.value, static_cast<TokenId>(i));
      }
    }
    for (size_t i = 0; i < spec_.tokens.size(); ++i) {
      if (!IsPiece(i)) continue;
      const std::string_view piece = spec_.tokens[i];
      for (size_t pos = 0; pos < piece.size();) {
        const Rune rune = DecodeRune(piece, pos);
        pos += rune.size;
        if (rune.kind != Rune::Kind::kValid || SymbolOf(rune.value) != kNoToken) continue;
        SetSymbol(rune.value, static_cast<TokenId>(spec_.tokens.size() + extra_.size()));
        extra_.push_back(rune.value);
      }
    }
  }

  TokenId SymbolOfPiece(std::string_view piece, const TokenIndex& pieces) const {
    if (const TokenId id = pieces.Find(piece); id != kNoToken) return id;
    const Rune rune = DecodeRune(piece, 0);
    return rune.size == piece.size() && rune.kind == Rune::Kind::kValid ? SymbolOf(rune.value)
                                                                        : kNoToken;
  }

  // The best score has rank 0; equal scores share one.
  Status BuildMergesByScore(const TokenIndex& pieces) {
    if (spec_.scores.empty()) {
      return DataError("a SentencePiece vocabulary needs scores or a list of merges");
    }
    std::vector<float> scores;
    for (size_t i = 0; i < spec_.tokens.size(); ++i) {
      if (!IsPiece(i)) continue;
      if (std::isnan(spec_.scores[i])) return DataError("the score of token {} is not a number", i);
      scores.push_back(spec_.scores[i]);
    }
    std::sort(scores.begin(), scores.end(), std::greater<>());
    scores.erase(std::unique(scores.begin(), scores.end()), scores.end());
    merges_ = MergeTable(spec_.tokens.size() * 4);
    for (size_t i = 0; i < spec_.tokens.size(); ++i) {
      if (spec_.kinds[i] != TokenKind::kNormal) continue;
      const std::string_view piece = spec_.tokens[i];
      if (piece.size() > kMaxMergedBytes) {
        return DataError("token {} has {} bytes, merges are made up to {}", i, piece.size(),
                         kMaxMergedBytes);
      }
      const auto place =
          std::lower_bound(scores.begin(), scores.end(), spec_.scores[i], std::greater<>());
      const auto rank = static_cast<uint32_t>(place - scores.begin());
      for (size_t cut = 0; cut < piece.size();) {
        cut += DecodeRune(piece, cut).size;
        if (cut == piece.size()) break;
        const TokenId left = SymbolOfPiece(piece.substr(0, cut), pieces);
        if (left == kNoToken) continue;
        const TokenId right = SymbolOfPiece(piece.substr(cut), pieces);
        if (right != kNoToken) merges_.Add(left, right, rank, static_cast<TokenId>(i));
      }
    }
    return Status();
  }

  Status BuildListedMerges(const TokenIndex& pieces) {
    merges_ = MergeTable(spec_.merges.size());
    for (size_t rank = 0; rank < spec_.merges.size(); ++rank) {
      const auto& [left_text, right_text] = spec_.merges[rank];
      const TokenId left = pieces.Find(left_text), right = pieces.Find(right_text);
      const TokenId result = pieces.Find(left_text + right_text);
      if (left == kNoToken || right == kNoToken || result == kNoToken) {
        return DataError("merge {} (\"{}\" \"{}\") names a token that the vocabulary lacks", rank,
                         Printable(left_text), Printable(right_text));
      }
      merges_.Add(left, right, static_cast<uint32_t>(rank), result);
    }
    spec_.merges = {};
    return Status();
  }

  // Bytes as their tokens where all of them have one, else as one unknown token.
  void AppendBytes(std::string_view bytes, TokenIds* ids) const {
    const bool all = std::all_of(bytes.begin(), bytes.end(), [&](char c) {
      return byte_ids_[static_cast<unsigned char>(c)] != kNoToken;
    });
    if (all) {
      for (const char c : bytes) ids->push_back(byte_ids_[static_cast<unsigned char>(c)]);
    } else if (spec_.unknown != kNoToken && (ids->empty() || ids->back() != spec_.unknown)) {
      ids->push_back(spec_.unknown);  // a run of unknown characters is one token
    }
  }

  void AppendSymbol(TokenId symbol, TokenIds* ids) const {
    if (static_cast<size_t>(symbol) < spec_.tokens.size()) {
      ids->push_back(symbol);
      return;
    }
    std::string bytes;
    AppendUtf8(extra_[static_cast<size_t>(symbol) - spec_.tokens.size()], &bytes);
    AppendBytes(bytes, ids);
  }

  std::array<TokenId, 256> byte_ids_{};
  // No piece holds a space mark behind another character, so that merging never crosses the
  // beginning of a word: then words are merged one by one, which is faster.
  bool words_are_separate_ = true;
  std::array<TokenId, 128> ascii_symbols_{};
  std::unordered_map<char32_t, TokenId> symbols_;
  std::vector<char32_t> extra_;  // characters numbered behind the vocabulary
  MergeTable merges_;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> CreateSentencePiece(VocabSpec spec) {
  auto tokenizer = std::make_unique<SentencePieceTokenizer>(std::move(spec));
  TUTTI_RETURN_IF_ERROR(tokenizer->Build());
  return std::unique_ptr<Tokenizer>(std::move(tokenizer));
}

}  // namespace tutti::text
