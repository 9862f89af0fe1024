// tokenizer_config.json and generation_config.json: which tokens begin and end texts, what is added
// to the vocabulary, the chat template.
#include <algorithm>
#include <charconv>

#include "tutti/base/printable.h"
#include "tutti/text/json_access.h"
#include "tutti/text/tokenizer_files.h"
#include "tutti/text/vocab_builder.h"

namespace tutti::text {
namespace {

namespace json = boost::json;

TokenId IdOf(const VocabSpec& spec, std::string_view token) {
  const auto it = std::find(spec.tokens.begin(), spec.tokens.end(), token);
  if (token.empty() || it == spec.tokens.end()) return kNoToken;
  return static_cast<TokenId>(it - spec.tokens.begin());
}

void AddEnd(TokenId id, VocabSpec* spec) {
  TokenIds& ends = spec->end_of_generation;
  if (id != kNoToken && std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
}

// "token" or {"content": "token", ...}; empty where absent.
Result<std::string_view> NamedToken(const json::object& root, std::string_view key) {
  const json::value* value = root.if_contains({key.data(), key.size()});
  if (value == nullptr || value->is_null()) return std::string_view();
  if (value->is_string()) return View(value->get_string());
  if (value->is_object()) {
    TUTTI_ASSIGN_OR_RETURN(const auto content, StringField(value->get_object(), "content"));
    if (content) return *content;
  }
  return DataError("\"{}\" is {}, a token expected", key, Shown(*value));
}

// A token that a file names although its vocabulary lacks it is ignored: published files do that.
Status SetNamedToken(const json::object& root, std::string_view key, const VocabSpec& spec,
                     TokenId* id) {
  TUTTI_ASSIGN_OR_RETURN(const std::string_view token, NamedToken(root, key));
  if (const TokenId found = IdOf(spec, token); found != kNoToken) *id = found;
  return Status();
}

// {"151643": {"content": "<|endoftext|>", "special": true, ...}, ...}
Status AddTokens(const json::object& root, VocabSpec* spec) {
  TUTTI_ASSIGN_OR_RETURN(const json::object* tokens, ObjectField(root, "added_tokens_decoder"));
  if (tokens == nullptr) return Status();
  VocabBuilder builder(spec, spec->tokens.size() + tokens->size());
  for (const auto& [key, value] : *tokens) {
    int64_t id = -1;
    const auto parsed = std::from_chars(key.data(), key.data() + key.size(), id);
    if (parsed.ec != std::errc() || parsed.ptr != key.data() + key.size() || !value.is_object()) {
      return DataError("added_tokens_decoder has \"{}\": {}", Printable({key.data(), key.size()}),
                       Shown(value));
    }
    const json::object& token = value.get_object();
    TUTTI_ASSIGN_OR_RETURN(const auto content, StringField(token, "content"));
    if (!content) return DataError("added token {} has no content", id);
    // What tokenizer.json says of a token that is there already counts.
    const bool known = id >= 0 && static_cast<size_t>(id) < spec->tokens.size() &&
                       spec->tokens[static_cast<size_t>(id)] == *content &&
                       spec->kinds[static_cast<size_t>(id)] != TokenKind::kNormal;
    if (known) continue;
    TUTTI_ASSIGN_OR_RETURN(const auto special, BoolField(token, "special"));
    TUTTI_ASSIGN_OR_RETURN(const auto lstrip, BoolField(token, "lstrip"));
    TUTTI_ASSIGN_OR_RETURN(const auto rstrip, BoolField(token, "rstrip"));
    TUTTI_ASSIGN_OR_RETURN(const auto single_word, BoolField(token, "single_word"));
    TUTTI_ASSIGN_OR_RETURN(const auto normalized, BoolField(token, "normalized"));
    AddedTokenRule rule;
    rule.id = static_cast<TokenId>(id);
    rule.strip_left = lstrip.value_or(false);
    rule.strip_right = rstrip.value_or(false);
    rule.single_word = single_word.value_or(false);
    rule.normalized = normalized.value_or(false);
    TUTTI_RETURN_IF_ERROR(builder.AddAdded(rule, id, *content, special.value_or(false)));
  }
  return Status();
}

// A string, or [{"name": "default", "template": "..."}, ...].
Status SetChatTemplate(const json::object& root, VocabSpec* spec) {
  const json::value* value = root.if_contains("chat_template");
  if (value == nullptr || value->is_null()) return Status();
  if (value->is_string()) {
    spec->chat_template = View(value->get_string());
    return Status();
  }
  if (!value->is_array()) return DataError("\"chat_template\" is {}", Shown(*value));
  for (const json::value& entry : value->get_array()) {
    if (!entry.is_object()) return DataError("a chat template is {}", Shown(entry));
    TUTTI_ASSIGN_OR_RETURN(const auto name, StringField(entry.get_object(), "name"));
    TUTTI_ASSIGN_OR_RETURN(const auto text, StringField(entry.get_object(), "template"));
    if (!text) return DataError("a chat template is {}", Shown(entry));
    if (name == "default" || spec->chat_template.empty()) spec->chat_template = *text;
  }
  return Status();
}

}  // namespace

Status ApplyTokenizerConfig(std::string_view content, VocabSpec* spec) {
  TUTTI_ASSIGN_OR_RETURN(const json::value parsed, ParseJson(content));
  if (!parsed.is_object()) return DataError("an object is expected, this is {}", Shown(parsed));
  const json::object& root = parsed.get_object();
  TUTTI_RETURN_IF_ERROR(AddTokens(root, spec));
  TUTTI_RETURN_IF_ERROR(SetNamedToken(root, "bos_token", *spec, &spec->bos));
  TUTTI_RETURN_IF_ERROR(SetNamedToken(root, "eos_token", *spec, &spec->eos));
  TUTTI_RETURN_IF_ERROR(SetNamedToken(root, "unk_token", *spec, &spec->unknown));
  TUTTI_RETURN_IF_ERROR(SetNamedToken(root, "pad_token", *spec, &spec->padding));
  AddEnd(spec->eos, spec);
  TUTTI_ASSIGN_OR_RETURN(const auto add_bos, BoolField(root, "add_bos_token"));
  TUTTI_ASSIGN_OR_RETURN(const auto add_eos, BoolField(root, "add_eos_token"));
  if (add_bos) spec->add_bos = *add_bos;
  if (add_eos) spec->add_eos = *add_eos;
  return SetChatTemplate(root, spec);
}

Status ApplyGenerationConfig(std::string_view content, VocabSpec* spec) {
  TUTTI_ASSIGN_OR_RETURN(const json::value root, ParseJson(content));
  if (!root.is_object()) return DataError("an object is expected, this is {}", Shown(root));
  const json::value* value = root.get_object().if_contains("eos_token_id");
  if (value == nullptr || value->is_null()) return Status();
  const auto add = [&](const json::value& id) -> Status {
    if (!id.is_int64() || id.get_int64() < 0 ||
        static_cast<uint64_t>(id.get_int64()) >= spec->tokens.size()) {
      return DataError("eos_token_id is {}, the vocabulary has {} tokens", Shown(id),
                       spec->tokens.size());
    }
    AddEnd(static_cast<TokenId>(id.get_int64()), spec);
    return Status();
  };
  if (!value->is_array()) return add(*value);
  for (const json::value& id : value->get_array()) TUTTI_RETURN_IF_ERROR(add(id));
  return Status();
}

}  // namespace tutti::text
