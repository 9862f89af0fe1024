// tokenizer.json of the Hugging Face tokenizers library: a pipeline of normaliser, pre-tokeniser,
// BPE model, post-processor and decoder, each with its settings.
#include <array>
#include <vector>

#include "tutti/base/printable.h"
#include "tutti/text/json_access.h"
#include "tutti/text/pretokenizer_regex.h"
#include "tutti/text/tokenizer_files.h"
#include "tutti/text/vocab_builder.h"

namespace tutti::text {
namespace {

namespace json = boost::json;

constexpr std::string_view kSpaceMark = "\u2581";
// Sequences inside sequences; the JSON's own depth is bounded already.
constexpr int kMaxNesting = 8;

class Reader {
 public:
  explicit Reader(const json::object& root) : root_(root) {}

  Result<VocabSpec> Read() {
    if (!root_.contains("model")) return DataError("no \"model\", so this is no tokenizer.json");
    TUTTI_RETURN_IF_ERROR(ReadNormalizer().WithContext("normalizer"));
    TUTTI_RETURN_IF_ERROR(ReadPretokenizer().WithContext("pre_tokenizer"));
    TUTTI_RETURN_IF_ERROR(ReadModel().WithContext("model"));
    TUTTI_RETURN_IF_ERROR(ReadAddedTokens().WithContext("added_tokens"));
    TUTTI_RETURN_IF_ERROR(ReadUnknown().WithContext("model"));
    TUTTI_RETURN_IF_ERROR(ReadPostProcessor().WithContext("post_processor"));
    TUTTI_RETURN_IF_ERROR(ReadDecoder().WithContext("decoder"));
    return std::move(spec_);
  }

 private:
  // The members of a Sequence, of Sequences in it, or the one thing itself; null gives none.
  Status Flatten(const json::object* object, std::string_view key, int depth,
                 std::vector<const json::object*>* out) {
    if (object == nullptr) return Status();
    if (depth > kMaxNesting) return DataError("sequences are nested deeper than {}", kMaxNesting);
    if (TypeOf(*object) != "Sequence") {
      out->push_back(object);
      return Status();
    }
    TUTTI_ASSIGN_OR_RETURN(const json::array* members, ArrayField(*object, key));
    if (members == nullptr) return DataError("a Sequence without \"{}\"", key);
    for (const json::value& member : *members) {
      if (!member.is_object()) return DataError("a member of a Sequence is {}", Shown(member));
      TUTTI_RETURN_IF_ERROR(Flatten(&member.get_object(), key, depth + 1, out));
    }
    return Status();
  }

  Result<std::vector<const json::object*>> Stages(std::string_view field, std::string_view key) {
    TUTTI_ASSIGN_OR_RETURN(const json::object* object, ObjectField(root_, field));
    std::vector<const json::object*> stages;
    TUTTI_RETURN_IF_ERROR(Flatten(object, key, 0, &stages));
    return stages;
  }

  // {"pattern": {"String": " "}, "content": "..."} as in normalisers and decoders.
  static bool Replaces(const json::object& stage, std::string_view from, std::string_view to) {
    const json::value* pattern = stage.if_contains("pattern");
    const json::value* content = stage.if_contains("content");
    if (pattern == nullptr || !pattern->is_object() || content == nullptr ||
        !content->is_string()) {
      return false;
    }
    const json::value* string = pattern->get_object().if_contains("String");
    return string != nullptr && string->is_string() && View(string->get_string()) == from &&
           View(content->get_string()) == to;
  }

  Status ReadNormalizer() {
    TUTTI_ASSIGN_OR_RETURN(const auto stages, Stages("normalizer", "normalizers"));
    for (const json::object* stage : stages) {
      const std::string_view type = TypeOf(*stage);
      if (type == "NFC") {
        spec_.nfc = true;
      } else if (type == "Prepend") {
        TUTTI_ASSIGN_OR_RETURN(const auto text, StringField(*stage, "prepend"));
        if (text != kSpaceMark) return Unsupported("unknown setting {}", Shown(*stage));
        spec_.add_space_prefix = true;
      } else if (type == "Replace" && Replaces(*stage, " ", kSpaceMark)) {
        marks_spaces_ = true;
      } else {
        return Unsupported("unknown setting {}", Shown(*stage));
      }
    }
    return Status();
  }

