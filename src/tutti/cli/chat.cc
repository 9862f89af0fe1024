#include "tutti/cli/chat.h"

#include <boost/json.hpp>
#include <utility>
#include <vector>

#include "tutti/cli/json_text.h"
#include "tutti/cli/kernel_report.h"
#include "tutti/cli/line_editor.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/output_file.h"
#include "tutti/cli/prompt_builder.h"
#include "tutti/os/file.h"

namespace tutti::cli {
namespace {

constexpr std::string_view kHelp =
    "  /clear          forget the conversation\n"
    "  /system TEXT    what the model is told first; forgets the conversation\n"
    "  /save FILE      write the conversation as JSON, as 'tutti render' reads it\n"
    "  /exit, Ctrl-D   end\n"
    "  A line that ends in \\ goes on; \"\"\" begins and ends a block of lines.\n"
    "  Ctrl-C stops the answer.\n";
constexpr std::string_view kBlock = "\"\"\"";

class Chat {
 public:
  Chat(Console& console, LoadedModel& loaded, PromptBuilder builder, const AnswerOptions& answer,
       bool verbose)
      : console_(console),
        loaded_(loaded),
        builder_(std::move(builder)),
        answer_(answer),
        verbose_(verbose),
        editor_(LineEditor::Create(console)),
        generator_(*loaded.engine, loaded.tokenizer.get()) {
    Begin(answer.system);
  }

  Status Run() {
    if (console_.stdin_is_terminal()) {
      console_.Say("{}: {}. /help shows the commands, Ctrl-D ends.", loaded_.choice.name,
                   builder_.has_template() ? "ask anything" : "this model continues texts");
    }
    while (true) {
      TUTTI_ASSIGN_OR_RETURN(const LineEditor::Entry entry, ReadEntry());
      if (entry.outcome == LineEditor::Outcome::kEnd) return {};
      if (entry.outcome == LineEditor::Outcome::kGivenUp || entry.text.empty()) continue;
      editor_->AddHistory(entry.text);
      if (entry.text.starts_with('/') && entry.text.find('\n') == std::string::npos) {
        if (entry.text == "/exit" || entry.text == "/quit") return {};
        Obey(entry.text);
        continue;
      }
      TUTTI_RETURN_IF_ERROR(Answer(entry.text));
    }
  }

 private:
  void Begin(const std::string& system) {
    messages_.clear();
    if (!system.empty()) messages_.push_back({"system", system});
  }

  std::string Styled(std::string_view prompt) const {
    return console_.stdin_is_terminal() ? std::string(prompt) : std::string();
  }

  // One entry of possibly several lines.
  Result<LineEditor::Entry> ReadEntry() {
    using Outcome = LineEditor::Outcome;
    LineEditor::Entry whole;
    bool block = false;
    for (bool first = true;; first = false) {
      TUTTI_ASSIGN_OR_RETURN(LineEditor::Entry line, editor_->Read(Styled(first ? "> " : "| ")));
      if (line.outcome == Outcome::kGivenUp) return line;
      if (line.outcome == Outcome::kEnd) {
        if (!first) line = {Outcome::kLine, {}};  // what was written so far counts
        whole.outcome = line.outcome;
        return whole;
      }
      std::string_view text = line.text;
      if (first && text.starts_with(kBlock)) {
        block = true;
        text.remove_prefix(kBlock.size());
      }
      const bool block_ends = block && text.ends_with(kBlock);
      if (block_ends) text.remove_suffix(kBlock.size());
      const bool continued = !block && line.outcome == Outcome::kLine && text.ends_with('\\');
      if (continued) text.remove_suffix(1);
      // The delimiters' own line ends are not part of the block.
      const bool only_delimiter = block && text.empty() && (first || block_ends);
      if (!whole.text.empty() && !only_delimiter) whole.text += '\n';
      whole.text += text;
      whole.outcome = Outcome::kLine;
      if (block ? block_ends : !continued && line.outcome == Outcome::kLine) return whole;
    }
  }

  void Obey(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string command = line.substr(0, space);
    const std::string argument = space == std::string::npos ? "" : line.substr(space + 1);
    if (command == "/help") {
      console_.Talk(kHelp);
    } else if (command == "/clear") {
      Begin(messages_.empty() || messages_.front().role != "system" ? ""
                                                                    : messages_.front().content);
      console_.Say("The conversation is forgotten.");
    } else if (command == "/system") {
      if (!builder_.has_template()) {
        console_.Say("This model continues texts and knows no roles.");
        return;
      }
      Begin(argument);
      console_.Say("The conversation is forgotten.");
    } else if (command == "/save") {
      Save(argument);
    } else {
      console_.Say("There is no command {}: /help shows them.", command);
    }
  }

