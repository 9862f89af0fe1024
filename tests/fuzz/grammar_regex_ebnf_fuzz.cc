// Any text as a regular expression or, where it begins with "root", as an EBNF grammar.
//
// The input is that text, a zero byte, and bytes that choose tokens.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/grammar_walk.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t split = input.find('\0');
  const std::string_view source = input.substr(0, split);
  const auto grammar = source.starts_with("root") ? tutti::text::CompileEbnf(source)
                                                  : tutti::text::CompileRegex(source);
  TUTTI_CHECK(grammar.status().message().find('\n') == std::string::npos, "a message of one line");
  if (!grammar.ok()) return 0;
  std::string_view choices = "fuzz";
  if (split != std::string_view::npos) choices = input.substr(split + 1).substr(0, 64);
  tutti::fuzz::WalkGrammar(*grammar, choices);
  return 0;
}
