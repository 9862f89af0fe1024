#include "tutti/model/weight_finder.h"

#include <cstring>
#include <span>

#include "tutti/base/printable.h"
#include "tutti/tensor/decode.h"
#include "tutti/tensor/weight_lookup.h"

namespace tutti::model {
namespace {

using tensor::WeightView;

// True for numbers that can be moved one by one.
bool IsPlain(const WeightView& view) {
  return view.scales == nullptr && InfoOf(view.dtype).block_size == 1;
}

}  // namespace

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

Result<WeightView> WeightFinder::Matrix(const std::string& name, int64_t rows, int64_t cols) const {
  Result<WeightView> view = tensor::FindMatrix(source_.tensors, name);
  if (!view.ok()) return Explain(name, view.status());
  TUTTI_RETURN_IF_ERROR(CheckShape(name, *view, rows, cols));
  return view;
}

Result<WeightView> WeightFinder::OfStack(const std::string& name, int64_t index, int64_t count,
                                         int64_t rows, int64_t cols) const {
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

Result<std::vector<float>> WeightFinder::Vector(const std::string& name, int64_t size) const {
  Result<std::vector<float>> values = tensor::FindVector(source_.tensors, name, size);
  if (!values.ok()) return Explain(name, values.status());
  return values;
}

std::byte* WeightFinder::Allocate(size_t size_bytes) const {
  owned_.emplace_back(size_bytes);
  return owned_.back().data();
}

WeightView WeightFinder::Copy(const WeightView& matrix) const {
  WeightView copy;
  copy.rows = matrix.rows;
  copy.cols = matrix.cols;
  copy.row_stride_bytes = matrix.cols * static_cast<int64_t>(sizeof(float));
  std::byte* bytes = Allocate(static_cast<size_t>(copy.rows * copy.row_stride_bytes));
  copy.data = bytes;
  std::vector<float> row(static_cast<size_t>(matrix.cols));
  for (int64_t r = 0; r < matrix.rows; ++r) {
    tensor::DecodeRow(matrix, r, row);
    std::memcpy(bytes + r * copy.row_stride_bytes, row.data(), row.size() * sizeof(float));
  }
  return copy;
}

WeightView WeightFinder::Transposed(const WeightView& matrix) const {
  if (!IsPlain(matrix)) {
    const WeightView floats = Copy(matrix);
    const WeightView result = Transposed(floats);
    owned_.erase(owned_.end() - 2);  // the intermediate copy
    return result;
  }
  const int64_t size = InfoOf(matrix.dtype).block_bytes;
  WeightView result;
  result.dtype = matrix.dtype;
  result.rows = matrix.cols;
  result.cols = matrix.rows;
  result.row_stride_bytes = result.cols * size;
  std::byte* bytes = Allocate(static_cast<size_t>(result.rows * result.row_stride_bytes));
  result.data = bytes;
  for (int64_t r = 0; r < matrix.rows; ++r) {
    const std::byte* row = matrix.data + r * matrix.row_stride_bytes;
    for (int64_t c = 0; c < matrix.cols; ++c) {
      std::memcpy(bytes + c * result.row_stride_bytes + r * size, row + c * size,
                  static_cast<size_t>(size));
    }
  }
  return result;
}

}  // namespace tutti::model
