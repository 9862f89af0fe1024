// Vocabularies without settings: tiktoken's rank files (base64 and rank on each line) and GPT-2's
// pair of vocab.json and merges.txt.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <unordered_map>

#include "tutti/base/printable.h"
#include "tutti/text/byte_alphabet.h"
#include "tutti/text/json_access.h"
#include "tutti/text/tokenizer_files.h"
#include "tutti/text/vocab_builder.h"

namespace tutti::text {
namespace {

namespace json = boost::json;

// Vocabularies that are published without their settings, known by the number of their ordinary
// tokens. `special` are the tokens that every user of the vocabulary adds, from `first_special` on.
struct KnownVocabulary {
  size_t tokens;
  std::string_view pretokenizer;
  bool nfc = false;
  bool ignore_merges = false;
  TokenId first_special = kNoToken;
  std::array<std::string_view, 3> special = {};
};
constexpr KnownVocabulary kKnown[] = {
    {50256, "gpt-2", false, false, 50256, {"<|endoftext|>"}},  // GPT-2, r50k
    {50252, "gpt-neox"},
    {100256, "llama-bpe", false, true, 100257, {"<|endoftext|>"}},  // GPT-4 (cl100k)
    {128000, "llama-bpe", false, true},                             // Llama 3
    {151643, "qwen2", true, false, 151643, {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}},
    {163584, "kimi-k2", false, true},
    {199998, "gpt-4o", false, true, 199999, {"<|endoftext|>"}},  // GPT-4o, gpt-oss (o200k)
};

// The settings of a known vocabulary; `pretokenizer`, where not empty, is certain.
Status SetPretokenizer(std::string_view pretokenizer, VocabSpec* spec) {
  const auto normal =
      static_cast<size_t>(std::count(spec->kinds.begin(), spec->kinds.end(), TokenKind::kNormal));
  const auto* known =
      std::find_if(std::begin(kKnown), std::end(kKnown), [&](const KnownVocabulary& entry) {
        return entry.tokens == normal &&
               (pretokenizer.empty() || entry.pretokenizer == pretokenizer);
      });
  if (known == std::end(kKnown)) {
    spec->pretokenizer = pretokenizer;
    if (!pretokenizer.empty()) return Status();
    return Unsupported(
        "the file does not say how text is cut before merging, and a vocabulary of {} tokens is "
        "not a known one; use the model's tokenizer.json",
        normal);
  }
  spec->pretokenizer = known->pretokenizer;
  spec->nfc = known->nfc;
  spec->ignore_merges |= known->ignore_merges;
  if (known->first_special == kNoToken ||
      std::find(spec->kinds.begin(), spec->kinds.end(), TokenKind::kControl) != spec->kinds.end()) {
    return Status();
  }
  VocabBuilder builder(spec, spec->tokens.size());
  TokenId id = known->first_special;
  for (const std::string_view token : known->special) {
    if (token.empty()) break;
    TUTTI_RETURN_IF_ERROR(builder.Add(id++, token, TokenKind::kControl));
  }
  return Status();
}

int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  if (text.ends_with('=')) text.remove_suffix(text.ends_with("==") ? 2 : 1);
  std::string bytes;
  uint32_t bits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const int digit = Base64Digit(text[i]);
    if (digit < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(digit);
    if (i % 4 == 1) bytes.push_back(static_cast<char>(bits >> 4));
    if (i % 4 == 2) bytes.push_back(static_cast<char>(bits >> 2));
    if (i % 4 == 3) bytes.push_back(static_cast<char>(bits));
  }
  return bytes;
}

// Calls on_line(line, number) for each line, without its end; stops at an error.
template <typename OnLine>
Status ForEachLine(std::string_view content, const OnLine& on_line) {
  for (size_t pos = 0, number = 1; pos < content.size(); ++number) {
    const size_t end = std::min(content.find('\n', pos), content.size());
    std::string_view line = content.substr(pos, end - pos);
    if (line.ends_with('\r')) line.remove_suffix(1);
    TUTTI_RETURN_IF_ERROR(on_line(line, number));
    pos = end + 1;
  }
  return Status();
}

// Longer tokens are not looked at: every cut of a token is looked up, and no name is longer.
constexpr size_t kMaxSpecialBytes = 256;

bool LooksSpecial(std::string_view bytes) {
  return bytes.size() > 4 && bytes.size() <= kMaxSpecialBytes && bytes.starts_with("<|") &&
         bytes.ends_with("|>");
}

// Rank files may hold special tokens among the others: named <|...|> and not made of two others.
void MarkSpecialTokens(VocabSpec* spec) {
  std::unordered_map<std::string_view, size_t> known;
  for (size_t i = 0; i < spec->tokens.size(); ++i) known.emplace(spec->tokens[i], i);
  for (size_t i = 0; i < spec->tokens.size(); ++i) {
    const std::string_view token = spec->tokens[i];
    if (!LooksSpecial(token)) continue;
    bool made_of_two = false;
    for (size_t cut = 1; cut < token.size() && !made_of_two; ++cut) {
      made_of_two = known.contains(token.substr(0, cut)) && known.contains(token.substr(cut));
    }
    if (!made_of_two) spec->kinds[i] = TokenKind::kControl;
  }
}

// The one by which all vocabularies without settings end an answer.
void FindEndOfText(VocabSpec* spec) {
  for (size_t i = 0; i < spec->tokens.size(); ++i) {
    if (spec->tokens[i] != "<|endoftext|>" || spec->kinds[i] != TokenKind::kControl) continue;
    spec->eos = static_cast<TokenId>(i);
    spec->end_of_generation = {spec->eos};
  }
}

}  // namespace

