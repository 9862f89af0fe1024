// tutti logits: the model's logits at every position of some ids, as a safetensors file.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstring>

#include "tutti/cli/command.h"
#include "tutti/cli/exact_mode.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/kernel_report.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/output_file.h"
#include "tutti/cli/progress.h"
#include "tutti/cli/scoring.h"
#include "tutti/format/safetensors.h"
#include "tutti/os/file.h"

namespace tutti::cli {
namespace {

class LogitsCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    model_.DeclareModel(app, true);
    app.add_option("--ids", ids_, "the token ids: 5,17,3")->type_name("LIST")->required();
    app.add_option("--out", out_, "safetensors file: float32 'logits' [n, vocabulary]")
        ->type_name("FILE")
        ->required();
    model_.DeclareEngine(app, false);
    app.get_option("--exact")->description("float32 arithmetic: the default here");
    app.add_flag("--fast", fast_, "the fast path's arithmetic instead of exact float32");
    DeclareJson(app, json_);
  }

  Status Run(Console& console) override {
    TUTTI_ASSIGN_OR_RETURN(const TokenIds ids, ParseIds(ids_));
    TUTTI_RETURN_IF_ERROR(
        BeExactUnless(fast_, model_.engine));  // who asks for numbers compares them
    TUTTI_RETURN_IF_ERROR(CheckFile());
    WarnOfSlowKernels(console);
    TUTTI_ASSIGN_OR_RETURN(const LoadedModel loaded, LoadModel(model_.model, model_.engine));
    const auto rows = static_cast<int64_t>(ids.size());
    const int64_t cols = loaded.engine->spec().vocab_size;
    TUTTI_RETURN_IF_ERROR(CheckIds(ids, loaded.engine->spec()));
    if (rows > loaded.engine->context()) {
      return Error(StatusCode::kResource, "--ids has {} tokens, the context holds {}: give fewer",
                   rows, loaded.engine->context());
    }
    TUTTI_RETURN_IF_ERROR(Write(*loaded.engine, ids, console));
    if (json_) {
      console.Print("{{\"file\": {}, \"rows\": {}, \"vocabulary\": {}}}\n", JsonString(out_), rows,
                    cols);
    }
    return {};
  }

 private:
  Status CheckFile() const {
    TUTTI_ASSIGN_OR_RETURN(const ModelChoice choice, ChooseModel(model_.model));
    TUTTI_ASSIGN_OR_RETURN(const format::Checkpoint checkpoint, OpenChosen(choice));
    return CheckOutput(out_, choice, checkpoint);
  }

  // Rows go to the file as they come: all of them may be larger than memory.
  Status Write(Engine& engine, const TokenIds& ids, Console& console) const {
    const int64_t cols = engine.spec().vocab_size;
    tensor::TensorView view;
    view.shape = {{std::ssize(ids), cols}, 2};
    view.size_bytes = ids.size() * static_cast<size_t>(cols) * sizeof(float);
    TUTTI_ASSIGN_OR_RETURN(os::FileWriter file, os::FileWriter::Create(out_));
    TUTTI_RETURN_IF_ERROR(file.Append(format::SafetensorsHeader({{"logits", view}})));
    Progress progress(console, "logits", std::ssize(ids));
    int64_t done = 0;
    const auto take = [&](std::span<const float> rows) -> Status {
      done += std::ssize(rows) / cols;
      progress.Update(done);
      return file.Append({reinterpret_cast<const char*>(rows.data()), rows.size_bytes()});
    };
    TUTTI_RETURN_IF_ERROR(ForEachLogits(engine, ids, 0, take));
    return file.Commit();
  }

  ModelOptions model_;
  std::string ids_;
  std::string out_;
  bool fast_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeLogitsCommand() { return std::make_unique<LogitsCommand>(); }

}  // namespace tutti::cli
