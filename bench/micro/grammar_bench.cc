// The mask of the next token: 128,000 tokens, answers written token by token, the first answer of a
// grammar (cold: everything is found out) and later ones (warm). Every mask of the first answer is
// compared with one computed token by token. Counters are microseconds per token.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <vector>

#include "tutti/base/rng.h"
#include "tutti/text/grammar_testing.h"
#include "tutti/text/tokenizer_files.h"

namespace tutti::bench {
namespace {

using namespace tutti::text;  // NOLINT: a program about one folder

// A real vocabulary where the fixtures are, otherwise random words.
std::unique_ptr<Tokenizer> MakeTokenizer() {
  const std::filesystem::path file =
      std::filesystem::path(TUTTI_SHARED_DIR) / "fixtures/tokenizers/deepseek_v3/tokenizer.json";
  if (std::filesystem::exists(file)) {
    auto spec = ReadVocab(file);
    TUTTI_CHECK(spec.ok(), spec.status().message());
    auto tokenizer = Tokenizer::Create(std::move(spec).value());
    TUTTI_CHECK(tokenizer.ok(), tokenizer.status().message());
    return std::move(tokenizer).value();
  }
  constexpr std::string_view kLetters = "etaoinshrdlucmfwyp  \n\"{}[]:,0123456789\\\xC3\xA9";
  Rng rng(1);
  std::vector<std::string> words;
  for (int i = 0; i < 128'000; ++i) {
    std::string word = fmt::format("{}", i);  // none twice
    for (uint64_t k = 0; k < 2 + rng.NextU64() % 8; ++k) {
      word += kLetters[rng.NextU64() % kLetters.size()];
    }
    words.push_back(word);
  }
  return text::testing::ToyTokenizer(words);
}

struct Subject {
  const char* name;
  std::shared_ptr<const Grammar> grammar;
  std::string answer;
};

std::shared_ptr<const Grammar> Compiled(Result<std::shared_ptr<const Grammar>> grammar) {
  TUTTI_CHECK(grammar.ok(), grammar.status().message());
  return std::move(grammar).value();
}

std::vector<Subject> Subjects() {
  const std::string person =
      R"({"name": "Clara Wieck", "born": "1819-09-13", "age": 76, "height_m": 1.62, )"
      R"("instruments": ["piano", "voice"], "address": {"street": "Inselstra\u00dfe 18", )"
      R"("city": "Leipzig"}, "note": "She gave her first concert at nine, \"a wonder\", they said; )"
      R"(sixty years of concerts followed, and some of the finest songs of her century."})";
  const char* schema = R"({"type":"object","properties":{
      "name":{"type":"string","minLength":1,"maxLength":80},
      "born":{"type":"string","format":"date"},
      "age":{"type":"integer","minimum":0,"maximum":150},
      "height_m":{"type":"number","minimum":0.3,"maximum":2.6},
      "instruments":{"type":"array","items":{"enum":["piano","violin","voice","flute"]},"minItems":1},
      "address":{"type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}},
                 "required":["street","city"],"additionalProperties":false},
      "note":{"type":"string","maxLength":2000}},
      "required":["name","born","age","instruments","address","note"],"additionalProperties":false})";
  return {
      {"json", Compiled(CompileJson(JsonRoot::kObject)), person},
      {"schema", Compiled(CompileJsonSchema(schema)), person},
      {"regex", Compiled(CompileRegex("(\\w+[ ,.;]{1,2}){3,60}\\d{4}-\\d{2}")),
       "music is the space between the notes, they say; perhaps, perhaps not. 1819-09"},
      {"ebnf",
       Compiled(CompileEbnf("root ::= term ([-+*/] term)*\n"
                            "term ::= [0-9]+ (\".\" [0-9]+)? | \"(\" root \")\" | name\n"
                            "name ::= [a-z_] [a-z0-9_]*")),
       "(alpha+12.5)*(beta_2-(gamma/3.25+delta))+((((1+2))))*some_longer_name-7"},
  };
}

const GrammarVocabulary& Vocabulary() {
  static const std::unique_ptr<Tokenizer> tokenizer = MakeTokenizer();
  static const auto vocabulary = text::testing::VocabularyOf(*tokenizer);
  return *vocabulary;
}

// The longest allowed token that the rest of the answer begins with; kNoToken where none is.
TokenId NextToken(std::span<const uint32_t> mask, std::string_view rest) {
  const GrammarVocabulary& vocabulary = Vocabulary();
  TokenId best = kNoToken;
  for (TokenId id = 0; id < vocabulary.vocab_size(); ++id) {
    const std::string_view bytes = vocabulary.Bytes(id);
    if (!text::testing::IsSet(mask, id) || !rest.starts_with(bytes)) continue;
    if (best == kNoToken || bytes.size() > vocabulary.Bytes(best).size()) best = id;
  }
  return best;
}

void Write(benchmark::State& state, const Subject& subject, bool cold) {
  const std::shared_ptr<const GrammarVocabulary> vocabulary(&Vocabulary(), [](const auto*) {});
  text::testing::Matcher matcher(*subject.grammar);
  auto masks = GrammarMasks::Create(subject.grammar, vocabulary).value();
  TokenIds tokens;
  const auto first = Constrain(masks);
  for (std::string text; text.size() < subject.answer.size();) {
    const auto mask = first->Allowed();
    const std::vector<uint32_t> slow = matcher.SlowMask(*vocabulary, text);
    const TokenId id = NextToken(mask, std::string_view(subject.answer).substr(text.size()));
    if (!std::equal(mask.begin(), mask.end(), slow.begin(), slow.end()) || id == kNoToken) {
      return state.SkipWithError("a mask is wrong");
    }
    text += vocabulary->Bytes(id);
    tokens.push_back(id);
    first->Accept(id);
  }
  std::vector<double> times;
  for (auto _ : state) {
    if (cold) {
      state.PauseTiming();
      masks = GrammarMasks::Create(subject.grammar, vocabulary).value();
      state.ResumeTiming();
    }
    const auto constraint = Constrain(masks);
    for (const TokenId id : tokens) {
      const auto start = std::chrono::steady_clock::now();
      benchmark::DoNotOptimize(constraint->Allowed().data());
      const auto stop = std::chrono::steady_clock::now();
      times.push_back(std::chrono::duration<double, std::micro>(stop - start).count());
      constraint->Accept(id);
    }
  }
  std::sort(times.begin(), times.end());
  const auto at = [&](double part) {
    return times[static_cast<size_t>(part * static_cast<double>(times.size() - 1))];
  };
  state.counters["tokens"] = static_cast<double>(tokens.size());
  state.counters["p50_us"] = at(0.5);
  state.counters["p95_us"] = at(0.95);
  state.counters["max_us"] = times.back();
  state.counters["MB"] = static_cast<double>(masks->size_bytes()) / 1e6;
}

void Compile(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Subjects());
}

}  // namespace
}  // namespace tutti::bench

int main(int argc, char** argv) {
  using tutti::bench::Subject;
  static const std::vector<Subject> subjects = tutti::bench::Subjects();
  for (const Subject& subject : subjects) {
    for (const bool cold : {true, false}) {
      benchmark::RegisterBenchmark(
          fmt::format("mask/{}/{}", subject.name, cold ? "cold" : "warm").c_str(),
          [&subject, cold](benchmark::State& state) { tutti::bench::Write(state, subject, cold); })
          ->Unit(benchmark::kMicrosecond);
    }
  }
  benchmark::RegisterBenchmark("compile/all", tutti::bench::Compile)->Unit(benchmark::kMicrosecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