  Status ReadMetaspace(const json::object& stage) {
    TUTTI_ASSIGN_OR_RETURN(const auto mark, StringField(stage, "replacement"));
    TUTTI_ASSIGN_OR_RETURN(const auto scheme, StringField(stage, "prepend_scheme"));
    TUTTI_ASSIGN_OR_RETURN(const auto split, BoolField(stage, "split"));
    if (mark.value_or(kSpaceMark) != kSpaceMark || split.value_or(true)) {
      return Unsupported("unknown setting {}", Shown(stage));
    }
    marks_spaces_ = true;
    spec_.add_space_prefix = scheme.value_or("always") != "never";
    spec_.space_prefix_once = scheme == "first";
    spec_.space_prefix_if_none = true;
    return Status();
  }

  // {"type": "Split", "pattern": {"Regex": ...}, "behavior": "Isolated", "invert": false}; removing
  // what does not match is the same where everything matches.
  Status ReadSplit(const json::object& stage, std::vector<std::string>* expressions) {
    TUTTI_ASSIGN_OR_RETURN(const json::object* pattern, ObjectField(stage, "pattern"));
    if (pattern == nullptr) return DataError("a Split without \"pattern\"");
    TUTTI_ASSIGN_OR_RETURN(const auto regex, StringField(*pattern, "Regex"));
    TUTTI_ASSIGN_OR_RETURN(const auto behavior, StringField(stage, "behavior"));
    TUTTI_ASSIGN_OR_RETURN(const auto invert, BoolField(stage, "invert"));
    const bool isolated = behavior == "Isolated" && !invert.value_or(false);
    const bool all_matches = behavior == "Removed" && invert.value_or(false);
    if (regex && (isolated || all_matches)) {
      expressions->emplace_back(*regex);
      return Status();
    }
    // Nothing is left to split where the normaliser replaced the spaces.
    TUTTI_ASSIGN_OR_RETURN(const auto string, StringField(*pattern, "String"));
    if (string == " " && marks_spaces_) return Status();
    return Unsupported("unknown setting {}", Shown(stage));
  }

  Status ReadPretokenizer() {
    TUTTI_ASSIGN_OR_RETURN(const auto stages, Stages("pre_tokenizer", "pretokenizers"));
    std::vector<std::string> expressions;
    bool bytes = false;
    for (const json::object* stage : stages) {
      const std::string_view type = TypeOf(*stage);
      if (type == "ByteLevel") {
        bytes = true;
        TUTTI_ASSIGN_OR_RETURN(const auto prefix, BoolField(*stage, "add_prefix_space"));
        TUTTI_ASSIGN_OR_RETURN(const auto use_regex, BoolField(*stage, "use_regex"));
        if (prefix.value_or(true)) return Unsupported("unknown setting {}", Shown(*stage));
        if (use_regex.value_or(true)) expressions.emplace_back(kByteLevelRegex);
      } else if (type == "Split") {
        TUTTI_RETURN_IF_ERROR(ReadSplit(*stage, &expressions));
      } else if (type == "Digits") {
        TUTTI_ASSIGN_OR_RETURN(const auto single, BoolField(*stage, "individual_digits"));
        expressions.emplace_back(single.value_or(false) ? kOneNumberRegex : kNumbersRegex);
      } else if (type == "Punctuation") {
        TUTTI_ASSIGN_OR_RETURN(const auto behavior, StringField(*stage, "behavior"));
        if (behavior != "Contiguous") return Unsupported("unknown setting {}", Shown(*stage));
        expressions.emplace_back(kPunctuationRegex);
      } else if (type == "Metaspace") {
        TUTTI_RETURN_IF_ERROR(ReadMetaspace(*stage));
      } else {
        return Unsupported("unknown setting {}", Shown(*stage));
      }
    }
    if (bytes != marks_spaces_ && (bytes || expressions.empty())) {
      spec_.algorithm = bytes ? TokenizerAlgorithm::kByteBpe : TokenizerAlgorithm::kSentencePiece;
      if (!bytes) return Status();
      TUTTI_ASSIGN_OR_RETURN(spec_.pretokenizer, PretokenizerOfRegexes(expressions));
      return Status();
    }
    return Unsupported(
        "neither byte-level nor SentencePiece-like: {}",
        Shown(root_.contains("pre_tokenizer") ? root_.at("pre_tokenizer") : json::value()));
  }