  void Save(const std::string& path) {
    if (path.empty()) {
      console_.Say("/save needs the name of a file.");
      return;
    }
    boost::json::array list;
    for (const Message& message : messages_) {
      list.push_back({{"role", message.role}, {"content", message.content}});
    }
    Status status = CheckFile(path);
    if (status.ok()) {
      status =
          os::WriteFile(path, ToJson(boost::json::object{{"messages", std::move(list)}}) + "\n");
    }
    console_.Say("{}", status.ok() ? "Saved to " + path + "." : status.message());
  }

  Status CheckFile(const std::string& path) const {
    TUTTI_ASSIGN_OR_RETURN(const format::Checkpoint checkpoint, OpenChosen(loaded_.choice));
    return CheckOutput(path, loaded_.choice, checkpoint);
  }

  Status Answer(const std::string& text) {
    TokenIds prompt;
    if (builder_.has_template()) {
      messages_.push_back({"user", text});
      auto ids = builder_.Chat(messages_);
      if (!ids.ok()) return ids.status();
      prompt = std::move(ids).value();
    } else {
      prompt = builder_.Text(text);
    }
    GenerateOptions options = answer_.generate;
    if (!builder_.has_template() && options.max_tokens < 0) {
      options.max_tokens = ContinuationTokens(*loaded_.engine, prompt.size());
    }
    options.sampling.seed += turn_++;  // another draw for the same question, still reproducible
    auto result = generator_.Generate(prompt, options, [&](std::string_view piece) {
      console_.Write(piece);
      (void)console_.Flush();
    });
    // At a terminal Ctrl-C ends the answer; whoever reads from a pipe is not there to ask again.
    const bool ends = Interrupted() && !console_.stdin_is_terminal();
    ClearInterrupt();
    if (!result.ok()) return Recover(result.status());
    const Generated& generated = *result;
    if (!generated.text.ends_with('\n')) console_.Write("\n");
    TUTTI_RETURN_IF_ERROR(console_.Flush());
    if (ends) return InterruptedError();
    if (builder_.has_template()) messages_.push_back({"assistant", generated.text});
    if (generated.reason == FinishReason::kContextFull) {
      console_.Say("The context of {} tokens is full: /clear makes room.",
                   loaded_.engine->context());
    }
    if (verbose_) SayAnswerSpeed(console_, generated);
    return {};
  }

  // A conversation that has outgrown the context goes on after /clear; other errors end it.
  Status Recover(const Status& status) {
    if (status.code() != StatusCode::kResource || !console_.stdin_is_terminal()) return status;
    console_.Say("tutti: {} (/clear makes room)", status.message());
    if (builder_.has_template()) messages_.pop_back();
    return {};
  }

  Console& console_;
  LoadedModel& loaded_;
  PromptBuilder builder_;
  const AnswerOptions& answer_;
  bool verbose_;
  std::unique_ptr<LineEditor> editor_;
  Generator generator_;
  std::vector<Message> messages_;
  uint64_t turn_ = 0;
};

}  // namespace

void SayAnswerSpeed(Console& console, const Generated& generated) {
  const auto speed = [](int64_t tokens, double seconds) {
    return seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0;
  };
  const auto answered = static_cast<int64_t>(generated.tokens.size());
  console.Say("prompt {} tokens ({} kept), {:.1f} tokens/s; answer {} tokens, {:.1f} tokens/s",
              generated.prompt_tokens, generated.prompt_tokens - generated.computed_prompt_tokens,
              speed(generated.computed_prompt_tokens, generated.prompt_seconds), answered,
              speed(answered, generated.decode_seconds));
}

Status RunChat(Console& console, const ModelOptions& model, AnswerOptions answer, bool verbose) {
  WarnOfSlowKernels(console);
  if (verbose) SayKernels(console);
  TUTTI_ASSIGN_OR_RETURN(LoadedModel loaded, LoadModel(model.model, model.engine));
  TUTTI_RETURN_IF_ERROR(answer.TakeDefaultsOf(loaded.engine->metadata()));
  TUTTI_RETURN_IF_ERROR(loaded.tokenizer_status);
  TUTTI_ASSIGN_OR_RETURN(PromptBuilder builder,
                         PromptBuilder::Create(*loaded.tokenizer, answer.raw));
  if (!answer.system.empty() && !builder.has_template()) {
    return UsageError("{} has no chat template, so --system means nothing to it",
                      loaded.choice.name);
  }
  Chat chat(console, loaded, std::move(builder), answer, verbose);
  return chat.Run();
}

}  // namespace tutti::cli
