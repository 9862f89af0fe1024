// tutti imatrix: which weights matter, measured on a text, for 'tutti quantize --imatrix'.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <string>

#include "tutti/base/printable.h"
#include "tutti/cli/command.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/kernel_report.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/output_file.h"
#include "tutti/cli/progress.h"
#include "tutti/cli/prompt_builder.h"
#include "tutti/engine/importance_collector.h"
#include "tutti/os/file.h"
#include "tutti/text/tokenizer.h"

namespace tutti::cli {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 30;

class ImatrixCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    model_.DeclareModel(app, true);
    app.add_option("FILE", file_, "a text like those that the model will read")->required();
    app.add_option("-o,--output", out_, "the GGUF file to write (default imatrix.gguf)")
        ->type_name("OUT");
    app.add_option("--context", options_.chunk_tokens, "tokens of a chunk (default 512)")
        ->type_name("N")
        ->check(Between(1, 1 << 20));
    app.add_option("--chunks", options_.chunks, "read the first N chunks (default: all)")
        ->type_name("N")
        ->check(Between(1, 1 << 30));
    model_.DeclareEngine(app, false);
    DeclareJson(app, json_);
    app.footer("llama-quantize reads the file, too.");
  }

  Status Run(Console& console) override {
    TUTTI_ASSIGN_OR_RETURN(const std::string text, os::ReadFile(file_, kMaxTextBytes));
    TUTTI_ASSIGN_OR_RETURN(const ModelChoice choice, ChooseModel(model_.model));
    TUTTI_ASSIGN_OR_RETURN(format::Checkpoint checkpoint, OpenChosen(choice));
    TUTTI_RETURN_IF_ERROR(CheckOutput(out_, choice, checkpoint, {file_}));
    WarnOfSlowKernels(console);
    TUTTI_ASSIGN_OR_RETURN(const VocabSpec vocab, ReadChosenVocab(choice));
    TUTTI_ASSIGN_OR_RETURN(const auto tokenizer, text::Tokenizer::Create(vocab));
    const TokenIds ids = text::EncodeOpenText(*tokenizer, text);
    std::optional<Progress> bar;
    options_.engine = model_.engine;
    options_.bos = vocab.add_bos ? vocab.bos : kNoToken;
    options_.progress = [&](int64_t done, int64_t total) -> Status {
      if (Interrupted()) return InterruptedError();
      if (!bar) bar.emplace(console, "imatrix", total);
      bar->Update(done);
      return {};
    };
    TUTTI_ASSIGN_OR_RETURN(engine::ImportanceMatrix matrix,
                           engine::MeasureImportance(std::move(checkpoint), ids, options_));
    bar.reset();
    matrix.datasets = {file_};
    TUTTI_RETURN_IF_ERROR(engine::WriteImportanceMatrix(matrix, out_));
    // Experts that no token was sent to: their weights will be taken as equally important.
    int64_t matrices = 0, unseen = 0;
    for (const auto& [name, entry] : matrix.entries) {
      matrices += std::ssize(entry.counts);
      unseen += std::count(entry.counts.begin(), entry.counts.end(), 0);
    }
    if (json_) {
      console.Write(ToJson(boost::json::object{{"file", out_},
                                               {"tensors", std::ssize(matrix.entries)},
                                               {"matrices", matrices},
                                               {"unseen", unseen},
                                               {"chunks", matrix.chunks}}) +
                    "\n");
      return {};
    }
    if (unseen > 0) {
      console.Say("note: the text used {} of {} matrices: a longer one reaches more experts",
                  matrices - unseen, matrices);
    }
    console.Say("{}: {} tensors, {} chunks of {} tokens", Printable(out_, 1000),
                matrix.entries.size(), matrix.chunks, matrix.chunk_tokens);
    return {};
  }

 private:
  ModelOptions model_;
  engine::ImportanceOptions options_;
  std::string file_;
  std::string out_ = "imatrix.gguf";
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeImatrixCommand() { return std::make_unique<ImatrixCommand>(); }

}  // namespace tutti::cli