  // Settings of the model that would change what it does, at anything but their neutral value.
  Status CheckModelSettings(const json::object& model) {
    const auto type = TypeOf(model);
    if (!type.empty() && type != "BPE") {
      return Unsupported("models of the type \"{}\" are not supported, only BPE", Printable(type));
    }
    for (const std::string_view key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      TUTTI_ASSIGN_OR_RETURN(const auto text, StringField(model, key));
      if (!text.value_or("").empty()) return Unsupported("{} is \"{}\"", key, Printable(*text));
    }
    const json::value* dropout = model.if_contains("dropout");
    if (dropout != nullptr && !dropout->is_null() &&
        !(dropout->is_double() && dropout->get_double() == 0)) {
      return Unsupported("dropout is {}", Shown(*dropout));
    }
    return Status();
  }

  Status ReadModel() {
    TUTTI_ASSIGN_OR_RETURN(const json::object* model, ObjectField(root_, "model"));
    if (model == nullptr) return DataError("is missing");
    TUTTI_RETURN_IF_ERROR(CheckModelSettings(*model));
    TUTTI_ASSIGN_OR_RETURN(const auto ignore_merges, BoolField(*model, "ignore_merges"));
    TUTTI_ASSIGN_OR_RETURN(const auto byte_fallback, BoolField(*model, "byte_fallback"));
    spec_.ignore_merges = ignore_merges.value_or(false);
    TUTTI_ASSIGN_OR_RETURN(const json::object* vocab, ObjectField(*model, "vocab"));
    if (vocab == nullptr) return DataError("\"vocab\" is missing");
    TUTTI_ASSIGN_OR_RETURN(const json::array* added, ArrayField(root_, "added_tokens"));
    expected_ = vocab->size() + (added == nullptr ? 0 : added->size());
    VocabBuilder builder(&spec_, expected_);
    for (const auto& [key, id] : *vocab) {
      const std::string_view token(key.data(), key.size());
      if (!id.is_int64()) {
        return DataError("the id of token \"{}\" is {}", Printable(token), Shown(id));
      }
      const bool byte = spec_.algorithm == TokenizerAlgorithm::kSentencePiece &&
                        byte_fallback.value_or(false) && token.size() == 6 &&
                        token.starts_with("<0x") && token.ends_with('>');
      TUTTI_RETURN_IF_ERROR(
          builder.Add(id.get_int64(), token, byte ? TokenKind::kByte : TokenKind::kNormal));
    }
    return ReadMerges(*model);
  }

  // "a b" or ["a", "b"]
  Status ReadMerges(const json::object& model) {
    TUTTI_ASSIGN_OR_RETURN(const json::array* merges, ArrayField(model, "merges"));
    if (merges == nullptr) return DataError("\"merges\" is missing");
    spec_.merges.reserve(merges->size());
    for (const json::value& merge : *merges) {
      if (merge.is_string()) {
        const std::string_view text = View(merge.get_string());
        const size_t space = text.find(' ', 1);
        if (space != std::string_view::npos && space + 1 < text.size()) {
          spec_.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
          continue;
        }
      } else if (merge.is_array() && merge.get_array().size() == 2 &&
                 merge.get_array()[0].is_string() && merge.get_array()[1].is_string()) {
        spec_.merges.emplace_back(View(merge.get_array()[0].get_string()),
                                  View(merge.get_array()[1].get_string()));
        continue;
      }
      return DataError("merge {} is {}, two parts expected", spec_.merges.size(), Shown(merge));
    }
    return Status();
  }

  Status ReadAddedTokens() {
    TUTTI_ASSIGN_OR_RETURN(const json::array* added, ArrayField(root_, "added_tokens"));
    if (added == nullptr) return Status();
    VocabBuilder builder(&spec_, expected_);
    for (const json::value& value : *added) {
      if (!value.is_object()) return DataError("an added token is {}", Shown(value));
      const json::object& token = value.get_object();
      TUTTI_ASSIGN_OR_RETURN(const auto id, IntField(token, "id"));
      TUTTI_ASSIGN_OR_RETURN(const auto content, StringField(token, "content"));
      if (!id || !content) return DataError("{} lacks \"id\" or \"content\"", Shown(value));
      TUTTI_ASSIGN_OR_RETURN(const auto special, BoolField(token, "special"));
      TUTTI_ASSIGN_OR_RETURN(const auto normalized, BoolField(token, "normalized"));
      TUTTI_ASSIGN_OR_RETURN(const auto lstrip, BoolField(token, "lstrip"));
      TUTTI_ASSIGN_OR_RETURN(const auto rstrip, BoolField(token, "rstrip"));
      TUTTI_ASSIGN_OR_RETURN(const auto single_word, BoolField(token, "single_word"));
      AddedTokenRule rule;
      rule.id = static_cast<TokenId>(*id);
      rule.strip_left = lstrip.value_or(false);
      rule.strip_right = rstrip.value_or(false);
      rule.single_word = single_word.value_or(false);
      rule.normalized = normalized.value_or(false);
      TUTTI_RETURN_IF_ERROR(builder.AddAdded(rule, *id, *content, special.value_or(false)));
    }
    return Status();
  }

