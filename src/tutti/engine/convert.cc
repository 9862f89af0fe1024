#include "tutti/engine/convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

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
#include "tutti/tensor/decode.h"
#include "tutti/tensor/encode.h"
#include "tutti/tensor/encode_k_quants.h"

namespace tutti::engine {
namespace {

using format::GgufWriter;
using tensor::WeightView;

constexpr uint32_t kQuantizationVersion = 2;
constexpr size_t kPieceBytes = size_t{1} << 20;

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

// Collects rows into pieces worth a call.
class Pieces {
 public:
  Pieces(const GgufWriter::Append& append, Progress& progress)
      : append_(append), progress_(progress) {}
  // Space for one more row, to be filled by the caller.
  Result<std::span<std::byte>> Next(size_t bytes) {
    if (piece_.size() + bytes > kPieceBytes) TUTTI_RETURN_IF_ERROR(Flush());
    piece_.resize(piece_.size() + bytes);
    return std::span(piece_).last(bytes);
  }
  Status Flush() {
    TUTTI_RETURN_IF_ERROR(append_({reinterpret_cast<const char*>(piece_.data()), piece_.size()}));
    const size_t written = piece_.size();
    piece_.clear();
    return progress_.Add(written);
  }

 private:
  const GgufWriter::Append& append_;
  Progress& progress_;
  std::vector<std::byte> piece_;
};

// The same blocks in GGUF's order: the exponent in front, value i beside value i + 16. Nothing is
// rounded, which decoding and encoding again would not promise.
void RepackMxfp4(const WeightView& from, int64_t row, std::span<std::byte> to) {
  const std::byte* data = from.data + row * from.row_stride_bytes;
  const std::byte* scales = from.scales + row * from.scale_row_stride_bytes;
  const auto value = [&](int64_t c) { return data[c / 2] >> (c % 2 * 4) & std::byte{0xf}; };
  std::byte* out = to.data();
  for (int64_t begin = 0; begin < from.cols; begin += 32) {
    *out++ = scales[begin / 32];
    for (int64_t i = 0; i < 16; ++i) *out++ = value(begin + i) | value(begin + i + 16) << 4;
  }
}

bool CanWrite(DType dtype) { return tensor::CanEncode(dtype) || tensor::CanEncodeKQuant(dtype); }

Status ConvertRow(const WeightView& from, int64_t row, DType dtype, std::vector<float>& floats,
                  std::span<std::byte> to) {
  if (from.dtype == dtype && from.scales == nullptr) {
    std::memcpy(to.data(), from.data + row * from.row_stride_bytes, to.size());
    return Status();
  }
  if (from.dtype == DType::kMXFP4Split && dtype == DType::kMXFP4) {
    RepackMxfp4(from, row, to);
    return Status();
  }
  floats.resize(static_cast<size_t>(from.cols));
  DecodeRow(from, row, floats);
  if (tensor::CanEncode(dtype)) {
    tensor::EncodeRow(dtype, floats, to);
    return Status();
  }
  if (!std::all_of(floats.begin(), floats.end(), [](float x) { return std::isfinite(x); })) {
    return DataError("row {} holds values that are not finite and cannot be written as {}", row,
                     NameOf(dtype));
  }
  tensor::EncodeKQuantRow(dtype, floats, {}, to);
  return Status();
}

Status Produce(const Plan& plan, Progress& progress, const GgufWriter::Append& append) {
  Pieces pieces(append, progress);
  const WeightSource& source = *plan.source;
  if (source.matrices.empty()) {
    const auto values = std::as_bytes(std::span(source.vector));
    TUTTI_ASSIGN_OR_RETURN(const auto space, pieces.Next(values.size()));
    std::copy(values.begin(), values.end(), space.begin());
    return pieces.Flush();
  }
  std::vector<float> floats;
  for (const WeightView& matrix : source.matrices) {
    const auto row_bytes = static_cast<size_t>(RowBytes(plan.dtype, matrix.cols));
    for (int64_t row = 0; row < matrix.rows; ++row) {
      const int64_t from =
          source.row_order.empty() ? row : source.row_order[static_cast<size_t>(row)];
      TUTTI_ASSIGN_OR_RETURN(const auto space, pieces.Next(row_bytes));
      TUTTI_RETURN_IF_ERROR(
          ConvertRow(matrix, from, plan.dtype, floats, space).WithContext(plan.tensor.name));
    }
  }
  return pieces.Flush();
}

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
  void SetGeneralKeys();

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

Status Conversion::PlanTensors(const model::TensorNames& names) {
  const QuantMixModel facts = QuantMixModelOf(spec_);
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
    const auto can_copy = [&](const WeightView& m) { return m.dtype == plan.dtype; };
    if (!CanWrite(plan.dtype) &&
        !std::all_of(plan.source->matrices.begin(), plan.source->matrices.end(), can_copy)) {
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
  TUTTI_ASSIGN_OR_RETURN(
      weights_, model::LoadWeights(spec_, model::NamesOf(*architecture_, source_.gguf), source_));
  spec_ = WithDivisors(std::move(spec_));
  if (!options_.name.empty()) spec_.name = options_.name;
  if (spec_.name.empty()) spec_.name = checkpoint_.path.stem().string();
  const model::TensorNames names = model::NamesOf(*architecture_, true);
  TUTTI_RETURN_IF_ERROR(SetGgufModelKeys(*architecture_, spec_, writer_));
  TUTTI_RETURN_IF_ERROR(PlanTensors(names));
  TUTTI_RETURN_IF_ERROR(AttachSources(names));
  SetGeneralKeys();
  return Status();
}

Status Conversion::Write(const VocabSpec* vocab, const std::filesystem::path& path) {
  if (vocab != nullptr) {
    TUTTI_ASSIGN_OR_RETURN(const VocabSpec padded, PaddedVocab(*vocab, spec_.vocab_size));
    TUTTI_RETURN_IF_ERROR(format::SetGgufVocab(padded, writer_));
  }
  Progress progress(options_, report_.bytes);
  for (const Plan& plan : plans_) {
    TUTTI_RETURN_IF_ERROR(writer_.AddTensor(plan.tensor.name, plan.dtype, plan.tensor.shape,
                                            [&plan, &progress](const GgufWriter::Append& append) {
                                              return Produce(plan, progress, append);
                                            }));
  }
  return writer_.Write(path);
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
