// tutti convert and tutti quantize: any model that Tutti runs, written as one GGUF file. They
// differ in the number format that is taken where none is named.
#include <CLI/CLI.hpp>

#include <boost/json.hpp>
#include <memory>
#include <optional>
#include <string>

#include "tutti/base/printable.h"
#include "tutti/cli/command.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/output_file.h"
#include "tutti/cli/progress.h"
#include "tutti/cli/size_text.h"
#include "tutti/engine/convert.h"
#include "tutti/engine/importance.h"

namespace tutti::cli {
namespace {

class ConvertCommand final : public Command {
 public:
  ConvertCommand(std::string title, std::string type)
      : title_(std::move(title)), type_(std::move(type)) {}

  void Declare(CLI::App& app) override {
    model_.DeclareModel(app, true);
    app.add_option("OUT", out_, "the GGUF file to write")->required();
    app.add_option("-t,--type", type_, fmt::format("number format (default {}), see below", type_))
        ->type_name("TYPE");
    app.add_option("--imatrix", importance_file_, "which errors matter, by 'tutti imatrix'")
        ->type_name("FILE");
    app.add_option("--name", name_, "what the file says the model is called")->type_name("NAME");
    app.add_option("--threads", threads_, "threads that compute (default: all cores)")
        ->type_name("N")
        ->check(Between(1, 4096));
    DeclareJson(app, json_);
    app.footer(
        "TYPE: f32 f16 bf16 q8_0 q6_k q5_k_m q5_1 q5_0 q4_k_m q4_1 q4_0 iq4_nl iq4_xs\n"
        "q3_k_m q2_k, or mxfp4 (experts MXFP4, the rest Q8_0).");
  }

  Status Run(Console& console) override {
    TUTTI_ASSIGN_OR_RETURN(const QuantMix mix, QuantMixOf(type_));
    TUTTI_ASSIGN_OR_RETURN(const ModelChoice choice, ChooseModel(model_.model));
    TUTTI_ASSIGN_OR_RETURN(const format::Checkpoint checkpoint, OpenChosen(choice));
    TUTTI_RETURN_IF_ERROR(CheckOutput(out_, choice, checkpoint, {importance_file_}));
    std::optional<engine::ImportanceMatrix> importance;
    if (!importance_file_.empty()) {
      TUTTI_ASSIGN_OR_RETURN(importance, engine::ReadImportanceMatrix(importance_file_));
    }
    TUTTI_ASSIGN_OR_RETURN(const VocabSpec vocab, ReadChosenVocab(choice));
    TUTTI_ASSIGN_OR_RETURN(const engine::ConvertReport report,
                           Convert(checkpoint, vocab, mix, importance, console));
    for (const std::string& loss : report.losses) {
      console.Say("note: the file cannot say all that this model is: {}", loss);
    }
    if (!report.without_importance.empty()) {
      console.Say("note: the importance matrix says nothing about {} tensors, for example {}",
                  report.without_importance.size(), report.without_importance[0]);
    }
    if (importance && report.with_importance == 0) {
      console.Say(
          "note: no tensor needed the importance matrix: {} is written without one, or the "
          "model has its formats already",
          type_);
    }
    if (json_) {
      PrintJson(console, report);
    } else {
      console.Say("{}: {} tensors, {} parameters, {}", Printable(out_, 1000), report.tensors,
                  report.parameters, SizeText(static_cast<uint64_t>(report.bytes)));
    }
    return {};
  }

 private:
  Result<engine::ConvertReport> Convert(const format::Checkpoint& checkpoint,
                                        const VocabSpec& vocab, const QuantMix& mix,
                                        const std::optional<engine::ImportanceMatrix>& importance,
                                        Console& console) {
    std::optional<Progress> bar;
    engine::ConvertOptions options{.mix = mix,
                                   .threads = threads_,
                                   .importance = importance ? &*importance : nullptr,
                                   .name = name_};
    options.progress = [&](int64_t done_bytes, int64_t total_bytes) -> Status {
      if (Interrupted()) return InterruptedError();
      if (!bar) bar.emplace(console, title_, total_bytes >> 20);
      bar->Update(done_bytes >> 20, "MiB");
      return {};
    };
    return engine::ConvertToGguf(checkpoint, &vocab, options, out_);
  }

  void PrintJson(Console& console, const engine::ConvertReport& report) const {
    boost::json::array losses;
    for (const std::string& loss : report.losses) losses.emplace_back(loss);
    console.Write(ToJson(boost::json::object{{"file", out_},
                                             {"tensors", report.tensors},
                                             {"parameters", report.parameters},
                                             {"bytes", report.bytes},
                                             {"losses", std::move(losses)}}) +
                  "\n");
  }

  ModelOptions model_;
  std::string out_;
  std::string title_;
  std::string type_;
  std::string name_;
  std::string importance_file_;
  int threads_ = 0;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeConvertCommand() {
  return std::make_unique<ConvertCommand>("convert", "q8_0");
}
std::unique_ptr<Command> MakeQuantizeCommand() {
  return std::make_unique<ConvertCommand>("quantize", "q4_k_m");
}

}  // namespace tutti::cli
