#include "tutti/engine/convert.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "tutti/engine/convert_row.h"
#include "tutti/engine/gguf_export.h"
#include "tutti/engine/size_label.h"
#include "tutti/engine/spec_difference.h"
#include "tutti/engine/weight_sources.h"
#include "tutti/format/gguf_reader.h"
#include "tutti/format/gguf_vocab.h"
#include "tutti/format/gguf_writer.h"
#include "tutti/kernels/rope.h"
#include "tutti/model/architecture.h"
#include "tutti/model/weights.h"
#include "tutti/os/thread_pool.h"
#include "tutti/os/topology.h"
#include "tutti/tensor/encode_fitted.h"

namespace tutti::engine {
namespace {

using format::GgufWriter;
using tensor::WeightView;

constexpr uint32_t kQuantizationVersion = 2;
constexpr size_t kPieceBytes = size_t{4} << 20;  // two are alive at a time

int64_t RowBytes(DType dtype, int64_t cols) {
  const DTypeInfo& info = InfoOf(dtype);
  return cols / info.block_size * info.block_bytes;
}

// One tensor of the file and what it is made of.
struct Plan {
  GgufTensor tensor;
  DType dtype = DType::kF32;
  const WeightSource* source = nullptr;
  int64_t size_bytes = 0;
};

// GGUF keeps Llama 3's stretching of the rotary embedding as a divisor for each frequency.
ModelSpec WithDivisors(ModelSpec spec) {
  for (RopeSpec& rope : spec.rope) {
    if (rope.scaling != RopeScaling::kLlama3 || !rope.frequency_divisors.empty()) continue;
    RopeSpec plain = rope;
    plain.scaling = RopeScaling::kNone;
    const std::vector<double> from = kernels::RopeFrequencies(plain);
    const std::vector<double> to = kernels::RopeFrequencies(rope);
    rope.scaling = RopeScaling::kNone;
    for (size_t i = 0; i < from.size(); ++i) {
      rope.frequency_divisors.push_back(static_cast<float>(from[i] / to[i]));
    }
  }
  return spec;
}

// Embeddings are often padded beyond the tokenizer's size; in a GGUF both have to agree.
Result<VocabSpec> PaddedVocab(VocabSpec vocab, int32_t size) {
  if (std::ssize(vocab.tokens) > size) {
    return DataError(
        "the tokenizer has {} tokens, but the model's embedding only {} rows: is it "
        "the tokenizer of this model?",
        vocab.tokens.size(), size);
  }
  while (std::ssize(vocab.tokens) < size) {
    vocab.tokens.push_back(fmt::format("[PAD{}]", vocab.tokens.size()));
    vocab.kinds.push_back(TokenKind::kUnused);
    if (!vocab.scores.empty()) vocab.scores.push_back(-10000);
  }
  return vocab;
}

// The description that a reader gets from the keys and tensors planned for the file.
Result<ModelSpec> SpecOfFile(const GgufWriter& keys, const std::vector<Plan>& plans) {
  TUTTI_ASSIGN_OR_RETURN(const std::string bytes, keys.ToBytes());
  TUTTI_ASSIGN_OR_RETURN(const format::Checkpoint file,
                         format::OpenGgufBytes(std::as_bytes(std::span(bytes)), "conversion"));
  tensor::TensorMap tensors;
  for (const Plan& plan : plans) {
    tensor::TensorView view{plan.dtype, plan.tensor.shape, nullptr, 0};
    if (plan.source != nullptr && !plan.source->vector.empty()) {
      const auto values = std::as_bytes(std::span(plan.source->vector));
      view.data = values.data();
      view.size_bytes = values.size();
    }
    tensors.emplace(plan.tensor.name, view);
  }
  const model::ModelSource source{true, "conversion", file.metadata, tensors};
  TUTTI_ASSIGN_OR_RETURN(const model::Architecture* architecture, model::FindArchitecture(source));
  return model::ReadModelSpec(*architecture, source);
}

// Counts what all tensors together have written.
class Progress {
 public:
  Progress(const ConvertOptions& options, int64_t total_bytes)
      : options_(options), total_bytes_(total_bytes) {}
  Status Add(size_t bytes) {
    done_bytes_ += static_cast<int64_t>(bytes);
    return options_.progress ? options_.progress(done_bytes_, total_bytes_) : Status();
  }

