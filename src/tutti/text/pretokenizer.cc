#include "tutti/text/pretokenizer.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "tutti/text/unicode.h"

namespace tutti::text {
namespace {

using enum Pattern::Shape;
using property::kLetter;
using property::kMark;
using property::kNumber;
using property::kPunctuation;
using property::kSpace;
using property::kSymbol;
using PatternList = std::span<const Pattern* const>;

constexpr CodeRange kAsciiDigits[] = {{'0', '9'}};
constexpr CodeRange kLineEnds[] = {{'\n', '\n'}, {'\r', '\r'}};
constexpr CodeRange kAsciiSymbols[] = {{'$', '$'}, {'+', '+'}, {'<', '>'}, {'^', '^'},
                                       {'`', '`'}, {'|', '|'}, {'~', '~'}};
// [一-龥぀-ゟ゠-ヿ]
constexpr CodeRange kChineseJapanese[] = {{0x3040, 0x30FF}, {0x4E00, 0x9FA5}};
// [一-龥ࠀ-一가-퟿]
constexpr CodeRange kEastAsian[] = {{0x0800, 0x9FA5}, {0xAC00, 0xD7FF}};
// The letters of cased scripts that DeepSeek LLM lists one by one.
constexpr CodeRange kDeepSeekLetters[] = {
    {'A', 'Z'},         {'a', 'z'},         {0xB5, 0xB5},       {0xC0, 0xD6},
    {0xD8, 0xF6},       {0xF8, 0x1BA},      {0x1BC, 0x1BF},     {0x1C4, 0x293},
    {0x295, 0x2AF},     {0x370, 0x373},     {0x376, 0x377},     {0x37B, 0x37D},
    {0x37F, 0x37F},     {0x386, 0x386},     {0x388, 0x38A},     {0x38C, 0x38C},
    {0x38E, 0x3A1},     {0x3A3, 0x3F5},     {0x3F7, 0x481},     {0x48A, 0x52F},
    {0x531, 0x556},     {0x10A0, 0x10C5},   {0x13A0, 0x13F5},   {0x13F8, 0x13FD},
    {0x1C90, 0x1CBA},   {0x1CBD, 0x1CBF},   {0x1D00, 0x1D2B},   {0x1D6B, 0x1D77},
    {0x1D79, 0x1D9A},   {0x1E00, 0x1F15},   {0x1F18, 0x1F1D},   {0x1F20, 0x1F45},
    {0x1F48, 0x1F4D},   {0x1F50, 0x1F57},   {0x1F59, 0x1F59},   {0x1F5B, 0x1F5B},
    {0x1F5D, 0x1F5D},   {0x1F5F, 0x1F7D},   {0x1F80, 0x1FB4},   {0x1FB6, 0x1FBC},
    {0x1FBE, 0x1FBE},   {0x1FC2, 0x1FC4},   {0x1FC6, 0x1FCC},   {0x1FD0, 0x1FD3},
    {0x1FD6, 0x1FDB},   {0x1FE0, 0x1FEC},   {0x1FF2, 0x1FF4},   {0x1FF6, 0x1FFC},
    {0x2102, 0x2102},   {0x2107, 0x2107},   {0x210A, 0x2113},   {0x2115, 0x2115},
    {0x2119, 0x211D},   {0x2124, 0x2124},   {0x2126, 0x2126},   {0x2128, 0x2128},
    {0x212A, 0x212D},   {0x212F, 0x2134},   {0x2139, 0x2139},   {0x213C, 0x213F},
    {0x2145, 0x2149},   {0x214E, 0x214E},   {0x2183, 0x2184},   {0x2C00, 0x2C7B},
    {0x2C7E, 0x2CE4},   {0x2CEB, 0x2CEE},   {0x2CF2, 0x2CF3},   {0xA640, 0xA66D},
    {0xA680, 0xA69B},   {0xA722, 0xA76F},   {0xA771, 0xA787},   {0xA78B, 0xA78E},
    {0xAB70, 0xABBF},   {0xFB00, 0xFB06},   {0xFB13, 0xFB17},   {0xFF21, 0xFF3A},
    {0xFF41, 0xFF5A},   {0x10400, 0x1044F}, {0x104B0, 0x104D3}, {0x104D8, 0x104FB},
    {0x10C80, 0x10CB2}, {0x10CC0, 0x10CF2}, {0x118A0, 0x118DF}, {0x1E900, 0x1E943}};
// [!-/:-~！-／：-～‘-‟　-。]
constexpr CodeRange kDeepSeekPunctuation[] = {{'!', '/'},       {':', '~'},       {0x2018, 0x201F},
                                              {0x3000, 0x3002}, {0xFF01, 0xFF0F}, {0xFF1A, 0xFF5E}};
// [一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]
constexpr CodeRange kUnspacedScripts[] = {
    {0x0E40, 0x0EFF}, {0x1000, 0x109F}, {0x1100, 0x11FF}, {0x1780, 0x17FF}, {0x2F00, 0x2FDF},
    {0x3040, 0x30FF}, {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xA9E0, 0xA9FF}, {0xAA60, 0xAA7F},
    {0xAC00, 0xD7AF}, {0xF900, 0xFAFF}, {0xFF65, 0xFF9F}};
// What [^(\s|.,!?…。，、।۔،)] leaves out besides \s.
constexpr CodeRange kBloomStops[] = {{'!', '!'},       {'(', ')'},       {',', ','},
                                     {'.', '.'},       {'?', '?'},       {'|', '|'},
                                     {0x060C, 0x060C}, {0x06D4, 0x06D4}, {0x0964, 0x0964},
                                     {0x2026, 0x2026}, {0x3001, 0x3002}, {0xFF0C, 0xFF0C}};

// [^\r\n\p{L}\p{N}] and [^\s\p{L}\p{N}]
constexpr CharSet kNotLineOrWord = {kLetter | kNumber, kLineEnds, true};
constexpr CharSet kNotSpaceOrWord = {kSpace | kLetter | kNumber, {}, true};

constexpr Pattern kNumbers = {.set = {kNumber}};
constexpr Pattern kOneNumber = {.set = {kNumber}, .max = 1};
constexpr Pattern kThreeNumbers = {.set = {kNumber}, .max = 3};
constexpr Pattern kThreeAsciiDigits = {.set = {0, kAsciiDigits}, .min = 3, .max = 3};
constexpr Pattern kLineEnd = {.set = {0, kLineEnds}, .max = 1};
constexpr Pattern kPunctuations = {.set = {kPunctuation, kAsciiSymbols}};
constexpr Pattern kGpt2Words = {.shape = kGpt2};

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|
// \s*[\r\n]+|\s+(?!\S)|\s+
constexpr Pattern kLlama3Words = {
    .shape = kWords, .prefix = kNotLineOrWord, .others = kNotSpaceOrWord};
// The same with \p{N}
constexpr Pattern kQwen2Words = {
    .shape = kWords, .prefix = kNotLineOrWord, .numbers_max = 1, .others = kNotSpaceOrWord};
// The same with [\p{L}\p{M}]+ and [^\s\p{L}\p{M}\p{N}]+
constexpr Pattern kQwen35Words = {.shape = kWords,
                                  .word = Pattern::Word::kMarked,
                                  .prefix = kNotLineOrWord,
                                  .numbers_max = 1,
                                  .others = {kSpace | kLetter | kMark | kNumber, {}, true}};
// Qwen2's without [\r\n]* after punctuation
constexpr Pattern kSeedCoderWords = {.shape = kWords,
                                     .prefix = kNotLineOrWord,
                                     .numbers_max = 1,
                                     .others = kNotSpaceOrWord,
                                     .tail = U""};
// Llama 3's with \p{N}+
constexpr Pattern kMiniCpm5Words = {
    .shape = kWords, .prefix = kNotLineOrWord, .numbers_max = SIZE_MAX, .others = kNotSpaceOrWord};

// [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|...|'d)?|
// [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|...|'d)?|
// \p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
constexpr Pattern kGpt4oWords = {.shape = kWords,
                                 .word = Pattern::Word::kCased,
                                 .contraction = Pattern::Contraction::kSuffix,
                                 .prefix = kNotLineOrWord,
                                 .others = kNotSpaceOrWord,
                                 .tail = U"\r\n/"};
// The same without contractions and with \p{N}
constexpr Pattern kTekkenWords = {.shape = kWords,
                                  .word = Pattern::Word::kCased,
                                  .contraction = Pattern::Contraction::kNone,
                                  .prefix = kNotLineOrWord,
                                  .numbers_max = 1,
                                  .others = kNotSpaceOrWord,
                                  .tail = U"\r\n/"};
// [\p{Han}]+| then GPT-4o's with &&[^\p{Han}] in the classes of letters, and [\r\n]*
constexpr Pattern kKimiWords = {.shape = kWords,
                                .word = Pattern::Word::kCasedNotHan,
                                .contraction = Pattern::Contraction::kSuffix,
                                .prefix = kNotLineOrWord,
                                .others = kNotSpaceOrWord};

// [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|
//  ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
constexpr Pattern kDeepSeek3Words = {.shape = kWords,
                                     .word = Pattern::Word::kMarked,
                                     .contraction = Pattern::Contraction::kNone,
                                     .prefix = {kLetter | kPunctuation | kSymbol, kLineEnds, true},
                                     .numbers_max = 0,
                                     .others = {kPunctuation | kSymbol},
                                     .ascii_punctuation_word = true};
constexpr Pattern kChineseJapaneseRun = {.set = {0, kChineseJapanese}};
constexpr Pattern kUnspacedRun = {.set = {0, kUnspacedScripts}};
constexpr Pattern kNumberGroupsOfThree = {.shape = kNumberGroups};

constexpr Pattern kDeepSeekWord = {.set = {0, kDeepSeekLetters},
                                   .before = Pattern::Before::kAnySpace};
constexpr Pattern kDeepSeekOther = {.set = {0, kDeepSeekPunctuation},
                                    .before = Pattern::Before::kAnySpace};
constexpr Pattern kSpacesAtEnd = {.shape = kTrailingSpace};
constexpr Pattern kEastAsianRun = {.set = {0, kEastAsian}};
constexpr Pattern kLettersAfterSpace = {.set = {kLetter}, .before = Pattern::Before::kAnySpace};
constexpr Pattern kPunctuationAfterSpace = {.set = {kPunctuation},
                                            .before = Pattern::Before::kAnySpace};
constexpr Pattern kBloomWord = {.set = {kSpace, kBloomStops, true},
                                .before = Pattern::Before::kSpace};

constexpr const Pattern* kDefault[] = {&kPunctuations, &kGpt2Words, &kNumbers, &kThreeAsciiDigits};
constexpr const Pattern* kGpt2List[] = {&kGpt2Words};
constexpr const Pattern* kStarCoder[] = {&kOneNumber, &kGpt2Words};
constexpr const Pattern* kFalcon[] = {&kPunctuations, &kGpt2Words, &kThreeAsciiDigits};
constexpr const Pattern* kLlama3[] = {&kLlama3Words};
constexpr const Pattern* kMiniCpm5[] = {&kThreeNumbers, &kMiniCpm5Words};
constexpr const Pattern* kQwen2[] = {&kQwen2Words};
constexpr const Pattern* kQwen35[] = {&kQwen35Words};
constexpr const Pattern* kSeedCoder[] = {&kSeedCoderWords};
constexpr const Pattern* kGpt4o[] = {&kGpt4oWords};
constexpr const Pattern* kTekken[] = {&kTekkenWords};
constexpr const Pattern* kKimi[] = {&kKimiWords};
constexpr const Pattern* kDeepSeek3[] = {&kThreeNumbers, &kChineseJapaneseRun, &kDeepSeek3Words};
constexpr const Pattern* kAfmoe[] = {&kNumberGroupsOfThree, &kUnspacedRun, &kDeepSeek3Words};
constexpr const Pattern* kDeepSeekLlm[] = {&kLineEnd,     &kDeepSeekWord, &kDeepSeekOther,
                                           &kSpacesAtEnd, &kEastAsianRun, &kNumbers};
constexpr const Pattern* kDeepSeekCoder[] = {&kLineEnd, &kLettersAfterSpace,
                                             &kPunctuationAfterSpace, &kEastAsianRun, &kOneNumber};
constexpr const Pattern* kBloom[] = {&kBloomWord};
constexpr const Pattern* kViking[] = {&kBloomWord, &kOneNumber};

struct NamedList {
  std::string_view name;
  PatternList patterns;
};

// Names that mean the same expressions stand in one block. Qwen2 and GPT-4's differ in \p{N} only.
constexpr NamedList kNames[] = {
    {"default", kDefault},
    {"", kDefault},  // a GGUF file without the key

    {"gpt-2", kGpt2List},
    {"gpt2", kGpt2List},
    {"gpt-neox", kGpt2List},
    {"olmo", kGpt2List},
    {"mpt", kGpt2List},
    {"phi-2", kGpt2List},
    {"jais", kGpt2List},
    {"trillion", kGpt2List},
    {"granite-docling", kGpt2List},
    {"gigachat", kGpt2List},
    {"a.x-4.0", kGpt2List},
    {"mellum", kGpt2List},
    {"exaone4", kGpt2List},
    {"modern-bert", kGpt2List},

    {"starcoder", kStarCoder},
    {"refact", kStarCoder},
    {"command-r", kStarCoder},
    {"smollm", kStarCoder},
    {"codeshell", kStarCoder},
    {"exaone", kStarCoder},
    {"minerva-7b", kStarCoder},
    {"mellum2", kStarCoder},

    {"falcon", kFalcon},

    {"llama-bpe", kLlama3},
    {"llama3", kLlama3},
    {"llama-v3", kLlama3},
    {"dbrx", kLlama3},
    {"dolma2", kLlama3},
    {"smaug-bpe", kLlama3},
    {"glm4", kLlama3},
    {"chatglm-bpe", kLlama3},
    {"falcon3", kLlama3},
    {"falcon-h1", kLlama3},
    {"pixtral", kLlama3},
    {"midm-2.0", kLlama3},
    {"lfm2", kLlama3},
    {"minicpm5", kMiniCpm5},

    {"qwen2", kQwen2},
    {"qwen3", kQwen2},
    {"stablelm2", kQwen2},
    {"hunyuan", kQwen2},
    {"solar-open", kQwen2},
    {"deepseek-r1-qwen", kQwen2},
    {"megrez", kQwen2},
    {"kormo", kQwen2},
    {"grok-2", kQwen2},
    {"bailingmoe", kQwen2},
    {"bailingmoe2", kQwen2},
    {"llada-moe", kQwen2},
    {"qwen35", kQwen35},
    {"seed-coder", kSeedCoder},

    {"gpt-4o", kGpt4o},
    {"o200k", kGpt4o},
    {"llama4", kGpt4o},
    {"minimax-m2", kGpt4o},
    {"kanana2", kGpt4o},
    {"tekken", kTekken},
    {"kimi-k2", kKimi},

    {"deepseek-v3", kDeepSeek3},
    {"hunyuan-dense", kDeepSeek3},
    {"joyai-llm", kDeepSeek3},
    {"afmoe", kAfmoe},
    {"deepseek-llm", kDeepSeekLlm},
    {"deepseek-coder", kDeepSeekCoder},

    {"bloom", kBloom},
    {"poro-chat", kBloom},
    {"gpt3-finnish", kBloom},
    {"viking", kViking},
};

// Cuts text[begin, end) into the pattern's matches and what lies between them.
void SplitPiece(const Pattern& pattern, std::string_view text, size_t begin, size_t end,
                std::vector<size_t>* ends) {
  const std::string_view piece = text.substr(begin, end - begin);
  size_t gap = 0;  // where the stretch without a match began
  for (size_t pos = 0; pos < piece.size();) {
    const size_t match_end = pattern.Match(piece, pos);
    if (match_end == pos) {
      pos += DecodeRune(piece, pos).size;
      continue;
    }
    if (gap < pos) ends->push_back(begin + pos);
    ends->push_back(begin + match_end);
    pos = gap = match_end;
  }
  if (gap < piece.size()) ends->push_back(end);
}

}  // namespace

Result<Pretokenizer> Pretokenizer::Named(std::string_view name) {
  for (const NamedList& entry : kNames) {
    if (entry.name == name) return Pretokenizer(entry.patterns);
  }
  return Unsupported("unknown pre-tokenizer \"{}\"; known are {}", name.substr(0, 100),
                     fmt::join(PretokenizerNames(), ", "));
}

std::vector<size_t> Pretokenizer::Split(std::string_view text) const {
  std::vector<size_t> ends;
  if (!text.empty()) ends.push_back(text.size());
  std::vector<size_t> finer;
  for (const Pattern* pattern : patterns_) {
    finer.clear();
    size_t begin = 0;
    for (const size_t end : ends) {
      SplitPiece(*pattern, text, begin, end, &finer);
      begin = end;
    }
    ends.swap(finer);
  }
  return ends;
}

std::span<const CodeRange> DeepSeekLetters() { return kDeepSeekLetters; }

std::vector<std::string_view> PretokenizerNames() {
  std::vector<std::string_view> names;
  for (const NamedList& entry : kNames) {
    if (!entry.name.empty()) names.push_back(entry.name);
  }
  return names;
}

}  // namespace tutti::text