Result<VocabSpec> ParseRankFile(std::string_view content, std::string_view pretokenizer) {
  VocabSpec spec;
  spec.merge_by_token_rank = true;
  spec.ignore_merges = true;  // tiktoken looks for the whole pre-token first
  const auto lines = std::count(content.begin(), content.end(), '\n') + 1;
  VocabBuilder builder(&spec, static_cast<size_t>(lines));
  TUTTI_RETURN_IF_ERROR(ForEachLine(content, [&](std::string_view line, size_t number) -> Status {
    while (line.ends_with(' ')) line.remove_suffix(1);
    if (line.empty()) return Status();
    const size_t space = std::min(line.find(' '), line.size());
    const auto bytes = DecodeBase64(line.substr(0, space));
    const std::string_view digits = line.substr(std::min(space + 1, line.size()));
    int64_t rank = -1;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), rank);
    if (!bytes || bytes->empty() || parsed.ec != std::errc() ||
        parsed.ptr != digits.data() + digits.size()) {
      return DataError("line {}: \"{}\" is not base64 and a rank", number, Printable(line));
    }
    return builder.Add(rank, PrintableOfBytes(*bytes), TokenKind::kNormal)
        .WithContext(fmt::format("line {}", number));
  }));
  MarkSpecialTokens(&spec);
  TUTTI_RETURN_IF_ERROR(SetPretokenizer(pretokenizer, &spec));
  FindEndOfText(&spec);
  return spec;
}

Result<VocabSpec> ParseVocabAndMerges(std::string_view vocab_json, std::string_view merges_txt,
                                      std::string_view pretokenizer) {
  TUTTI_ASSIGN_OR_RETURN(const json::value root, ParseJson(vocab_json));
  if (!root.is_object()) return DataError("a vocab.json is an object, this is {}", Shown(root));
  VocabSpec spec;
  VocabBuilder builder(&spec, root.get_object().size());
  for (const auto& [key, id] : root.get_object()) {
    const std::string_view token(key.data(), key.size());
    if (!id.is_int64()) {
      return DataError("the id of token \"{}\" is {}", Printable(token), Shown(id));
    }
    TUTTI_RETURN_IF_ERROR(builder.Add(id.get_int64(), token, TokenKind::kNormal));
  }
  MarkSpecialTokens(&spec);
  TUTTI_RETURN_IF_ERROR(ForEachLine(merges_txt, [&](std::string_view line, size_t number) {
    if (line.empty() || (number == 1 && line.starts_with("#version"))) return Status();
    const size_t space = line.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == line.size()) {
      return DataError("merges, line {}: \"{}\" is not two parts", number, Printable(line));
    }
    spec.merges.emplace_back(line.substr(0, space), line.substr(space + 1));
    return Status();
  }));
  TUTTI_RETURN_IF_ERROR(SetPretokenizer(pretokenizer, &spec));
  FindEndOfText(&spec);
  return spec;
}

}  // namespace tutti::text
