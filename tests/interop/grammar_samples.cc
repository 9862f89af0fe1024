// Grammars of JSON schemas for check_grammars.py: reads lines {"schema", "texts", "samples",
// "seed"} and answers each with {"error"} or {"matches": which of the texts the grammar accepts,
// "samples": texts written at random under its masks, "steps": tokens that took}.
#include <boost/json.hpp>
#include <iostream>
#include <string>

#include "tutti/base/rng.h"
#include "tutti/text/grammar_testing.h"

namespace {

namespace json = boost::json;
using namespace tutti;        // NOLINT: a program of one page
using namespace tutti::text;  // NOLINT

// Half of the time something that closes, so that texts end.
TokenId Choose(std::span<const uint32_t> allowed, int32_t size, Rng& rng) {
  TokenIds possible;
  for (TokenId id = 0; id < size; ++id) {
    if (testing::IsSet(allowed, id)) possible.push_back(id);
  }
  TokenIds closing;
  for (const TokenId id : possible) {
    if (id == '"' || id == '}' || id == ']' || id + 1 == size) closing.push_back(id);
  }
  const TokenIds& from = !closing.empty() && rng.NextDouble() < 0.5 ? closing : possible;
  return from[rng.NextU64() % from.size()];
}

json::object Answer(const json::object& line) {
  const auto grammar = CompileJsonSchema(json::serialize(line.at("schema")));
  if (!grammar.ok()) {
    return {{"error", grammar.status().message()},
            {"unsupported", grammar.status().code() == StatusCode::kUnsupported}};
  }
  static const auto tokenizer = testing::ToyTokenizer(
      {"\": ", "\", \"", "},", "],", "{\"", "[[", "12", "0.", "-1", "e5", "\\u00", "abc", "true"});
  static const auto vocabulary = testing::VocabularyOf(*tokenizer);
  testing::Matcher matcher(**grammar);
  json::array matches;
  for (const json::value& text : line.at("texts").as_array()) {
    matches.push_back(matcher.Matches({text.as_string().data(), text.as_string().size()}));
  }
  const auto masks = GrammarMasks::Create(*grammar, vocabulary);
  TUTTI_CHECK(masks.ok(), masks.status().message());
  Rng rng(static_cast<uint64_t>(line.at("seed").as_int64()));
  json::array samples;
  int64_t steps = 0;
  for (int64_t i = 0; i < line.at("samples").as_int64(); ++i) {
    const auto constraint = Constrain(*masks);
    std::string text;
    for (int k = 0; k < 500 && !constraint->Ended(); ++k, ++steps) {
      const TokenId id = Choose(constraint->Allowed(), vocabulary->vocab_size(), rng);
      constraint->Accept(id);
      text += vocabulary->Bytes(id);
    }
    if (constraint->Ended()) samples.push_back(json::string(text));
  }
  return {{"matches", matches}, {"samples", samples}, {"steps", steps}};
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << json::serialize(Answer(json::parse(line).as_object())) << std::endl;
  }
  return 0;
}
