// tutti convert: any model that Tutti runs, written as one GGUF file.
#include <CLI/CLI.hpp>

#include <boost/json.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "tutti/base/printable.h"
#include "tutti/cli/command.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/progress.h"
#include "tutti/cli/size_text.h"
#include "tutti/engine/convert.h"

namespace tutti::cli {
namespace {

class ConvertCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    model_.DeclareModel(app, true);
    app.add_option("OUT", out_, "the GGUF file to write")->required();
    app.add_option("-t,--type", type_, "number format: q8_0 (default), bf16, q4_k_m, ...")
        ->type_name("TYPE");
    app.add_option("--name", name_, "what the file says the model is called")->type_name("NAME");
    DeclareJson(app, json_);
  }

  Status Run(Console& console) override {
    TUTTI_ASSIGN_OR_RETURN(const QuantMix mix, QuantMixOf(type_));
    TUTTI_ASSIGN_OR_RETURN(const ModelChoice choice, ChooseModel(model_.model));
    TUTTI_ASSIGN_OR_RETURN(const format::Checkpoint checkpoint, OpenChosen(choice));
    TUTTI_RETURN_IF_ERROR(CheckOutput(checkpoint));
    TUTTI_ASSIGN_OR_RETURN(const VocabSpec vocab, ReadChosenVocab(choice));
    TUTTI_ASSIGN_OR_RETURN(const engine::ConvertReport report,
                           Convert(checkpoint, vocab, mix, console));
    for (const std::string& loss : report.losses) {
      console.Say("note: the file cannot say all that this model is: {}", loss);
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
  // The model would be gone, and its finer weights with it.
  Status CheckOutput(const format::Checkpoint& checkpoint) const {
    for (const os::MmapFile& file : checkpoint.files) {
      std::error_code absent;
      if (std::filesystem::equivalent(file.path(), out_, absent)) {
        return UsageError("{} is the model itself: give the result another name",
                          Printable(out_, 1000));
      }
    }
    return {};
  }

  Result<engine::ConvertReport> Convert(const format::Checkpoint& checkpoint,
                                        const VocabSpec& vocab, const QuantMix& mix,
                                        Console& console) {
    std::optional<Progress> bar;
    engine::ConvertOptions options{.mix = mix, .name = name_};
    options.progress = [&](int64_t done_bytes, int64_t total_bytes) -> Status {
      if (Interrupted()) return InterruptedError();
      if (!bar) bar.emplace(console, "convert", total_bytes >> 20);
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
  std::string type_ = "q8_0";
  std::string name_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeConvertCommand() { return std::make_unique<ConvertCommand>(); }

}  // namespace tutti::cli
