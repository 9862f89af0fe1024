#include "tutti/engine/importance.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>

#include "tutti/format/gguf_reader.h"
#include "tutti/format/gguf_writer.h"
#include "tutti/tensor/tensor_map.h"

namespace tutti::engine {
namespace {

constexpr std::string_view kSums = ".in_sum2";
constexpr std::string_view kCounts = ".counts";
// Relative to the mean of a matrix: no column is worth nothing.
constexpr double kLeast = 1e-6;

Result<std::vector<float>> Floats(std::string_view name, const tensor::TensorView& view) {
  if (view.dtype != DType::kF32) {
    return DataError("tensor {} is {}, in an importance matrix it has to be F32", name,
                     NameOf(view.dtype));
  }
  std::vector<float> values(view.size_bytes / sizeof(float));
  std::memcpy(values.data(), view.data, view.size_bytes);
  for (const float value : values) {
    if (!(value >= 0) || !std::isfinite(value)) {
      return DataError("tensor {} holds {}, sums of squares are numbers from 0 on", name, value);
    }
  }
  return values;
}

Result<ImportanceMatrix::Entry> ReadEntry(std::string_view stem, const tensor::TensorView& sums,
                                          const tensor::TensorMap& tensors) {
  const std::string counts_name = fmt::format("{}{}", stem, kCounts);
  const auto counts = tensors.find(counts_name);
  if (counts == tensors.end()) return DataError("tensor {} is missing", counts_name);
  TUTTI_ASSIGN_OR_RETURN(const std::vector<float> sum_values, Floats(stem, sums));
  TUTTI_ASSIGN_OR_RETURN(const std::vector<float> count_values,
                         Floats(counts_name, counts->second));
  if (count_values.empty() || sum_values.size() % count_values.size() != 0) {
    return DataError("{} has {} sums for {} counts", stem, sum_values.size(), count_values.size());
  }
  ImportanceMatrix::Entry entry;
  entry.sums.assign(sum_values.begin(), sum_values.end());
  for (const float count : count_values) {
    entry.counts.push_back(static_cast<int64_t>(std::min(count, 1e18f)));
  }
  return entry;
}

}  // namespace

std::vector<float> ImportanceMatrix::Means(std::string_view name) const {
  const auto it = entries.find(name);
  if (it == entries.end()) return {};
  const Entry& entry = it->second;
  std::vector<float> means;
  means.reserve(entry.sums.size());
  const size_t columns = entry.sums.size() / entry.counts.size();
  for (size_t m = 0; m < entry.counts.size(); ++m) {
    const std::span<const double> sums(&entry.sums[m * columns], columns);
    double total = 0;
    for (const double sum : sums) total += sum;
    const double count = static_cast<double>(std::max<int64_t>(1, entry.counts[m]));
    const double least = kLeast * total / static_cast<double>(columns);
    for (const double sum : sums) {
      const auto mean = static_cast<float>(std::max(sum, least) / count);
      means.push_back(mean > 0 ? mean : 1);
    }
  }
  return means;
}

Result<ImportanceMatrix> ReadImportanceMatrix(const std::filesystem::path& path) {
  TUTTI_ASSIGN_OR_RETURN(const format::Checkpoint file, format::OpenGguf(path));
  const auto context = [&](const Status& status) { return status.WithContext(path.string()); };
  const auto kind = file.metadata.String("general.type");
  if (!kind.ok() || kind->value_or("") != "imatrix") {
    return context(DataError("not an importance matrix: 'tutti imatrix' writes one"));
  }
  ImportanceMatrix matrix;
  for (const auto& [name, view] : file.tensors) {
    if (!name.ends_with(kSums)) continue;
    const std::string stem = name.substr(0, name.size() - kSums.size());
    Result<ImportanceMatrix::Entry> entry = ReadEntry(stem, view, file.tensors);
    if (!entry.ok()) return context(entry.status());
    matrix.entries.emplace(stem, std::move(entry).value());
  }
  return matrix;
}

Status WriteImportanceMatrix(const ImportanceMatrix& matrix, const std::filesystem::path& path) {
  format::GgufWriter writer;
  writer.Set("general.type", std::string("imatrix"));
  writer.Set("imatrix.datasets", matrix.datasets);
  writer.Set("imatrix.chunk_count", static_cast<uint32_t>(matrix.chunks));
  writer.Set("imatrix.chunk_size", static_cast<uint32_t>(matrix.chunk_tokens));
  for (const auto& [name, entry] : matrix.entries) {
    const auto rows = std::ssize(entry.counts);
    // clang 14 cannot capture a structured binding
    const auto add = [&, &stem = name](std::string_view suffix, int64_t columns,
                                       const auto& values) {
      return writer.AddTensor(fmt::format("{}{}", stem, suffix), DType::kF32, {{rows, columns}, 2},
                              [&values](const format::GgufWriter::Append& append) {
                                const std::vector<float> floats(values.begin(), values.end());
                                return append({reinterpret_cast<const char*>(floats.data()),
                                               floats.size() * sizeof(float)});
                              });
    };
    TUTTI_RETURN_IF_ERROR(add(kSums, std::ssize(entry.sums) / rows, entry.sums));
    TUTTI_RETURN_IF_ERROR(add(kCounts, 1, entry.counts));
  }
  return writer.Write(path);
}

}  // namespace tutti::engine