 private:
  const ConvertOptions& options_;
  int64_t total_bytes_;
  int64_t done_bytes_ = 0;
};

// Encodes a tensor piece by piece: while the leading thread writes one, the others begin the next.
class TensorWriter {
 public:
  TensorWriter(const Plan& plan, const ConvertOptions& options, model::LateCopies& late,
               os::ThreadPool& pool)
      : plan_(plan),
        source_(*plan.source),
        late_(late),
        pool_(pool),
        floats_(static_cast<size_t>(pool.size())) {
    if (options.importance != nullptr) importance_ = options.importance->Means(plan.tensor.name);
  }

  // `written` is called with the bytes of each piece.
  Status Write(const GgufWriter::Append& append, const std::function<Status(size_t)>& written) {
    std::vector<std::byte> ready;
    const auto flush = [&]() -> Status {
      if (ready.empty()) return Status();
      TUTTI_RETURN_IF_ERROR(append({reinterpret_cast<const char*>(ready.data()), ready.size()}));
      return written(ready.size());
    };
    std::vector<std::byte> next;
    for (size_t m = 0; m < source_.matrices.size(); ++m) {
      const WeightView& matrix = source_.matrices[m];
      const auto row_bytes = RowBytes(plan_.dtype, matrix.cols);
      const int64_t most = std::max<int64_t>(1, static_cast<int64_t>(kPieceBytes) / row_bytes);
      late_.Make(matrix);
      for (int64_t begin = 0; begin < matrix.rows; begin += most) {
        const int64_t end = std::min(begin + most, matrix.rows);
        next.resize(static_cast<size_t>((end - begin) * row_bytes));
        TUTTI_RETURN_IF_ERROR(EncodeRows(m, begin, end, next, flush));
        std::swap(ready, next);
      }
      late_.Drop(matrix);
    }
    return flush();
  }

 private:
  Status EncodeRows(size_t m, int64_t begin, int64_t end, std::span<std::byte> out,
                    const std::function<Status()>& flush) {
    const WeightView& matrix = source_.matrices[m];
    const auto row_bytes = static_cast<size_t>(RowBytes(plan_.dtype, matrix.cols));
    const auto cols = static_cast<size_t>(matrix.cols);
    std::span<const float> importance = importance_;
    if (!importance.empty()) importance = importance.subspan(m * cols, cols);
    std::vector<Status> statuses(floats_.size());
    std::atomic<int64_t> claimed{begin};
    pool_.Run([&](int member) {
      Status& status = statuses[static_cast<size_t>(member)];
      if (member == 0) status = flush();
      while (status.ok()) {
        const int64_t row = claimed.fetch_add(1, std::memory_order_relaxed);
        if (row >= end) break;
        const int64_t from =
            source_.row_order.empty() ? row : source_.row_order[static_cast<size_t>(row)];
        status =
            ConvertRow(matrix, from, importance, plan_.dtype, floats_[static_cast<size_t>(member)],
                       out.subspan(static_cast<size_t>(row - begin) * row_bytes, row_bytes));
      }
    });
    for (Status& status : statuses) TUTTI_RETURN_IF_ERROR(std::move(status));
    return Status();
  }

  const Plan& plan_;
  const WeightSource& source_;
  model::LateCopies& late_;
  os::ThreadPool& pool_;
  std::vector<float> importance_;           // of every matrix in turn, or empty
  std::vector<std::vector<float>> floats_;  // a row for each member
};

bool HasShapeOf(const WeightSource& source, const GgufTensor& tensor) {
  if (tensor.vector) return std::ssize(source.vector) == tensor.shape.elements();
  int64_t elements = 0;
  for (const WeightView& matrix : source.matrices) elements += matrix.rows * matrix.cols;
  return elements == tensor.shape.elements();
}

class Conversion {
 public:
  Conversion(const format::Checkpoint& checkpoint, const ConvertOptions& options)
      : checkpoint_(checkpoint),
        options_(options),
        source_{checkpoint.kind == format::CheckpointKind::kGguf, checkpoint.path.string(),
                checkpoint.metadata, checkpoint.tensors} {}

