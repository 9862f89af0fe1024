// tutti convert: any model that Tutti reads, written as one GGUF file.
#include <CLI/CLI.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tutti/cli/command.h"
#include "tutti/engine/convert.h"
#include "tutti/format/checkpoint.h"
#include "tutti/text/tokenizer_files.h"

namespace tutti::cli {
namespace {

class ConvertCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("input", input_, "a Hugging Face folder or a GGUF file")
        ->type_name("IN")
        ->required();
    app.add_option("output", output_, "the GGUF file to write")->type_name("OUT")->required();
    app.add_option("-t,--type", type_, "number format of the matrices: q8_0, bf16, f16, f32")
        ->type_name("TYPE")
        ->capture_default_str();
    app.add_option("--name", options_.name, "what the file says the model is called")
        ->type_name("NAME");
  }

  Status Run(Console& console) override {
    const std::optional<QuantMix> mix = FindQuantMix(type_);
    if (!mix)
      return UsageError("--type {}: no such number format, try q8_0, bf16, f16 or f32", type_);
    options_.mix = *mix;
    TUTTI_ASSIGN_OR_RETURN(const format::Checkpoint checkpoint, format::OpenCheckpoint(input_));
    std::optional<VocabSpec> read;
    if (checkpoint.kind == format::CheckpointKind::kHuggingFace) {
      TUTTI_ASSIGN_OR_RETURN(read, text::ReadVocab(input_));
    }
    const VocabSpec* vocab = read ? &*read : checkpoint.vocab.get();
    if (vocab == nullptr) console.Say("note: {} has no vocabulary that Tutti can copy", input_);
    TUTTI_ASSIGN_OR_RETURN(const engine::ConvertReport report,
                           engine::ConvertToGguf(checkpoint, vocab, options_, output_));
    for (const std::string& loss : report.losses) {
      console.Say("note: a GGUF of this architecture cannot say everything: {}", loss);
    }
    console.Say("{}: {} tensors, {} parameters, {} bytes of weights", output_, report.tensors,
                report.parameters, report.bytes);
    return Status();
  }

 private:
  std::string input_;
  std::string output_;
  std::string type_ = "q8_0";
  engine::ConvertOptions options_;
};

}  // namespace

std::unique_ptr<Command> MakeConvertCommand() { return std::make_unique<ConvertCommand>(); }

}  // namespace tutti::cli
