#include "tutti/text/pretokenizer_regex.h"

#include <algorithm>
#include <vector>

#include "tutti/base/printable.h"
#include "tutti/text/pretokenizer.h"
#include "tutti/text/unicode.h"

namespace tutti::text {

const std::string_view kByteLevelRegex =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const std::string_view kNumbersRegex = R"(\p{N}+)";
const std::string_view kOneNumberRegex = R"(\p{N})";
const std::string_view kPunctuationRegex = R"([\p{P}\$\+<=>\^~\|`]+)";

namespace {

// Spellings that mean the same; the first of each pair is looked for, the second compared.
constexpr std::pair<std::string_view, std::string_view> kSpellings[] = {
    {R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]))",
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"},
    {R"('(?i:[sdmt]|ll|ve|re))", R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"},
    {R"('(?:[sdmt]|ll|ve|re))", R"('s|'t|'re|'ve|'m|'ll|'d)"},
    // Possessive quantifiers where what follows cannot match what was taken.
    {R"([^\r\n\p{L}\p{N}]?+\p{L})", R"([^\r\n\p{L}\p{N}]?\p{L})"},
    {R"( ?[^\s\p{L}\p{N}]++[\r\n]*)", R"( ?[^\s\p{L}\p{N}]+[\r\n]*)"},
    // \s* takes all line ends but the last, so these end at the same place.
    {R"(|\s*[\r\n]|)", R"(|\s*[\r\n]+|)"},
    {R"(\p{N}{1}|)", R"(\p{N}|)"},
    {R"([0-9]{3})", R"([0-9][0-9][0-9])"},
};

// Stands in kPublished for DeepSeek LLM's list of letters.
constexpr std::string_view kCasedLetters = R"(\s?[cased letters]+)";

// Expressions joined by line feeds, after the replacements above. Real CR and LF in an expression
// are written \r and \n.
struct Published {
  std::string_view expressions;
  std::string_view name;
};
constexpr Published kPublished[] = {
    {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", "gpt-2"},
    {"\\p{N}\n"
     R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
     "starcoder"},
    {"[\\p{P}\\$\\+<=>\\^~\\|`]+\n"
     R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"
     "\n\\p{N}+\n[0-9][0-9][0-9]",
     "default"},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "llama-bpe"},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "qwen2"},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "qwen35"},
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "seed-coder"},
    {"\\p{N}{1,3}\n"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "minicpm5"},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "gpt-4o"},
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "tekken"},
    {R"([\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "kimi-k2"},
    {"\\p{N}{1,3}\n[一-龥぀-ゟ゠-ヿ]+\n"
     R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "deepseek-v3"},
    {"[\\r\\n]\n\\s?[cased "
     "letters]+\n\\s?[!-/:-~！-／：-～‘-‟　-。]+\n\\s+$\n[一-龥ࠀ-一가-\uD7FF]+\n\\p{N}",
     "deepseek-llm"},
    {"[\\r\\n]\n\\s?[cased "
     "letters]+\n\\s?[!-/:-~！-／：-～‘-‟　-。]+\n\\s+$\n[一-龥ࠀ-一가-\uD7FF]+\n\\p{N}+",
     "deepseek-llm"},
    {"[\\r\\n]\n\\s?\\p{L}+\n\\s?\\p{P}+\n[一-龥ࠀ-一가-\uD7FF]+\n\\p{N}", "deepseek-coder"},
    {R"( ?[^(\s|.,!?…。，、।۔،)]+)", "bloom"},
    {" ?[^(\\s|.,!?…。，、।۔،)]+\n\\p{N}", "viking"},
};

// True where `expression` is \s?[...]+ with the letters that DeepSeek LLM lists one by one, in any
// order and division into ranges.
bool ListsDeepSeekLetters(std::string_view expression) {
  constexpr std::string_view kBefore = "\\s?[", kAfter = "]+";
  if (!expression.starts_with(kBefore) || !expression.ends_with(kAfter)) return false;
  const std::string_view list =
      expression.substr(kBefore.size(), expression.size() - kBefore.size() - kAfter.size());
  std::vector<CodeRange> ranges;
  for (size_t pos = 0; pos < list.size();) {
    const Rune first = DecodeRune(list, pos);
    Rune last = first;
    pos += first.size;
    if (pos + 1 < list.size() && list[pos] == '-') {
      last = DecodeRune(list, ++pos);
      pos += last.size;
    }
    if (first.kind != Rune::Kind::kValid || last.kind != Rune::Kind::kValid) return false;
    ranges.push_back({first.value, last.value});
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const CodeRange& a, const CodeRange& b) { return a.first < b.first; });
  std::vector<CodeRange> joined;
  for (const CodeRange& range : ranges) {
    if (!joined.empty() && range.first <= joined.back().last + 1) {
      joined.back().last = std::max(joined.back().last, range.last);
    } else {
      joined.push_back(range);
    }
  }
  const auto wanted = DeepSeekLetters();
  return std::equal(joined.begin(), joined.end(), wanted.begin(), wanted.end(),
                    [](const CodeRange& a, const CodeRange& b) {
                      return a.first == b.first && a.last == b.last;
                    });
}

void ReplaceAll(std::string_view from, std::string_view to, std::string* text) {
  for (size_t pos = 0; (pos = text->find(from, pos)) != std::string::npos; pos += to.size()) {
    text->replace(pos, from.size(), to);
  }
}

}  // namespace

Result<std::string> PretokenizerOfRegexes(std::span<const std::string> expressions) {
  // Longer than any published list; replacing is quadratic at worst.
  constexpr size_t kMaxBytes = 8192;
  std::string joined;
  for (const std::string& expression : expressions) {
    if (joined.size() + expression.size() > kMaxBytes) {
      return Unsupported("the pre-tokenizer's expressions are longer than {} bytes", kMaxBytes);
    }
    std::string one = expression;
    ReplaceAll("\r", "\\r", &one);
    ReplaceAll("\n", "\\n", &one);
    for (const auto& [from, to] : kSpellings) ReplaceAll(from, to, &one);
    if (ListsDeepSeekLetters(one)) one = kCasedLetters;
    if (!joined.empty()) joined += '\n';
    joined += one;
  }
  for (const Published& published : kPublished) {
    if (published.expressions == joined) return std::string(published.name);
  }
  return Unsupported("unknown pre-tokenizer: {}", Printable(joined, 1000));
}

}  // namespace tutti::text
