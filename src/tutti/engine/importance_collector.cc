#include "tutti/engine/importance_collector.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tutti/engine/model_engine.h"
#include "tutti/engine/weight_sources.h"
#include "tutti/kernels/matmul.h"
#include "tutti/model/architecture.h"
#include "tutti/os/topology.h"

namespace tutti::engine {
namespace {

class Collector final : public kernels::MatMulObserver {
 public:
  explicit Collector(const WeightSources& sources) {
    for (const auto& [name, source] : sources) {
      if (!name.starts_with("blk.") || source.matrices.empty()) continue;
      ImportanceMatrix::Entry& entry = entries_[name];
      const auto columns = static_cast<size_t>(source.matrices[0].cols);
      entry.sums.resize(source.matrices.size() * columns);
      entry.counts.resize(source.matrices.size());
      for (size_t m = 0; m < source.matrices.size(); ++m) {
        places_[source.matrices[m].data] = {&entry, m};
      }
    }
  }

  void Observe(const kernels::Activations& x, std::span<const kernels::MatMulJob> jobs) override {
    const auto columns = static_cast<size_t>(x.cols);
    const kernels::MatMulJob* previous = nullptr;
    for (const kernels::MatMulJob& job : jobs) {
      const auto it = places_.find(job.weight.data);
      if (it == places_.end()) continue;
      const bool same_rows =
          previous != nullptr && previous->first == job.first && previous->step == job.step;
      if (!same_rows) AddSquares(x, job.first, job.step);
      previous = &job;
      auto [entry, matrix] = it->second;
      double* sums = entry->sums.data() + matrix * columns;
      for (size_t c = 0; c < columns; ++c) sums[c] += squares_[c];
      entry->counts[matrix] += rows_;
    }
  }

  // What was seen; one count for matrices that always work together, as heads do.
  Result<std::map<std::string, ImportanceMatrix::Entry, std::less<>>> Take() {
    for (auto& [name, entry] : entries_) {
      for (const double sum : entry.sums) {
        if (!std::isfinite(sum)) {
          return DataError("the inputs of {} are not finite numbers: is the model broken?", name);
        }
      }
      const int64_t first = entry.counts[0];
      if (std::all_of(entry.counts.begin(), entry.counts.end(),
                      [&](int64_t count) { return count == first; })) {
        entry.counts.resize(1);
      }
    }
    std::erase_if(entries_, [](const auto& each) {
      return std::all_of(each.second.counts.begin(), each.second.counts.end(),
                         [](int64_t count) { return count == 0; });
    });
    return std::move(entries_);
  }

 private:
  void AddSquares(const kernels::Activations& x, int64_t first, int64_t step) {
    squares_.assign(static_cast<size_t>(x.cols), 0.0);
    rows_ = 0;
    for (int64_t row = first; row < x.rows; row += step) {
      const float* values = x.Row(row);
      for (size_t c = 0; c < squares_.size(); ++c) {
        squares_[c] += static_cast<double>(values[c]) * values[c];
      }
      ++rows_;
    }
  }

  struct Place {
    ImportanceMatrix::Entry* entry = nullptr;
    size_t matrix = 0;
  };
  std::map<std::string, ImportanceMatrix::Entry, std::less<>> entries_;
  std::unordered_map<const std::byte*, Place> places_;  // by the address of the weights
  std::vector<double> squares_;                         // of the inputs of the last job
  int64_t rows_ = 0;                                    // summed in them
};

}  // namespace

Result<ImportanceMatrix> MeasureImportance(format::Checkpoint checkpoint,
                                           std::span<const TokenId> ids,
                                           const ImportanceOptions& options) {
  const auto chunk_tokens = static_cast<size_t>(options.chunk_tokens);
  int64_t chunks = static_cast<int64_t>(ids.size() / chunk_tokens);
  if (chunks == 0) {
    return DataError("the text has {} tokens, one chunk needs {}: lower --context", ids.size(),
                     chunk_tokens);
  }
  if (options.chunks >= 0) chunks = std::min(chunks, options.chunks);

  const model::ModelSource source{checkpoint.kind == format::CheckpointKind::kGguf,
                                  checkpoint.path.string(), checkpoint.metadata,
                                  checkpoint.tensors};
  TUTTI_ASSIGN_OR_RETURN(const model::Architecture* architecture, model::FindArchitecture(source));
  EngineOptions engine_options = options.engine;
  engine_options.context = options.chunk_tokens;
  TUTTI_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> created,
                         ModelEngine::Create(std::move(checkpoint), engine_options,
                                             os::ReadTopology(os::RealSystemFiles())));
  auto& engine = static_cast<ModelEngine&>(*created);  // Create makes no other
  Collector collector(
      WeightSourcesOf(engine.spec(), model::NamesOf(*architecture, true), engine.weights(), false));
  engine.SetObserver(&collector);
  TUTTI_ASSIGN_OR_RETURN(const SequenceId sequence, engine.NewSequence());
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    if (options.progress) TUTTI_RETURN_IF_ERROR(options.progress(chunk, chunks));
    const auto tokens = ids.subspan(static_cast<size_t>(chunk) * chunk_tokens, chunk_tokens);
    TokenIds input(tokens.begin(), tokens.end());
    if (options.bos != kNoToken) input.front() = options.bos;
    engine.Truncate(sequence, 0);
    Batch batch;
    // No prompt: where latents are absorbed, all matrices see inputs that can be collected.
    batch.entries.push_back({sequence, input, LogitsWanted::kNone, 0});
    TUTTI_RETURN_IF_ERROR(engine.Forward(batch).status());
  }
  engine.SetObserver(nullptr);
  ImportanceMatrix matrix;
  matrix.chunks = chunks;
  matrix.chunk_tokens = options.chunk_tokens;
  TUTTI_ASSIGN_OR_RETURN(matrix.entries, collector.Take());
  return matrix;
}

}  // namespace tutti::engine
