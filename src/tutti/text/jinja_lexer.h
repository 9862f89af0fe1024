// Template source -> tokens, with Jinja's whitespace rules already applied (trim_blocks and
// lstrip_blocks are on, as chat templates expect): text tokens are what is printed.
//
// Not recursive, linear in the source. Errors: kData in the heap, with the position.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tutti/text/jinja_value.h"

namespace tutti::text::jinja {

enum class TokenType : uint8_t {
  kEnd,
  kText,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
};

struct Token {
  TokenType type = TokenType::kEnd;
  uint32_t position = 0;  // byte offset in the source
  std::string_view text;  // name, operator or text; points into the source
  Value value;            // of literals
};

// Line breaks become "\n"; one at the very end is dropped.
std::string NormalizeSource(std::string_view source);

// Tokens of a normalised source, the last one kEnd. Empty after an error. Literals live in `heap`.
std::vector<Token> Tokenize(Heap& heap, std::string_view source);

// How an error message calls a token: 'end of print statement'.
std::string_view Describe(const Token& token);

// Body of a string literal (between its quotes) with its escapes replaced. False for a bad escape.
bool Unescape(std::string_view body, std::string& out);

}  // namespace tutti::text::jinja
