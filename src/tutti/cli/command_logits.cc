// tutti logits: the model's logits at every position of some ids, as a safetensors file.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstring>

#include "tutti/cli/command.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/progress.h"
#include "tutti/cli/scoring.h"
#include "tutti/format/safetensors.h"

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
    app.add_flag("--fast", fast_, "the fast path's arithmetic instead of exact float32");
    DeclareJson(app, json_);
  }

  Status Run(Console& console) override {
    TUTTI_ASSIGN_OR_RETURN(const TokenIds ids, ParseIds(ids_));
    model_.engine.context = static_cast<int32_t>(ids.size());
    model_.engine.exact = !fast_;  // who asks for numbers compares them
    TUTTI_ASSIGN_OR_RETURN(const LoadedModel loaded, LoadModel(model_.model, model_.engine));
    const auto rows = static_cast<int64_t>(ids.size());
    const int64_t cols = loaded.engine->spec().vocab_size;
    std::vector<float> logits;
    logits.reserve(static_cast<size_t>(rows * cols));
    TUTTI_RETURN_IF_ERROR(Compute(*loaded.engine, ids, console, logits));

    tensor::TensorView view;
    view.shape.dims = {rows, cols};
    view.shape.rank = 2;
    view.data = reinterpret_cast<const std::byte*>(logits.data());
    view.size_bytes = logits.size() * sizeof(float);
    TUTTI_RETURN_IF_ERROR(format::WriteSafetensors(out_, {{"logits", view}}));
    if (json_) {
      console.Print("{{\"file\": {}, \"rows\": {}, \"vocabulary\": {}}}\n", JsonString(out_), rows,
                    cols);
    }
    return {};
  }

 private:
  static Status Compute(Engine& engine, const TokenIds& ids, Console& console,
                        std::vector<float>& logits) {
    TUTTI_ASSIGN_OR_RETURN(const SequenceId sequence, engine.NewSequence());
    Progress progress(console, "logits", static_cast<int64_t>(ids.size()));
    return ForEachLogits(engine, sequence, ids, 0, [&](std::span<const float> rows) {
      logits.insert(logits.end(), rows.begin(), rows.end());
      progress.Update(static_cast<int64_t>(logits.size()) / engine.spec().vocab_size);
      return Status();
    });
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
