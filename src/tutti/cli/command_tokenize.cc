// tutti tokenize, tutti detokenize: text to ids and back, one text or many lines of JSON.
#include <CLI/CLI.hpp>

#include <boost/json.hpp>

#include "tutti/cli/command.h"
#include "tutti/cli/json_lines.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/standard_input.h"

namespace tutti::cli {
namespace {

Result<std::unique_ptr<text::Tokenizer>> LoadTokenizer(const std::string& model) {
  TUTTI_ASSIGN_OR_RETURN(const ModelChoice choice, ChooseModel(model));
  TUTTI_ASSIGN_OR_RETURN(VocabSpec vocab, ReadChosenVocab(choice));
  return text::Tokenizer::Create(std::move(vocab));
}

class TokenizeCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("MODEL", model_, "file, folder, name, or a bare tokenizer file")->required();
    app.add_option("TEXT", text_, "what to tokenize; else standard input");
    app.add_flag("--no-special", no_special_, "without the BOS and EOS that the model adds");
    app.add_flag("--parse-special", parse_special_, "control tokens in TEXT become their token");
    app.add_flag("--jsonl", jsonl_, "each line of input {\"text\"} gives a line {\"ids\"}");
    DeclareJson(app, json_);
    app.footer(
        "A --jsonl line may also say \"add_special\" and \"parse_special\" (true or false);\n"
        "empty lines are passed over.");
  }

  Status Run(Console& console) override {
    TUTTI_ASSIGN_OR_RETURN(const auto tokenizer, LoadTokenizer(model_));
    const text::EncodeOptions options{.add_special = !no_special_, .parse_special = parse_special_};
    if (jsonl_) {
      return ForEachJsonLine(console, [&](const boost::json::object& line) {
        return EncodeLine(*tokenizer, options, line);
      });
    }
    if (text_.empty()) {
      TUTTI_ASSIGN_OR_RETURN(text_, ReadStandardInput());
    }
    const TokenIds ids = tokenizer->Encode(text_, options);
    if (json_) {
      console.Write("{\"ids\": " + JsonIds(ids) + "}\n");
      return {};
    }
    for (size_t i = 0; i < ids.size(); ++i) console.Print("{}{}", i > 0 ? " " : "", ids[i]);
    console.Write("\n");
    return {};
  }

 private:
  static Result<std::string> EncodeLine(const text::Tokenizer& tokenizer,
                                        text::EncodeOptions options,
                                        const boost::json::object& line) {
    TUTTI_ASSIGN_OR_RETURN(const std::string_view text, StringMember(line, "text"));
    TUTTI_ASSIGN_OR_RETURN(options.add_special,
                           BoolMember(line, "add_special", options.add_special));
    TUTTI_ASSIGN_OR_RETURN(options.parse_special,
                           BoolMember(line, "parse_special", options.parse_special));
    return "{\"ids\": " + JsonIds(tokenizer.Encode(text, options)) + "}";
  }

  std::string model_;
  std::string text_;
  bool no_special_ = false;
  bool parse_special_ = false;
  bool jsonl_ = false;
  bool json_ = false;
};

class DetokenizeCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("MODEL", model_, "file, folder, name, or a bare tokenizer file")->required();
    app.add_option("IDS", ids_, "for example 5,17,3; else standard input");
    app.add_flag("--no-special", no_special_, "leave out control tokens");
    app.add_flag("--jsonl", jsonl_, "each line of input {\"ids\"} gives a line {\"text\"}");
    DeclareJson(app, json_);
    app.footer("With --jsonl, ids beyond the vocabulary (padding of a model) give no text.");
  }

  Status Run(Console& console) override {
    TUTTI_ASSIGN_OR_RETURN(const auto tokenizer, LoadTokenizer(model_));
    if (jsonl_) {
      return ForEachJsonLine(console, [&](const boost::json::object& line) -> Result<std::string> {
        TUTTI_ASSIGN_OR_RETURN(const TokenIds ids, IdsMember(line, "ids"));
        return TextJson(*tokenizer, ids);
      });
    }
    if (ids_.empty()) {
      TUTTI_ASSIGN_OR_RETURN(ids_, ReadStandardInput());
    }
    for (char& c : ids_) {
      if (c == ' ' || c == '\n' || c == '\t') c = ',';
    }
    while (ids_.ends_with(',')) ids_.pop_back();
    TUTTI_ASSIGN_OR_RETURN(const TokenIds ids, ParseIds(ids_));
    TUTTI_RETURN_IF_ERROR(CheckIds(*tokenizer, ids));
    console.Write(json_ ? TextJson(*tokenizer, ids) : tokenizer->Decode(ids, !no_special_));
    console.Write("\n");
    return {};
  }

 private:
  // Whoever types an id means a token; a program may hand on the padding of a model's vocabulary.
  static Status CheckIds(const text::Tokenizer& tokenizer, const TokenIds& ids) {
    const size_t count = tokenizer.spec().tokens.size();
    for (const TokenId id : ids) {
      if (static_cast<size_t>(id) < count) continue;
      return UsageError("token {} is not in the vocabulary of {} tokens (0 to {})", id, count,
                        count - 1);
    }
    return {};
  }

  std::string TextJson(const text::Tokenizer& tokenizer, const TokenIds& ids) const {
    return "{\"text\": " + JsonString(tokenizer.Decode(ids, !no_special_)) + "}";
  }

  std::string model_;
  std::string ids_;
  bool no_special_ = false;
  bool jsonl_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeTokenizeCommand() { return std::make_unique<TokenizeCommand>(); }
std::unique_ptr<Command> MakeDetokenizeCommand() { return std::make_unique<DetokenizeCommand>(); }

}  // namespace tutti::cli
