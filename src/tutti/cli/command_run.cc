// tutti run [MODEL] [PROMPT]: an answer, streamed; without a prompt on a terminal a conversation.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>

#include "tutti/cli/chat.h"
#include "tutti/cli/command.h"
#include "tutti/cli/exact_mode.h"
#include "tutti/cli/generate.h"
#include "tutti/cli/grammar_options.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/kernel_report.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/prompt_builder.h"
#include "tutti/cli/standard_input.h"

namespace tutti::cli {
namespace {

boost::json::object TokenJson(const engine::SampledToken& token) {
  boost::json::object object{{"id", token.id}, {"logprob", token.logprob}};
  boost::json::array best;
  for (const engine::TokenLogprob& other : token.best) {
    best.push_back({{"id", other.id}, {"logprob", other.logprob}});
  }
  object["best"] = std::move(best);
  return object;
}

class RunCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    model_.DeclareModel(app, false);
    app.add_option("PROMPT", prompt_, "what to answer or continue; else standard input");
    answer_.Declare(app);
    grammar_.Declare(app);
    ids_given_ = app.add_option("--ids", ids_, "the prompt as token ids: 5,17,3, computed exactly");
    ids_given_->type_name("LIST");
    app.add_flag("--print-ids", print_ids_, "print the new ids instead of the text");
    app.add_option("--logprobs", answer_.generate.sampling.logprobs,
                   "with --json: of each token and the N best")
        ->type_name("N")
        ->check(Between(0, 1000));
    model_.DeclareEngine(app);
    app.add_flag("--fast", fast_, "with --ids: not exact arithmetic but the fast path");
    DeclareJson(app, json_);
    app.add_flag("-v,--verbose", verbose_, "instruction sets and speeds on stderr");
    app.footer("A single argument with a space in it is a PROMPT for the model inside ('story').");
  }

  Status Run(Console& console) override {
    TUTTI_RETURN_IF_ERROR(CheckArguments());
    TUTTI_RETURN_IF_ERROR(grammar_.Compile());
    if (prompt_.empty() && ids_given_->count() == 0 && console.stdin_is_terminal()) {
      if (json_ || print_ids_) return UsageError("--json and --print-ids need a PROMPT");
      return RunChat(console, model_, answer_, verbose_);
    }
    TokenIds prompt;
    if (ids_given_->count() > 0) {
      TUTTI_ASSIGN_OR_RETURN(prompt, ParseIds(ids_));
    } else if (prompt_.empty()) {
      TUTTI_ASSIGN_OR_RETURN(prompt_, ReadStandardInput());
      // `echo text | tutti run`: the newline is echo's, not the text's.
      if (prompt_.ends_with('\n')) prompt_.pop_back();
    }
    WarnOfSlowKernels(console);
    TUTTI_ASSIGN_OR_RETURN(LoadedModel loaded, LoadModel(model_.model, model_.engine));
    TUTTI_RETURN_IF_ERROR(CheckIds(prompt, loaded.engine->spec()));
    TUTTI_RETURN_IF_ERROR(Prepare(loaded, prompt));
    TUTTI_ASSIGN_OR_RETURN(answer_.generate.constraint, grammar_.Bind(loaded));
    return Answer(loaded, prompt, console);
  }

 private:
  Status CheckArguments() {
    TUTTI_RETURN_IF_ERROR(answer_.Resolve());
    if (print_ids_ && json_) {
      return UsageError("--print-ids and --json exclude each other: the JSON has the ids");
    }
    if (answer_.generate.sampling.logprobs >= 0 && !json_) {
      return UsageError("--logprobs needs --json");
    }
    if (ids_given_->count() > 0 && !prompt_.empty())
      return UsageError("--ids and a PROMPT exclude each other");
    std::error_code error;
    if (prompt_.empty() && ids_given_->count() == 0 &&
        model_.model.find(' ') != std::string::npos &&
        !std::filesystem::exists(model_.model, error)) {
      prompt_.swap(model_.model);
    }
    if (fast_ && ids_given_->count() == 0) return UsageError("--fast goes with --ids");
    if (ids_given_->count() > 0) {
      answer_.raw = true;
      TUTTI_RETURN_IF_ERROR(BeExactUnless(fast_, model_.engine));  // who gives ids compares engines
    }
    if (answer_.raw && !answer_.system.empty()) {
      return UsageError("--system needs the chat template: leave out --raw and --ids");
    }
    return {};
  }

