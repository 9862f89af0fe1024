#include "tutti/server/openai_prompts.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

constexpr double kMaxPrompts = 2048;
constexpr double kMaxTokenId = 2147483647;

// A text or a list of ids.
void ReadPrompt(RequestReader& reader, const json::value& value, std::vector<Prompt>& prompts) {
  if (value.is_string()) {
    prompts.emplace_back(std::string(View(value.get_string())));
  } else if (value.is_array() && !value.get_array().empty()) {
    prompts.emplace_back(ReadTokenIds(reader, value.get_array()));
  } else {
    reader.Fail("must be a text or a list of token ids", "invalid_type");
  }
}

}  // namespace

TokenIds ReadTokenIds(RequestReader& reader, const json::array& list) {
  TokenIds ids;
  reader.Each(list, [&](const json::value& value) {
    if (const auto id = reader.AsInteger(value, 0, kMaxTokenId)) {
      ids.push_back(static_cast<TokenId>(*id));
    }
  });
  return ids;
}

void ReadPrompts(RequestReader& reader, const json::value& value, std::vector<Prompt>& prompts) {
  if (!value.is_array() || value.get_array().empty() || value.get_array()[0].is_number()) {
    return ReadPrompt(reader, value, prompts);
  }
  const json::array& list = value.get_array();
  if (static_cast<double>(list.size()) > kMaxPrompts) {
    return reader.Fail(
        fmt::format("has {} elements, it must have at most {:.0f}", list.size(), kMaxPrompts));
  }
  reader.Each(list, [&](const json::value& prompt) { ReadPrompt(reader, prompt, prompts); });
}

}  // namespace tutti::server
