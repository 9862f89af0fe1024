// tutti synth: models of real shapes with random weights, for measuring.
#include <CLI/CLI.hpp>

#include <boost/json.hpp>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "tutti/base/printable.h"
#include "tutti/cli/command.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/options.h"
#include "tutti/cli/progress.h"
#include "tutti/cli/size_text.h"
#include "tutti/engine/synth.h"

namespace tutti::cli {
namespace {

class SynthCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("SHAPE", options_.shape, "whose sizes: --list shows what there is");
    app.add_option("OUT", out_, "the GGUF file to write");
    app.add_option("-t,--type", type_, "number format: q4_k_m (default), q8_0, bf16, ...")
        ->type_name("TYPE");
    app.add_option("--layers", options_.layers, "layers (default: as published)")
        ->type_name("N")
        ->check(Between(1, 10000));
    app.add_option("--vocabulary", options_.vocab_size, "tokens (default: as published)")
        ->type_name("N")
        ->check(Between(1, 1 << 24));
    app.add_option("--seed", options_.seed, "same seed, same bytes (default 1)")
        ->type_name("N")
        ->check(CLI::Range(uint64_t{0}, std::numeric_limits<uint64_t>::max()).description(""));
    app.add_flag("--list", list_, "show the shapes");
    DeclareJson(app, json_);
    app.footer(
        "The file weighs and computes like the real model; what it says is noise.\n"
        "llama.cpp tells deepseek-v2-lite by its number of layers: give it 26 or 27.");
  }

  Status Run(Console& console) override {
    if (list_) {
      List(console);
      return {};
    }
    for (const auto& [name, value] : {std::pair("SHAPE", &options_.shape), {"OUT", &out_}}) {
      if (value->empty()) return UsageError("{} is required: see 'tutti synth --help'", name);
    }
    TUTTI_ASSIGN_OR_RETURN(options_.mix, QuantMixOf(type_));
    std::optional<Progress> bar;
    const auto progress = [&](int64_t done_bytes, int64_t total_bytes) -> Status {
      if (Interrupted()) return InterruptedError();
      if (!bar) bar.emplace(console, "synth", total_bytes >> 20);
      bar->Update(done_bytes >> 20, "MiB");
      return {};
    };
    TUTTI_ASSIGN_OR_RETURN(const engine::SynthReport report,
                           engine::WriteSyntheticModel(options_, out_, progress));
    bar.reset();
    if (options_.shape == "deepseek-v2-lite" && report.layers != 26 && report.layers != 27) {
      console.Say("note: llama.cpp reads this shape with 26 or 27 layers only");
    }
    if (json_) {
      console.Write(ToJson(boost::json::object{{"file", out_},
                                               {"layers", report.layers},
                                               {"tensors", report.tensors},
                                               {"parameters", report.parameters},
                                               {"bytes", report.bytes}}) +
                    "\n");
    } else {
      console.Say("{}: {} tensors, {} parameters, {}", Printable(out_, 1000), report.tensors,
                  report.parameters, SizeText(static_cast<uint64_t>(report.bytes)));
    }
    return {};
  }

 private:
  void List(Console& console) const {
    boost::json::array shapes;
    for (const engine::SynthShape& shape : engine::SynthShapes()) {
      if (json_) {
        shapes.push_back({{"name", shape.name}, {"summary", shape.summary}});
      } else {
        console.Print("{:<16}  {}\n", shape.name, shape.summary);
      }
    }
    if (json_) console.Write(ToJson(boost::json::object{{"shapes", std::move(shapes)}}) + "\n");
  }

  engine::SynthOptions options_;
  std::string out_;
  std::string type_ = "q4_k_m";
  bool list_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeSynthCommand() { return std::make_unique<SynthCommand>(); }

}  // namespace tutti::cli
