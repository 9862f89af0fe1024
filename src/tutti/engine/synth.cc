#include "tutti/engine/synth.h"

#include <algorithm>
#include <vector>

#include "tutti/base/hash.h"
#include "tutti/base/rng.h"
#include "tutti/engine/gguf_export.h"
#include "tutti/engine/synth_shapes.h"
#include "tutti/format/gguf_vocab.h"
#include "tutti/format/gguf_writer.h"
#include "tutti/model/architecture.h"
#include "tutti/tensor/random_blocks.h"

namespace tutti::engine {
namespace {

// Pieces in which tensors are drawn and written; a multiple of every block.
constexpr int64_t kPieceRows = 64;

std::string Utf8(uint32_t code) {
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
}

// The printable stand-in that byte-level BPE writes for a byte: itself where it prints, otherwise
// the next code point from 256 on.
std::vector<std::string> ByteAlphabet() {
  std::vector<std::string> alphabet;
  uint32_t next = 256;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool prints = (byte >= 33 && byte <= 126) || (byte >= 161 && byte != 173);
    alphabet.push_back(Utf8(prints ? byte : next++));
  }
  return alphabet;
}

// All bytes, one merge (readers want at least one), fillers, and the control tokens at the end.
Result<VocabSpec> SyntheticVocab(int32_t size) {
  constexpr int32_t kSmallest = 260;
  if (size < kSmallest) {
    return UsageError("a vocabulary of {} tokens is too small: at least {} hold all bytes", size,
                      kSmallest);
  }
  VocabSpec vocab;
  vocab.pretokenizer = "gpt-2";
  vocab.tokens = ByteAlphabet();
  vocab.tokens.push_back("th");
  vocab.merges.emplace_back("t", "h");
  while (std::ssize(vocab.tokens) < size - 2) {
    vocab.tokens.push_back(fmt::format("filler{}", vocab.tokens.size()));
  }
  vocab.kinds.assign(vocab.tokens.size(), TokenKind::kNormal);
  for (const char* name : {"<|begin|>", "<|end|>"}) {
    vocab.tokens.push_back(name);
    vocab.kinds.push_back(TokenKind::kControl);
  }
  vocab.bos = size - 2;
  vocab.eos = size - 1;
  vocab.end_of_generation = {vocab.eos};
  return vocab;
}

int64_t RowBytes(DType dtype, int64_t cols) {
  const DTypeInfo& info = InfoOf(dtype);
  return cols / info.block_size * info.block_bytes;
}

struct Plan {
  GgufTensor tensor;
  DType dtype = DType::kF32;
  int64_t rows = 0;
  int64_t row_bytes = 0;
};

Result<std::vector<Plan>> PlanTensors(const ModelSpec& spec, const model::TensorNames& names,
                                      const QuantMix& mix) {
  std::vector<Plan> plans;
  const QuantMixModel facts = QuantMixModelOf(spec);
  for (GgufTensor& tensor : GgufTensorsOf(spec, names)) {
    Plan plan;
    const int64_t cols = tensor.shape[tensor.shape.rank - 1];
    if (!tensor.vector) plan.dtype = TypeInMix(mix, tensor.name, cols, facts);
    if (!tensor::CanFillRandom(plan.dtype)) {
      return Unsupported("random weights of type {} are not supported yet", NameOf(plan.dtype));
    }
    plan.rows = tensor.shape.elements() / cols;
    plan.row_bytes = RowBytes(plan.dtype, cols);
    plan.tensor = std::move(tensor);
    plans.push_back(std::move(plan));
  }
  return plans;
}

// Counts what all tensors together have written.
class Progress {
 public:
  Progress(const SynthProgress& report, int64_t total_bytes)
      : report_(report), total_bytes_(total_bytes) {}
  Status Add(int64_t bytes) {
    done_bytes_ += bytes;
    return report_ ? report_(done_bytes_, total_bytes_) : Status();
  }

 private:
  const SynthProgress& report_;
  int64_t total_bytes_;
  int64_t done_bytes_ = 0;
};

Status Produce(const Plan& plan, uint64_t seed, Progress& progress,
               const format::GgufWriter::Append& append) {
  Rng rng(seed ^ Fnv1a(plan.tensor.name));
  std::vector<std::byte> piece(
      static_cast<size_t>(std::min(plan.rows, kPieceRows) * plan.row_bytes));
  for (int64_t row = 0; row < plan.rows; row += kPieceRows) {
    const int64_t rows = std::min(kPieceRows, plan.rows - row);
    const std::span bytes(piece.data(), static_cast<size_t>(rows * plan.row_bytes));
    if (plan.tensor.deviation > 0) {
      tensor::FillRandom(plan.dtype, plan.tensor.deviation, rng, bytes);
    } else {
      std::fill_n(reinterpret_cast<float*>(bytes.data()), bytes.size() / sizeof(float), 1.0f);
    }
    TUTTI_RETURN_IF_ERROR(append({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    TUTTI_RETURN_IF_ERROR(progress.Add(std::ssize(bytes)));
  }
  return Status();
}

}  // namespace

Result<SynthReport> WriteSyntheticModel(const SynthOptions& options,
                                        const std::filesystem::path& path,
                                        const SynthProgress& progress) {
  TUTTI_ASSIGN_OR_RETURN(const SynthConfig config, SynthConfigOf(options));
  const model::ModelSource source{false, options.shape, config.metadata, config.tensors};
  TUTTI_ASSIGN_OR_RETURN(const model::Architecture* architecture, model::FindArchitecture(source));
  TUTTI_ASSIGN_OR_RETURN(const ModelSpec spec, model::ReadModelSpec(*architecture, source));
  TUTTI_ASSIGN_OR_RETURN(const VocabSpec vocab, SyntheticVocab(spec.vocab_size));

  format::GgufWriter writer;
  TUTTI_RETURN_IF_ERROR(SetGgufModelKeys(*architecture, spec, writer));
  writer.Set("general.file_type", static_cast<uint32_t>(options.mix.file_type));
  TUTTI_RETURN_IF_ERROR(format::SetGgufVocab(vocab, writer));
  TUTTI_ASSIGN_OR_RETURN(const std::vector<Plan> plans,
                         PlanTensors(spec, model::NamesOf(*architecture, true), options.mix));
  SynthReport report{.layers = std::ssize(spec.layers), .tensors = std::ssize(plans)};
  for (const Plan& plan : plans) {
    report.bytes += plan.rows * plan.row_bytes;
    report.parameters += plan.tensor.shape.elements();
  }
  Progress counter(progress, report.bytes);
  for (const Plan& plan : plans) {
    TUTTI_RETURN_IF_ERROR(writer.AddTensor(
        plan.tensor.name, plan.dtype, plan.tensor.shape,
        [&plan, &counter, seed = options.seed](const format::GgufWriter::Append& append) {
          return Produce(plan, seed, counter, append);
        }));
  }
  TUTTI_RETURN_IF_ERROR(writer.Write(path));
  return report;
}

}  // namespace tutti::engine
