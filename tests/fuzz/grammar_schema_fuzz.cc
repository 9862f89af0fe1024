// Any text as a JSON schema; where it is one, what is written under its masks is JSON.
//
// The input is the schema, a zero byte, and bytes that choose tokens.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/grammar_walk.h"
#include "tutti/base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t split = input.find('\0');
  const auto grammar = tutti::text::CompileJsonSchema(input.substr(0, split));
  TUTTI_CHECK(grammar.status().message().find('\n') == std::string::npos, "a message of one line");
  if (!grammar.ok()) return 0;
  std::string_view choices = "fuzz";
  if (split != std::string_view::npos) choices = input.substr(split + 1).substr(0, 64);
  const auto walk = tutti::fuzz::WalkGrammar(*grammar, choices);
  if (walk.second) {
    const auto value = tutti::ParseJson(walk.first);
    TUTTI_CHECK(value.ok(), walk.first);
  }
  return 0;
}
