// tutti perplexity: how well a model predicts a text.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <boost/json.hpp>

#include "tutti/cli/command.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/kernel_report.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/progress.h"
#include "tutti/cli/prompt_builder.h"
#include "tutti/cli/scoring.h"
#include "tutti/os/file.h"

namespace tutti::cli {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 30;

class PerplexityCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    model_.DeclareModel(app, true);
    app.add_option("FILE", file_, "the text")->required();
    app.add_option("--context", context_, "tokens of a window (default 512)")
        ->type_name("N")
        ->check(Between(4, 1 << 30));
    app.add_option("--chunks", chunks_, "score the first N windows (default: all)")
        ->type_name("N")
        ->check(Between(1, 1 << 30));
    model_.DeclareEngine(app, false);
    DeclareJson(app, json_);
    app.footer(
        "Windows without overlap; in each the second half is scored, as llama.cpp does.\n"
        "What follows the +/- ('error' in the JSON) is the standard error.");
  }

  Status Run(Console& console) override {
    TUTTI_ASSIGN_OR_RETURN(const std::string text, os::ReadFile(file_, kMaxTextBytes));
    model_.engine.context = context_;
    WarnOfSlowKernels(console);
    TUTTI_ASSIGN_OR_RETURN(const LoadedModel loaded, LoadModel(model_.model, model_.engine));
    TUTTI_RETURN_IF_ERROR(loaded.tokenizer_status);
    const VocabSpec& vocab = loaded.tokenizer->spec();
    const TokenIds ids = text::EncodeOpenText(*loaded.tokenizer, text);
    const auto whole = static_cast<int64_t>(ids.size()) / context_;
    const int64_t windows = chunks_ > 0 ? std::min<int64_t>(chunks_, whole) : whole;

    Progress progress(console, "perplexity", windows);
    progress.Update(0);
    TUTTI_ASSIGN_OR_RETURN(const Perplexity result,
                           ComputePerplexity(*loaded.engine, ids, context_, windows,
                                             vocab.add_bos ? vocab.bos : kNoToken,
                                             [&](int64_t done, const Perplexity& so_far) {
                                               progress.Update(
                                                   done, fmt::format("{:.4f}", so_far.perplexity));
                                             }));
    progress.Finish();
    if (json_) {
      console.Write(ToJson(boost::json::object{{"perplexity", result.perplexity},
                                               {"error", result.error},
                                               {"tokens", result.tokens}}) +
                    "\n");
    } else {
      console.Print("{:.4f} +/- {:.4f} ({} tokens in {} windows of {})\n", result.perplexity,
                    result.error, result.tokens, windows, context_);
    }
    return {};
  }

 private:
  ModelOptions model_;
  std::string file_;
  int32_t context_ = 512;
  int64_t chunks_ = -1;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakePerplexityCommand() { return std::make_unique<PerplexityCommand>(); }

}  // namespace tutti::cli
