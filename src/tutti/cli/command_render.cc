// tutti render: what a chat template makes of a conversation.
#include <CLI/CLI.hpp>

#include <boost/json.hpp>
#include <filesystem>
#include <optional>

#include "tutti/base/json.h"
#include "tutti/cli/command.h"
#include "tutti/cli/json_lines.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/prompt_builder.h"
#include "tutti/cli/standard_input.h"
#include "tutti/os/file.h"
#include "tutti/text/chat_template.h"
#include "tutti/text/conversation.h"

namespace tutti::cli {
namespace {

constexpr size_t kMaxTemplateBytes = 16 << 20;

// tokenizer_config.json holds the template under "chat_template".
Result<std::optional<std::string>> TemplateInJson(const std::filesystem::path& path) {
  TUTTI_ASSIGN_OR_RETURN(const std::string text, os::ReadFile(path, kMaxTemplateBytes));
  const auto value = ParseJson(text);
  if (!value.ok()) return value.status().WithContext(path.string());
  if (!value->is_object()) return std::optional<std::string>();
  const auto* member = value->get_object().if_contains("chat_template");
  if (member == nullptr || !member->is_string()) return std::optional<std::string>();
  return std::optional(std::string(member->get_string()));
}

// A file of its own, or the template of a model.
Result<std::string> ReadTemplate(const std::string& name) {
  TUTTI_ASSIGN_OR_RETURN(const ModelChoice choice, ChooseModel(name));
  if (!choice.embedded && IsTemplateFile(choice.path)) {
    return os::ReadFile(choice.path, kMaxTemplateBytes);
  }
  if (choice.path.extension() == ".json") {
    TUTTI_ASSIGN_OR_RETURN(auto found, TemplateInJson(choice.path));
    if (found) return *std::move(found);
  }
  TUTTI_ASSIGN_OR_RETURN(VocabSpec vocab, ReadChosenVocab(choice));
  if (vocab.chat_template.empty()) {
    return DataError("{} has no chat template: give a template file", choice.name);
  }
  return std::move(vocab.chat_template);
}

// "2026-01-15T12:34:56": digits where digits belong.
Status CheckNow(const std::string& now) {
  constexpr std::string_view kPattern = "0000-00-00T00:00:00";
  bool good = now.size() == kPattern.size();
  for (size_t i = 0; good && i < now.size(); ++i) {
    good = kPattern[i] == '0' ? now[i] >= '0' && now[i] <= '9' : now[i] == kPattern[i];
  }
  if (good) return {};
  return UsageError("--now '{}' is not a time like 2026-01-15T12:34:56", now);
}

class RenderCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("MODEL", source_, "file, folder or name, or a template file")->required();
    app.add_flag("--jsonl", jsonl_, "each line of input gives {\"text\"} or {\"error\"}");
    app.add_option("--now", now_, "the time that templates see: 2026-01-15T12:34:56")
        ->type_name("TIME");
    DeclareJson(app, json_);
    app.footer(
        "The input is a JSON object with the template's variables: messages, tools,\n"
        "add_generation_prompt, bos_token, ...");
  }

  Status Run(Console& console) override {
    if (now_.empty()) now_ = text::LocalTime();
    TUTTI_RETURN_IF_ERROR(CheckNow(now_));
    TUTTI_ASSIGN_OR_RETURN(const std::string source, ReadTemplate(source_));
    auto parsed = text::ChatTemplate::Parse(source);
    if (jsonl_) {
      return ForEachLine(console, [&](const std::string& line) -> Result<std::string> {
        // A template that does not parse answers every line with its error.
        const auto rendered =
            parsed.ok() ? parsed->Render(line, now_) : Result<text::RenderResult>(parsed.status());
        if (!rendered.ok()) return "{\"error\": " + JsonString(rendered.status().message()) + "}";
        return "{\"text\": " + JsonString(rendered->Text()) + "}";
      });
    }
    if (!parsed.ok()) return parsed.status().WithContext(source_);
    const text::ChatTemplate& chat_template = *parsed;
    TUTTI_ASSIGN_OR_RETURN(const std::string variables, ReadStandardInput());
    TUTTI_ASSIGN_OR_RETURN(const text::RenderResult rendered,
                           chat_template.Render(variables, now_));
    if (json_) {
      console.Write("{\"text\": " + JsonString(rendered.Text()) + "}\n");
    } else {
      console.Write(rendered.Text());
    }
    return {};
  }

 private:
  std::string source_;
  std::string now_;
  bool jsonl_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeRenderCommand() { return std::make_unique<RenderCommand>(); }

}  // namespace tutti::cli