  Status Prepare();
  Status Write(const VocabSpec* vocab, const std::filesystem::path& path);
  ConvertReport TakeReport() { return std::move(report_); }

 private:
  Status PlanTensors(const model::TensorNames& names);
  Status AttachSources(const model::TensorNames& names);
  Status CheckImportance();
  void SetGeneralKeys();
  Status Produce(const Plan& plan, os::ThreadPool& pool, Progress& progress,
                 const GgufWriter::Append& append);

  const format::Checkpoint& checkpoint_;
  const ConvertOptions& options_;
  model::ModelSource source_;
  const model::Architecture* architecture_ = nullptr;
  ModelSpec spec_;
  model::Weights weights_;
  WeightSources sources_;
  std::vector<Plan> plans_;
  GgufWriter writer_;
  ConvertReport report_;
};

// Every matrix has its format already.
bool IsCopied(const Plan& plan) {
  const auto& matrices = plan.source->matrices;
  return std::all_of(matrices.begin(), matrices.end(),
                     [&](const WeightView& m) { return m.dtype == plan.dtype; });
}

// The matrix must be of this model.
Status Conversion::CheckImportance() {
  if (options_.importance == nullptr) return Status();
  int64_t found = 0;
  for (const Plan& plan : plans_) {
    if (plan.tensor.vector || !tensor::CanEncodeFitted(plan.dtype)) continue;
    const size_t values = options_.importance->Means(plan.tensor.name).size();
    size_t columns = 0;
    for (const WeightView& matrix : plan.source->matrices) {
      columns += static_cast<size_t>(matrix.cols);
    }
    if (values == columns) {
      ++found;
      if (!IsCopied(plan)) ++report_.with_importance;
    } else if (values > 0) {
      return DataError(
          "the importance matrix has {} values for {}, this model {}: it was made for another "
          "model",
          values, plan.tensor.name, columns);
    } else if (plan.tensor.name.starts_with("blk.")) {
      report_.without_importance.push_back(plan.tensor.name);
    }
  }
  if (found == 0 && !report_.without_importance.empty()) {
    return DataError("the importance matrix has no tensor of this model, for example no {}",
                     report_.without_importance[0]);
  }
  return Status();
}

Status Conversion::PlanTensors(const model::TensorNames& names) {
  QuantMixModel facts = QuantMixModelOf(spec_);
  facts.importance = options_.importance != nullptr;
  for (GgufTensor& tensor : GgufTensorsOf(spec_, names)) {
    Plan plan;
    const int64_t cols = tensor.shape[tensor.shape.rank - 1];
    if (!tensor.vector) plan.dtype = TypeInMix(options_.mix, tensor.name, cols, facts);
    plan.size_bytes = tensor.shape.elements() / cols * RowBytes(plan.dtype, cols);
    plan.tensor = std::move(tensor);
    report_.parameters += plan.tensor.shape.elements();
    report_.bytes += plan.size_bytes;
    plans_.push_back(std::move(plan));
  }
  report_.tensors = std::ssize(plans_);
  return Status();
}

// Finds the values of every planned tensor. Which way the file wants the rotary pairs is what its
// own description, read back, says.
Status Conversion::AttachSources(const model::TensorNames& names) {
  WeightSource divisors;
  divisors.vector = spec_.rope[0].frequency_divisors;
  for (Plan& plan : plans_) {
    if (plan.tensor.name == "rope_freqs.weight") plan.source = &divisors;
  }
  TUTTI_ASSIGN_OR_RETURN(const ModelSpec in_file, SpecOfFile(writer_, plans_));
  report_.losses = Differences(spec_, in_file);
  const bool pair_rows = spec_.rope[0].pairing == RopePairing::kHalves &&
                         in_file.rope[0].pairing == RopePairing::kInterleaved;
  sources_ = WeightSourcesOf(spec_, names, weights_, pair_rows);
  for (Plan& plan : plans_) {
    const auto it = sources_.find(plan.tensor.name);
    if (it == sources_.end() || !HasShapeOf(it->second, plan.tensor)) {
      return Error(StatusCode::kInternal, "no values of the right size for tensor {}",
                   plan.tensor.name);
    }
    plan.source = &it->second;
    if (!CanConvertTo(plan.dtype) && !IsCopied(plan)) {
      return Unsupported("writing {} (tensor {}) is not supported yet", NameOf(plan.dtype),
                         plan.tensor.name);
    }
  }
  return Status();
}

void Conversion::SetGeneralKeys() {
  std::vector<std::pair<std::string, tensor::Shape>> shapes;
  for (const Plan& plan : plans_) shapes.emplace_back(plan.tensor.name, plan.tensor.shape);
  writer_.Set("general.size_label", SizeLabel(shapes));
  writer_.Set("general.file_type", static_cast<uint32_t>(options_.mix.file_type));
  writer_.Set("general.quantization_version", kQuantizationVersion);
}

Status Conversion::Prepare() {
  TUTTI_ASSIGN_OR_RETURN(architecture_, model::FindArchitecture(source_));
  TUTTI_ASSIGN_OR_RETURN(spec_, model::ReadModelSpec(*architecture_, source_));
  const int64_t available_bytes = os::ReadTopology(os::RealSystemFiles()).available_memory_bytes;
  TUTTI_ASSIGN_OR_RETURN(
      weights_, model::LoadWeights(spec_, model::NamesOf(*architecture_, source_.gguf), source_,
                                   available_bytes > 0 ? available_bytes : INT64_MAX,
                                   model::CopyTime::kWhenWanted));
  spec_ = WithDivisors(std::move(spec_));
  if (!options_.name.empty()) spec_.name = options_.name;
  if (spec_.name.empty()) spec_.name = checkpoint_.path.stem().string();
  const model::TensorNames names = model::NamesOf(*architecture_, true);
  TUTTI_RETURN_IF_ERROR(SetGgufModelKeys(*architecture_, spec_, writer_));
  TUTTI_RETURN_IF_ERROR(PlanTensors(names));
  TUTTI_RETURN_IF_ERROR(AttachSources(names));
  TUTTI_RETURN_IF_ERROR(CheckImportance());
  SetGeneralKeys();
  return Status();
}

Status Conversion::Write(const VocabSpec* vocab, const std::filesystem::path& path) {
  if (vocab != nullptr) {
    TUTTI_ASSIGN_OR_RETURN(const VocabSpec padded, PaddedVocab(*vocab, spec_.vocab_size));
    TUTTI_RETURN_IF_ERROR(format::SetGgufVocab(padded, writer_));
  }
  Progress progress(options_, report_.bytes);
  TUTTI_ASSIGN_OR_RETURN(
      const std::unique_ptr<os::ThreadPool> pool,
      os::ThreadPool::Create(os::Team::OnOneNode(
          options_.threads > 0 ? options_.threads
                               : os::DefaultThreads(os::ReadTopology(os::RealSystemFiles())))));
  for (const Plan& plan : plans_) {
    TUTTI_RETURN_IF_ERROR(writer_.AddTensor(
        plan.tensor.name, plan.dtype, plan.tensor.shape,
        [&](const GgufWriter::Append& append) { return Produce(plan, *pool, progress, append); }));
  }
  return writer_.Write(path);
}

Status Conversion::Produce(const Plan& plan, os::ThreadPool& pool, Progress& progress,
                           const GgufWriter::Append& append) {
  const WeightSource& source = *plan.source;
  if (source.matrices.empty()) {
    const auto values = std::as_bytes(std::span(source.vector));
    TUTTI_RETURN_IF_ERROR(append({reinterpret_cast<const char*>(values.data()), values.size()}));
    return progress.Add(values.size());
  }
  return TensorWriter(plan, options_, weights_.late, pool).Write(append, [&](size_t bytes) {
    // What was read of the model need not stay in memory.
    for (const os::MmapFile& file : checkpoint_.files) file.Forget();
    return progress.Add(bytes);
  });
}

}  // namespace

Result<ConvertReport> ConvertToGguf(const format::Checkpoint& checkpoint, const VocabSpec* vocab,
                                    const ConvertOptions& options,
                                    const std::filesystem::path& path) {
  Conversion conversion(checkpoint, options);
  TUTTI_RETURN_IF_ERROR(conversion.Prepare());
  TUTTI_RETURN_IF_ERROR(conversion.Write(vocab, path));
  return conversion.TakeReport();
}

}  // namespace tutti::engine
