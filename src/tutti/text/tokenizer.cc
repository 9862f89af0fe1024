#include "tutti/text/tokenizer.h"

#include <limits>

#include "tutti/text/chat_template.h"
#include "tutti/text/tokenizer_kinds.h"
#include "tutti/text/unicode.h"

namespace tutti::text {
namespace {

Status CheckId(std::string_view what, TokenId id, size_t vocabulary) {
  if (id == kNoToken || (id >= 0 && static_cast<size_t>(id) < vocabulary)) return Status();
  return DataError("{} is token {}, the vocabulary has {}", what, id, vocabulary);
}

Status CheckIds(std::string_view what, const TokenIds& ids, size_t vocabulary) {
  for (const TokenId id : ids) {
    if (id == kNoToken) return DataError("{} contains the token -1", what);
    TUTTI_RETURN_IF_ERROR(CheckId(what, id, vocabulary));
  }
  return Status();
}

Status CheckSpec(const VocabSpec& spec) {
  const size_t count = spec.tokens.size();
  if (count == 0) return DataError("the vocabulary is empty");
  if (count > std::numeric_limits<TokenId>::max() / 2) {
    return DataError("the vocabulary has {} tokens, more than ids can number", count);
  }
  if (spec.kinds.size() != count) {
    return DataError("{} kinds of tokens for {} tokens", spec.kinds.size(), count);
  }
  if (!spec.scores.empty() && spec.scores.size() != count) {
    return DataError("{} scores for {} tokens", spec.scores.size(), count);
  }
  TUTTI_RETURN_IF_ERROR(CheckId("BOS", spec.bos, count));
  TUTTI_RETURN_IF_ERROR(CheckId("EOS", spec.eos, count));
  TUTTI_RETURN_IF_ERROR(CheckId("the unknown token", spec.unknown, count));
  TUTTI_RETURN_IF_ERROR(CheckId("padding", spec.padding, count));
  TUTTI_RETURN_IF_ERROR(CheckIds("the prefix", spec.prefix, count));
  TUTTI_RETURN_IF_ERROR(CheckIds("the suffix", spec.suffix, count));
  TUTTI_RETURN_IF_ERROR(CheckIds("the end of generation", spec.end_of_generation, count));
  for (const AddedTokenRule& rule : spec.added_rules) {
    TUTTI_RETURN_IF_ERROR(CheckIds("the list of added tokens", {rule.id}, count));
  }
  return Status();
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::Create(VocabSpec spec) {
  TUTTI_RETURN_IF_ERROR(CheckSpec(spec));
  switch (spec.algorithm) {
    case TokenizerAlgorithm::kByteBpe:
      return CreateByteBpe(std::move(spec));
    case TokenizerAlgorithm::kSentencePiece:
      return CreateSentencePiece(std::move(spec));
    case TokenizerAlgorithm::kUnigram:
      break;
  }
  return Unsupported("unigram vocabularies (T5) are not supported yet");
}

void Tokenizer::Prepare(std::vector<std::string> token_bytes) {
  token_bytes_ = std::move(token_bytes);
  std::vector<AddedTokenRule> rules(spec_.tokens.size());
  for (const AddedTokenRule& rule : spec_.added_rules) rules[static_cast<size_t>(rule.id)] = rule;
  for (size_t i = 0; i < spec_.tokens.size(); ++i) {
    const TokenKind kind = spec_.kinds[i];
    const bool control = kind == TokenKind::kControl || kind == TokenKind::kUnknown;
    if ((!control && kind != TokenKind::kUserDefined) || spec_.tokens[i].empty()) continue;
    AddedTokenRule rule = rules[i];
    rule.id = static_cast<TokenId>(i);
    if (!rule.normalized || !normalizes()) {
      raw_tokens_.Add(spec_.tokens[i], control, rule);
      continue;
    }
    const std::string text =
        rule.verbatim ? spec_.tokens[i] : Normalize(spec_.tokens[i], true, nullptr);
    if (!text.empty()) normalized_tokens_.Add(text, control, rule);
  }
}

TokenIds Tokenizer::Encode(std::string_view text, const EncodeOptions& options) const {
  TokenIds ids;
  if (options.add_special) {
    ids = spec_.prefix;
    if (ids.empty() && spec_.add_bos && spec_.bos != kNoToken) ids.push_back(spec_.bos);
  }
  const TokenIds body = EncodeMasked(text, {options.parse_special, {}});
  ids.insert(ids.end(), body.begin(), body.end());
  if (options.add_special) {
    ids.insert(ids.end(), spec_.suffix.begin(), spec_.suffix.end());
    if (spec_.suffix.empty() && spec_.add_eos && spec_.eos != kNoToken) ids.push_back(spec_.eos);
  }
  return ids;
}

TokenIds Tokenizer::EncodeMasked(std::string_view text, const ControlMask& mask) const {
  TokenIds ids;
  size_t begin = 0;
  for (const AddedTokens::Match& match : raw_tokens_.Find(text, mask)) {
    const size_t size = match.begin - begin;
    EncodePiece(text.substr(begin, size), begin == 0, mask.Part(begin, size), &ids);
    ids.push_back(match.id);
    begin = match.end;
  }
  EncodePiece(text.substr(begin), begin == 0, mask.Part(begin, std::string::npos), &ids);
  return ids;
}

void Tokenizer::EncodePiece(std::string_view text, bool at_start, ControlMask mask,
                            TokenIds* ids) const {
  if (text.empty()) return;
  std::string normalized;
  if (normalizes()) {
    normalized = Normalize(text, at_start, &mask);
    text = normalized;
  }
  size_t begin = 0;
  for (const AddedTokens::Match& match : normalized_tokens_.Find(text, mask)) {
    if (begin < match.begin) EncodeNormalized(text.substr(begin, match.begin - begin), ids);
    ids->push_back(match.id);
    begin = match.end;
  }
  if (begin < text.size()) EncodeNormalized(text.substr(begin), ids);
}

const std::string& Tokenizer::TokenBytes(TokenId id) const {
  static const std::string nothing;
  if (id < 0 || static_cast<size_t>(id) >= token_bytes_.size()) return nothing;
  return token_bytes_[static_cast<size_t>(id)];
}

std::string Tokenizer::Decode(std::span<const TokenId> ids, bool keep_special) const {
  std::string bytes;
  for (const TokenId id : ids) {
    const bool known = id >= 0 && static_cast<size_t>(id) < spec_.kinds.size();
    const TokenKind kind = known ? spec_.kinds[static_cast<size_t>(id)] : TokenKind::kUnused;
    if (kind == TokenKind::kControl && (!keep_special || spec_.silent_control)) continue;
    if (kind == TokenKind::kUnknown && !keep_special) continue;
    bytes += TokenBytes(id);
  }
  if (spec_.algorithm != TokenizerAlgorithm::kByteBpe && bytes.starts_with(' ')) {
    if (spec_.remove_extra_whitespace) {
      bytes.erase(0, bytes.find_first_not_of(' '));
    } else if (spec_.add_space_prefix) {
      bytes.erase(0, 1);
    }
  }
  return ToValidUtf8(bytes);
}

TokenIds EncodeSegments(const Tokenizer& tokenizer, std::span<const RenderedSegment> segments) {
  std::string text;
  ControlMask mask;
  for (const RenderedSegment& segment : segments) {
    text += segment.text;
    mask.bytes.append(segment.text.size(), segment.from_template ? '\1' : '\0');
  }
  return tokenizer.EncodeMasked(text, mask);
}

std::string StreamDecoder::Push(TokenId id) {
  held_ += tokenizer_.TokenBytes(id);
  std::string out;
  size_t pos = 0;
  while (pos < held_.size()) {
    const Rune rune = DecodeRune(held_, pos);
    if (rune.kind == Rune::Kind::kIncomplete) break;
    if (rune.kind == Rune::Kind::kValid) {
      out.append(held_, pos, rune.size);
    } else {
      AppendUtf8(kReplacement, &out);
    }
    pos += rune.size;
  }
  held_.erase(0, pos);
  return out;
}

std::string StreamDecoder::Finish() {
  const std::string out = ToValidUtf8(held_);
  held_.clear();
  return out;
}

TokenIds EncodeOpenText(const Tokenizer& tokenizer, std::string_view text) {
  const VocabSpec& vocab = tokenizer.spec();
  TokenIds ids = tokenizer.Encode(text, {.add_special = true, .parse_special = false});
  TokenIds suffix = vocab.suffix;
  if (suffix.empty() && vocab.add_eos) suffix = {vocab.eos};
  if (ids.size() >= suffix.size() && std::equal(suffix.rbegin(), suffix.rend(), ids.rbegin())) {
    ids.resize(ids.size() - suffix.size());
  }
  return ids;
}

}  // namespace tutti::text
