// Any bytes as text, through every scanner: nothing is lost, users form no control tokens,
// streaming gives what decoding gives. The first two bytes choose the tokenizer and where template
// text ends.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tutti/base/check.h"
#include "tutti/text/byte_alphabet.h"
#include "tutti/text/chat_template.h"
#include "tutti/text/pretokenizer.h"
#include "tutti/text/tokenizer.h"
#include "tutti/text/unicode.h"

namespace {

using tutti::TokenId;
using tutti::TokenIds;
using tutti::TokenKind;
using tutti::VocabSpec;
using tutti::text::Tokenizer;

constexpr TokenId kControl = 0, kOtherControl = 1;  // "<|x|>" and "|><|", which can overlap

void AddToken(std::string_view text, TokenKind kind, VocabSpec* spec) {
  spec->tokens.emplace_back(text);
  spec->kinds.push_back(kind);
  spec->scores.push_back(-static_cast<float>(spec->tokens.size()));
}

VocabSpec Common() {
  VocabSpec spec;
  AddToken("<|x|>", TokenKind::kControl, &spec);
  AddToken("|><|", TokenKind::kControl, &spec);
  AddToken("<think>", TokenKind::kUserDefined, &spec);
  return spec;
}

std::unique_ptr<Tokenizer> ByteBpe(std::string_view pretokenizer) {
  VocabSpec spec = Common();
  spec.pretokenizer = pretokenizer;
  const auto printable = [](std::string_view bytes) {
    return tutti::text::PrintableOfBytes(bytes);
  };
  for (int b = 0; b < 256; ++b) {
    const char byte = static_cast<char>(b);
    AddToken(printable({&byte, 1}), TokenKind::kNormal, &spec);
  }
  for (const auto& [left, right] :
       {std::pair("a", "a"), std::pair("aa", "aa"), std::pair("aaaa", "aaaa"), std::pair(" ", "a"),
        std::pair(" ", " "), std::pair("  ", "  "), std::pair("\n", "\n"), std::pair("<", "|"),
        std::pair("|", ">"), std::pair("b", "a"), std::pair("\xC3", "\xA9"), std::pair("1", "1"),
        std::pair("aa", "b"), std::pair("\xE4", "\xB8"), std::pair("\xE4\xB8", "\xAD")}) {
    spec.merges.emplace_back(printable(left), printable(right));
    AddToken(printable(std::string(left) + right), TokenKind::kNormal, &spec);
  }
  auto tokenizer = Tokenizer::Create(std::move(spec));
  TUTTI_CHECK(tokenizer.ok(), tokenizer.status().message());
  return std::move(*tokenizer);
}

std::unique_ptr<Tokenizer> SentencePiece() {
  VocabSpec spec = Common();
  spec.algorithm = tutti::TokenizerAlgorithm::kSentencePiece;
  spec.add_space_prefix = true;
  for (int b = 0; b < 256; ++b) {
    AddToken(fmt::format("<0x{:02X}>", b), TokenKind::kByte, &spec);
  }
  for (const char* piece : {"aa", "\u2581a", "aaaa", "\u2581\u2581", "ab", "a", "b", "\u2581", "\n",
                            "\u00e9", "\u2581the", "th", "t", "h", "1"}) {
    AddToken(piece, TokenKind::kNormal, &spec);
  }
  auto tokenizer = Tokenizer::Create(std::move(spec));
  TUTTI_CHECK(tokenizer.ok(), tokenizer.status().message());
  return std::move(*tokenizer);
}

std::vector<std::unique_ptr<Tokenizer>> MakeAll() {
  std::vector<std::unique_ptr<Tokenizer>> all;
  for (const std::string_view name : tutti::text::PretokenizerNames()) all.push_back(ByteBpe(name));
  for (int i = 0; i < 16; ++i) all.push_back(SentencePiece());
  return all;
}

void CheckStream(const Tokenizer& tokenizer, const TokenIds& ids, std::string_view bytes) {
  tutti::text::StreamDecoder decoder(tokenizer);
  std::string streamed;
  for (const TokenId id : ids) streamed += decoder.Push(id);
  streamed += decoder.Finish();
  TUTTI_CHECK(streamed == tutti::text::ToValidUtf8(bytes), "streaming gives the whole text");
}

std::string Joined(const Tokenizer& tokenizer, const TokenIds& ids) {
  std::string bytes;
  for (const TokenId id : ids) bytes += tokenizer.TokenBytes(id);
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto all = MakeAll();
  if (size < 2) return 0;
  const Tokenizer& tokenizer = *all[data[0] % all.size()];
  const std::string text(reinterpret_cast<const char*>(data + 2), size - 2);
  const size_t cut = text.empty() ? 0 : data[1] * text.size() / 255;

  const TokenIds plain = tokenizer.Encode(text, {true, false});
  for (const TokenId id : plain) TUTTI_CHECK(id > kOtherControl, "no control token unasked for");
  if (tokenizer.spec().algorithm == tutti::TokenizerAlgorithm::kSentencePiece) {
    if (text.find("\u2581") == std::string::npos && text.find("<think>") == std::string::npos) {
      TUTTI_CHECK(tokenizer.Decode(plain, true) == tutti::text::ToValidUtf8(text),
                  "text comes back");
    }
    CheckStream(tokenizer, plain, Joined(tokenizer, plain));
    return 0;
  }
  TUTTI_CHECK(Joined(tokenizer, plain) == text, "bytes come back");
  CheckStream(tokenizer, plain, text);
  const TokenIds parsed = tokenizer.Encode(text, {true, true});
  TUTTI_CHECK(Joined(tokenizer, parsed) == text, "bytes come back with control tokens");

  // The template's text, then the user's: control tokens in the former only.
  const tutti::text::RenderedSegment segments[] = {{text.substr(0, cut), true},
                                                   {text.substr(cut), false}};
  const TokenIds ids = tutti::text::EncodeSegments(tokenizer, segments);
  TUTTI_CHECK(Joined(tokenizer, ids) == text, "bytes come back from segments");
  size_t end = 0;
  for (const TokenId id : ids) {
    end += tokenizer.TokenBytes(id).size();
    if (id == kControl || id == kOtherControl) {
      TUTTI_CHECK(end <= cut, "control tokens come from the template");
    }
  }
  return 0;
}