  TokenId IdOf(std::string_view token) const {
    for (size_t i = 0; i < spec_.tokens.size(); ++i) {
      if (spec_.tokens[i] == token && !token.empty()) return static_cast<TokenId>(i);
    }
    return kNoToken;
  }

  Status ReadUnknown() {
    TUTTI_ASSIGN_OR_RETURN(const json::object* model, ObjectField(root_, "model"));
    TUTTI_ASSIGN_OR_RETURN(const auto token, StringField(*model, "unk_token"));
    if (!token) return Status();
    spec_.unknown = IdOf(*token);
    if (spec_.unknown != kNoToken) return Status();
    return DataError("unk_token \"{}\" is not in the vocabulary", Printable(*token));
  }

  // What TemplateProcessing puts before and after the one text.
  Status ReadTemplate(const json::object& stage) {
    TUTTI_ASSIGN_OR_RETURN(const json::array* single, ArrayField(stage, "single"));
    if (single == nullptr) return DataError("TemplateProcessing without \"single\"");
    constexpr size_t kMaxParts = 64;
    if (single->size() > kMaxParts) {
      return DataError("{} tokens around each text, at most {} are possible", single->size(),
                       kMaxParts);
    }
    TokenIds before, after;
    bool text_seen = false;
    for (const json::value& part : *single) {
      if (part.is_object() && part.get_object().contains("Sequence") && !text_seen) {
        text_seen = true;
        continue;
      }
      if (!part.is_object()) return DataError("unknown part {}", Shown(part));
      TUTTI_ASSIGN_OR_RETURN(const json::object* special,
                             ObjectField(part.get_object(), "SpecialToken"));
      if (special == nullptr) return DataError("unknown part {}", Shown(part));
      TUTTI_ASSIGN_OR_RETURN(const auto name, StringField(*special, "id"));
      const TokenId id = IdOf(name.value_or(""));
      if (id == kNoToken) return DataError("{} names no token", Shown(part));
      (text_seen ? after : before).push_back(id);
    }
    spec_.add_bos = before.size() == 1;
    if (spec_.add_bos) spec_.bos = before[0];
    if (before.size() > 1) spec_.prefix = std::move(before);
    spec_.add_eos = after.size() == 1;
    if (spec_.add_eos) spec_.eos = after[0];
    if (after.size() > 1) spec_.suffix = std::move(after);
    return Status();
  }

  Status ReadPostProcessor() {
    TUTTI_ASSIGN_OR_RETURN(const auto stages, Stages("post_processor", "processors"));
    for (const json::object* stage : stages) {
      const std::string_view type = TypeOf(*stage);
      if (type == "ByteLevel") continue;  // moves offsets only
      if (type != "TemplateProcessing") return Unsupported("unknown setting {}", Shown(*stage));
      TUTTI_RETURN_IF_ERROR(ReadTemplate(*stage));
    }
    return Status();
  }

  Status ReadDecoder() {
    TUTTI_ASSIGN_OR_RETURN(const auto stages, Stages("decoder", "decoders"));
    const bool bytes = spec_.algorithm == TokenizerAlgorithm::kByteBpe;
    for (const json::object* stage : stages) {
      const std::string_view type = TypeOf(*stage);
      const bool known = bytes ? type == "ByteLevel"
                               : type == "ByteFallback" || type == "Fuse" || type == "Strip" ||
                                     type == "Metaspace" ||
                                     (type == "Replace" && Replaces(*stage, kSpaceMark, " "));
      if (!known) return Unsupported("unknown setting {}", Shown(*stage));
    }
    return Status();
  }

  const json::object& root_;
  VocabSpec spec_;
  bool marks_spaces_ = false;
  size_t expected_ = 0;
};

}  // namespace

Result<VocabSpec> ParseTokenizerJson(std::string_view content) {
  TUTTI_ASSIGN_OR_RETURN(const json::value root, ParseJson(content));
  if (!root.is_object()) return DataError("a tokenizer.json is an object, this is {}", Shown(root));
  return Reader(root.get_object()).Read();
}

}  // namespace tutti::text
