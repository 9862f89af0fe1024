#include "tutti/model/weight_finder.h"

#include <charconv>
#include <optional>

#include "tutti/base/printable.h"
#include "tutti/tensor/weight_lookup.h"

namespace tutti::model {
namespace {

using tensor::WeightView;

// The name that was asked for to get this tensor: without what the forms of storage add.
std::string_view StemOf(std::string_view name) {
  for (const std::string_view suffix :
       {".weight", ".weight_scale_inv", ".weight_scale", ".weight_packed", ".weight_shape",
        ".input_scale", ".k_scale", ".v_scale", "_blocks", "_scales"}) {
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  }
  return name;
}

// The layer that a tensor belongs to, where `prefix` is "model.layers.{}.".
std::optional<int64_t> LayerOf(std::string_view name, std::string_view prefix) {
  const std::string_view head = prefix.substr(0, prefix.find('{'));
  if (!name.starts_with(head)) return std::nullopt;
  const char* end = name.data() + name.size();
  int64_t layer = 0;
  const auto [rest, error] = std::from_chars(name.data() + head.size(), end, layer);
  if (error != std::errc() || rest == end || *rest != '.') return std::nullopt;
  return layer;
}

}  // namespace

void WeightFinder::Ignore(std::string_view name) { used_.emplace(StemOf(name)); }

Status WeightFinder::CheckNothingLeft(std::string_view prefix, int64_t layers) const {
  for (const auto& [name, view] : source_.tensors) {
    const std::optional<int64_t> layer = LayerOf(name, prefix);
    if (!layer || *layer >= layers || used_.contains(StemOf(name))) continue;
    if (name.ends_with("rotary_emb.inv_freq")) continue;  // old checkpoints keep the table
    return Unsupported("{}: tensor {} is no part of this architecture as far as Tutti knows it",
                       source_.where, Printable(name));
  }
  return Status();
}

bool WeightFinder::Has(std::string_view name) const {
  return tensor::HasWeight(source_.tensors, name);
}

Status WeightFinder::Explain(const std::string& name, const Status& status) const {
  if (status.code() != StatusCode::kNotFound) return status.WithContext(source_.where);
  return DataError("{}: missing tensor {}; is the checkpoint complete?", source_.where,
                   Printable(name));
}

Status WeightFinder::CheckShape(const std::string& name, const WeightView& view, int64_t rows,
                                int64_t cols) const {
  if (view.rows == rows && view.cols == cols) return Status();
  return DataError("{}: tensor {} is [{}, {}], the model's description wants [{}, {}]",
                   source_.where, Printable(name), view.rows, view.cols, rows, cols);
}

Result<WeightView> WeightFinder::Matrix(const std::string& name, int64_t rows, int64_t cols) {
  used_.emplace(StemOf(name));
  Result<WeightView> view = tensor::FindMatrix(source_.tensors, name);
  if (!view.ok()) return Explain(name, view.status());
  TUTTI_RETURN_IF_ERROR(CheckShape(name, *view, rows, cols));
  return view;
}

Result<WeightView> WeightFinder::OfStack(const std::string& name, int64_t index, int64_t count,
                                         int64_t rows, int64_t cols) {
  used_.emplace(StemOf(name));
  // The first one past the end must not be there.
  if (index == 0 && tensor::FindStackedMatrix(source_.tensors, name, count).ok()) {
    return DataError("{}: tensor {} has more than the {} matrices that the description wants",
                     source_.where, Printable(name), count);
  }
  Result<WeightView> view = tensor::FindStackedMatrix(source_.tensors, name, index);
  if (!view.ok()) return Explain(name, view.status());
  TUTTI_RETURN_IF_ERROR(CheckShape(name, *view, rows, cols));
  return view;
}

Result<std::vector<float>> WeightFinder::Vector(const std::string& name, int64_t size) {
  used_.emplace(StemOf(name));
  Result<std::vector<float>> values = tensor::FindVector(source_.tensors, name, size);
  if (!values.ok()) return Explain(name, values.status());
  return values;
}

}  // namespace tutti::model