  // The prompt's ids, and the settings that depend on the model.
  Status Prepare(const LoadedModel& loaded, TokenIds& prompt) {
    GenerateOptions& generate = answer_.generate;
    if (ids_given_->count() == 0) {
      TUTTI_RETURN_IF_ERROR(answer_.TakeDefaultsOf(loaded.engine->metadata()));
    }
    if (ids_given_->count() == 0 || (!print_ids_ && !json_) || !generate.stop.empty()) {
      TUTTI_RETURN_IF_ERROR(loaded.tokenizer_status);
    }
    bool has_template = false;
    if (ids_given_->count() == 0) {
      TUTTI_ASSIGN_OR_RETURN(const PromptBuilder builder,
                             PromptBuilder::Create(*loaded.tokenizer, answer_.raw));
      has_template = builder.has_template();
      if (has_template) {
        std::vector<Message> messages;
        if (!answer_.system.empty()) messages.push_back({"system", answer_.system});
        messages.push_back({"user", prompt_});
        TUTTI_ASSIGN_OR_RETURN(prompt, builder.Chat(messages));
      } else if (!answer_.system.empty()) {
        return UsageError("{} has no chat template, so --system means nothing to it",
                          loaded.choice.name);
      } else {
        prompt = builder.Text(prompt_);
        echo_ = prompt_;
      }
    }
    if (generate.max_tokens < 0 && !has_template) {
      generate.max_tokens = ContinuationTokens(*loaded.engine, prompt.size());
    }
    return {};
  }

  Status Answer(LoadedModel& loaded, const TokenIds& prompt, Console& console) {
    const bool stream = !json_ && !print_ids_;
    const text::Tokenizer* tokenizer = loaded.tokenizer.get();
    Generator generator(*loaded.engine, tokenizer);
    if (stream && console.stdout_is_terminal()) ShowPrompt(console);
    const ShowText show = [&](std::string_view piece) {
      if (!stream) return;
      console.Write(piece);
      (void)console.Flush();  // remembered; main reports it
    };
    auto result = generator.Generate(prompt, answer_.generate, show);
    if (!result.ok()) return result.status();
    const Generated& generated = *result;
    if (stream && !generated.text.ends_with('\n')) console.Write("\n");
    if (print_ids_) PrintIds(console, generated);
    if (json_) PrintJson(console, generated);
    (void)console.Flush();
    if (verbose_) SaySpeed(console, loaded, generated);
    if (generated.reason == FinishReason::kInterrupted) return InterruptedError();
    if (generated.reason == FinishReason::kContextFull) {
      console.Say("tutti: stopped because the context of {} tokens is full",
                  loaded.engine->context());
    }
    return {};
  }

  // On a terminal the text that is continued stands in front of its continuation.
  void ShowPrompt(Console& console) const {
    if (echo_.empty()) return;
    console.Write(console.styled_stdout() ? "\x1b[2m" + echo_ + "\x1b[0m" : echo_);
    (void)console.Flush();
  }

  static void PrintIds(Console& console, const Generated& generated) {
    std::string line;
    for (const auto& token : generated.tokens) {
      line += (line.empty() ? "" : " ") + std::to_string(token.id);
    }
    console.Write(line + "\n");
  }

  void PrintJson(Console& console, const Generated& generated) const {
    boost::json::array ids;
    boost::json::array logprobs;
    for (const auto& token : generated.tokens) {
      ids.push_back(token.id);
      logprobs.push_back(TokenJson(token));
    }
    boost::json::object answer;
    answer["text"] = generated.text;
    answer["ids"] = std::move(ids);
    answer["finish"] = NameOf(generated.reason);
    answer["prompt_tokens"] = generated.prompt_tokens;
    answer["prompt_seconds"] = generated.prompt_seconds;
    answer["decode_seconds"] = generated.decode_seconds;
    if (answer_.generate.sampling.logprobs >= 0) answer["logprobs"] = std::move(logprobs);
    console.Write(ToJson(answer) + "\n");
  }

  void SaySpeed(Console& console, const LoadedModel& loaded, const Generated& generated) const {
    console.Say("model {}, {} threads, loaded in {:.2f} s, seed {}", loaded.choice.name,
                loaded.engine->threads(), loaded.load_seconds, answer_.generate.sampling.seed);
    SayKernels(console);
    SayPlacement(console, loaded.engine->placement());
    SayAnswerSpeed(console, generated);
  }

  ModelOptions model_;
  AnswerOptions answer_;
  GrammarOptions grammar_;
  std::string prompt_;
  std::string ids_;
  std::string echo_;  // the text that is continued
  CLI::Option* ids_given_ = nullptr;
  bool fast_ = false;
  bool print_ids_ = false;
  bool json_ = false;
  bool verbose_ = false;
};

class ChatCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    model_.DeclareModel(app, false);
    answer_.Declare(app);
    model_.DeclareEngine(app);
    app.add_flag("-v,--verbose", verbose_, "instruction sets and speeds on stderr");
    app.footer(
        "/help shows the commands. A line that ends in \\ goes on, \"\"\" begins and ends a\n"
        "block of lines. Ctrl-C stops the answer, Ctrl-D ends the conversation.");
  }

  Status Run(Console& console) override {
    TUTTI_RETURN_IF_ERROR(answer_.Resolve());
    return RunChat(console, model_, answer_, verbose_);
  }

 private:
  ModelOptions model_;
  AnswerOptions answer_;
  bool verbose_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeRunCommand() { return std::make_unique<RunCommand>(); }
std::unique_ptr<Command> MakeChatCommand() { return std::make_unique<ChatCommand>(); }

}  // namespace tutti::cli
