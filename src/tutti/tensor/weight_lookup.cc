#include "tutti/tensor/weight_lookup.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "tutti/base/checked_math.h"
#include "tutti/base/printable.h"
#include "tutti/tensor/decode.h"

namespace tutti::tensor {
namespace {

constexpr std::string_view kWeight = ".weight";
constexpr int64_t kValuesPerInt32 = 8;
constexpr int64_t kMxBlock = 32;

// A tensor and its full name, for messages.
struct Named {
  std::string name;
  const TensorView* view = nullptr;

  explicit operator bool() const { return view != nullptr; }
  std::string Describe() const {
    return fmt::format("{} {} {}", Printable(name), NameOf(view->dtype), view->shape.ToString());
  }
};

Named Find(const TensorMap& tensors, std::string name) {
  const auto it = tensors.find(name);
  return {std::move(name), it == tensors.end() ? nullptr : &it->second};
}

std::string Stem(std::string_view name) {
  if (name.ends_with(kWeight)) name.remove_suffix(kWeight.size());
  return std::string(name);
}

// `stem`.weight, or `stem` itself (stacks have names without ".weight").
Named FindPlain(const TensorMap& tensors, const std::string& stem) {
  if (Named named = Find(tensors, stem + std::string(kWeight))) return named;
  return Find(tensors, stem);
}

Named FindFirst(const TensorMap& tensors, const std::string& stem,
                std::initializer_list<std::string_view> suffixes) {
  for (const std::string_view suffix : suffixes) {
    if (Named named = Find(tensors, stem + std::string(suffix))) return named;
  }
  return {};
}

Status NotFound(std::string_view name) {
  return Error(StatusCode::kNotFound, "the model has no tensor {}", Printable(name));
}

Status Contradiction(const Named& a, const Named& b, std::string_view why) {
  return DataError("{} does not go with {}: {}", b.Describe(), a.Describe(), why);
}

// The last two dimensions are the matrix, the one before them (if any) the index in the stack.
struct MatrixShape {
  int64_t rows = 0;
  int64_t cols = 0;
};

Result<MatrixShape> MatrixShapeOf(const Named& named, int stack_dims) {
  const Shape& shape = named.view->shape;
  if (shape.rank != 2 + stack_dims) {
    return DataError("{}: {} dimensions expected", named.Describe(), 2 + stack_dims);
  }
  for (int i = 0; i < shape.rank; ++i) {
    if (shape[i] <= 0) return DataError("{}: an empty weight", named.Describe());
  }
  return MatrixShape{shape[stack_dims], shape[stack_dims + 1]};
}

bool IsScaleDType(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kF16;
}

Status CheckScaleDType(const Named& scales) {
  if (IsScaleDType(scales.view->dtype)) return Status();
  return Unsupported("{}: scales of this type are not supported yet", scales.Describe());
}

// The power of two b with ceil(size / b) == blocks, where blocks >= 2; there is at most one.
std::optional<int64_t> BlockSize(int64_t size, int64_t blocks) {
  for (int64_t block = 1; block < size; block *= 2) {
    if (DivCeil(size, block) == blocks) return block;
  }
  return std::nullopt;
}

// Rows and columns that share a scale, from the shapes of the matrix and of the grid of scales.
//
// Blocks are square (reaching over the edge where the matrix ends) or have a scale for each element
// of one direction; anything else is taken for a mistake, because several readings would fit.
std::optional<MatrixShape> BlockShape(const MatrixShape& matrix, const MatrixShape& grid) {
  if (grid.rows == 1 && grid.cols == 1) return matrix;
  std::optional<int64_t> rows = grid.rows == 1 ? matrix.rows : BlockSize(matrix.rows, grid.rows);
  std::optional<int64_t> cols = grid.cols == 1 ? matrix.cols : BlockSize(matrix.cols, grid.cols);
  if (!rows || !cols) return std::nullopt;
  if (*rows == 1 || *cols == 1) return MatrixShape{*rows, *cols};
  if (grid.rows == 1 ? *rows > *cols : grid.cols == 1 ? *cols > *rows : *rows != *cols) {
    return std::nullopt;
  }
  return MatrixShape{*rows, *cols};
}

int64_t BytesPerElement(DType dtype) { return InfoOf(dtype).block_bytes; }

// Attaches scales that form a grid of blocks over the matrix; `index` of the stack if there is one.
Status AttachGrid(const Named& weight, const Named& scales, int stack_dims, int64_t index,
                  WeightView& view) {
  TUTTI_RETURN_IF_ERROR(CheckScaleDType(scales));
  const Shape& shape = scales.view->shape;
  MatrixShape grid{1, 1};
  int64_t offset = 0;
  if (shape.elements() == 1 && stack_dims == 0) {
    // One scale for the whole matrix.
  } else if (shape.rank == 2 + stack_dims) {
    if (stack_dims == 1 && shape[0] != weight.view->shape[0]) {
      return Contradiction(weight, scales, "another number of matrices");
    }
    grid = {shape[stack_dims], shape[stack_dims + 1]};
    offset = index * grid.rows * grid.cols;
  } else {
    return Contradiction(weight, scales, "not a grid of scales");
  }
  if (grid.rows <= 0 || grid.cols <= 0) return Contradiction(weight, scales, "no scales in it");
  const auto block = BlockShape({view.rows, view.cols}, grid);
  if (!block) return Contradiction(weight, scales, "no size of blocks fits both");
  if (std::max(block->rows, block->cols) > std::numeric_limits<int32_t>::max()) {
    return Unsupported("{}: a block of scales this large is not supported", weight.Describe());
  }
  const int64_t bytes = BytesPerElement(scales.view->dtype);
  view.scales = scales.view->data + offset * bytes;
  view.scale_dtype = scales.view->dtype;
  view.scale_block_rows = static_cast<int32_t>(block->rows);
  view.scale_block_cols = static_cast<int32_t>(block->cols);
  view.scale_row_stride_bytes = grid.cols * bytes;
  if (grid.rows == 1) {
    // The same scales for every row: said this way, a slice may begin at any row.
    view.scale_block_rows = 1;
    view.scale_row_stride_bytes = 0;
  }
  return Status();
}

// A tensor whose bytes are the weights: plain numbers, blocks of GGUF, or F8 with a grid of scales.
Result<WeightView> DirectMatrix(const TensorMap& tensors, const Named& weight, int stack_dims,
                                int64_t index) {
  TUTTI_ASSIGN_OR_RETURN(const MatrixShape shape, MatrixShapeOf(weight, stack_dims));
  const DTypeInfo& info = InfoOf(weight.view->dtype);
  if (shape.cols % info.block_size != 0) {
    return DataError("{}: rows must be a multiple of {} long", weight.Describe(), info.block_size);
  }
  WeightView view =
      stack_dims == 0 ? WholeMatrix(*weight.view) : MatrixOfStack(*weight.view, index);
  switch (weight.view->dtype) {
    case DType::kF8E4M3: {
      const Named scales = FindFirst(tensors, weight.name, {"_scale_inv", "_scale"});
      if (!scales) {
        return DataError("{}: its scales are missing ({}_scale_inv or {}_scale)", weight.Describe(),
                         Printable(weight.name), Printable(weight.name));
      }
      TUTTI_RETURN_IF_ERROR(AttachGrid(weight, scales, stack_dims, index, view));
      return view;
    }
    case DType::kF64:
    case DType::kF8E5M2:
    case DType::kI64:
    case DType::kI32:
    case DType::kI16:
    case DType::kI8:
    case DType::kU8:
    case DType::kBool:
      return Unsupported("{}: weights of this type are not supported yet", weight.Describe());
    default:
      return view;
  }
}

// The two numbers of X.weight_shape.
Result<MatrixShape> StoredShape(const Named& named) {
  const TensorView& view = *named.view;
  const bool is_long = view.dtype == DType::kI64;
  if (view.shape.elements() != 2 || (!is_long && view.dtype != DType::kI32)) {
    return DataError("{}: two integers expected", named.Describe());
  }
  if (is_long) {
    int64_t values[2];
    std::memcpy(values, view.data, sizeof values);
    return MatrixShape{values[0], values[1]};
  }
  int32_t values[2];
  std::memcpy(values, view.data, sizeof values);
  return MatrixShape{values[0], values[1]};
}

Result<WeightView> PackedMatrix(const TensorMap& tensors, const std::string& stem,
                                const Named& packed) {
  TUTTI_ASSIGN_OR_RETURN(const MatrixShape words, MatrixShapeOf(packed, 0));
  if (packed.view->dtype != DType::kI32) {
    return DataError("{}: packed weights are I32", packed.Describe());
  }
  for (const std::string_view suffix : {".weight_zero_point", ".weight_g_idx"}) {
    if (const Named other = Find(tensors, stem + std::string(suffix))) {
      return Unsupported("{}: only symmetric groups in order are supported yet", other.Describe());
    }
  }
  const Named scales = Find(tensors, stem + ".weight_scale");
  if (!scales) {
    return DataError("{}: its scales {}.weight_scale are missing", packed.Describe(),
                     Printable(stem));
  }
  const auto cols = CheckedMul(words.cols, kValuesPerInt32);
  if (!cols || *cols > std::numeric_limits<int32_t>::max()) {
    return DataError("{}: rows this long are not possible", packed.Describe());
  }
  if (const Named stored = Find(tensors, stem + ".weight_shape")) {
    TUTTI_ASSIGN_OR_RETURN(const MatrixShape shape, StoredShape(stored));
    if (shape.rows != words.rows || shape.cols != *cols) {
      return Unsupported(
          "{}: {} says [{}, {}], and only eight values in an I32 without padding are "
          "supported yet",
          packed.Describe(), Printable(stored.name), shape.rows, shape.cols);
    }
  }
  const Shape& grid = scales.view->shape;
  if (grid.rank != 2 || grid[0] != words.rows || grid[1] <= 0 || *cols % grid[1] != 0) {
    return Contradiction(packed, scales,
                         fmt::format("[{}, {} / group] expected", words.rows, *cols));
  }
  TUTTI_RETURN_IF_ERROR(CheckScaleDType(scales));
  WeightView view;
  view.dtype = DType::kInt4Packed;
  view.rows = words.rows;
  view.cols = *cols;
  view.data = packed.view->data;
  view.row_stride_bytes = words.cols * int64_t{sizeof(int32_t)};
  view.scales = scales.view->data;
  view.scale_dtype = scales.view->dtype;
  view.scale_row_stride_bytes = grid[1] * BytesPerElement(scales.view->dtype);
  view.scale_block_cols = static_cast<int32_t>(*cols / grid[1]);
  return view;
}

Result<WeightView> SplitMxfp4(const TensorMap& tensors, const std::string& stem,
                              const Named& blocks, int64_t index) {
  const Named scales = Find(tensors, stem + "_scales");
  if (!scales) {
    return DataError("{}: its scales {}_scales are missing", blocks.Describe(), Printable(stem));
  }
  const Shape& b = blocks.view->shape;
  const Shape& s = scales.view->shape;
  if (blocks.view->dtype != DType::kU8 || b.rank != 4 || b[3] != kMxBlock / 2 || b[0] <= 0 ||
      b[1] <= 0 || b[2] <= 0 || b[2] > std::numeric_limits<int32_t>::max() / kMxBlock) {
    return DataError("{}: U8 [n, rows, cols / 32, 16] expected", blocks.Describe());
  }
  if (scales.view->dtype != DType::kU8 || s.rank != 3 || s[0] != b[0] || s[1] != b[1] ||
      s[2] != b[2]) {
    return Contradiction(blocks, scales, fmt::format("U8 [{}, {}, {}] expected", b[0], b[1], b[2]));
  }
  WeightView view;
  view.dtype = DType::kMXFP4Split;
  view.rows = b[1];
  view.cols = b[2] * kMxBlock;
  view.row_stride_bytes = b[2] * b[3];
  view.data = blocks.view->data + index * view.rows * view.row_stride_bytes;
  view.scale_dtype = DType::kU8;
  view.scale_row_stride_bytes = b[2];
  view.scales = scales.view->data + index * view.rows * view.scale_row_stride_bytes;
  view.scale_block_cols = static_cast<int32_t>(kMxBlock);
  return view;
}

Status CheckIndex(const Named& stack, int64_t index) {
  const Shape& shape = stack.view->shape;
  if (shape.rank > 0 && 0 <= index && index < shape[0]) return Status();
  return DataError("{}: matrix {} is not in it", stack.Describe(), index);
}

}  // namespace

bool HasWeight(const TensorMap& tensors, std::string_view name) {
  const std::string stem = Stem(name);
  return FindPlain(tensors, stem) || FindFirst(tensors, stem, {".weight_packed", "_blocks"});
}

Result<WeightView> FindMatrix(const TensorMap& tensors, std::string_view name) {
  const std::string stem = Stem(name);
  if (const Named weight = FindPlain(tensors, stem)) return DirectMatrix(tensors, weight, 0, 0);
  if (const Named packed = Find(tensors, stem + ".weight_packed")) {
    return PackedMatrix(tensors, stem, packed);
  }
  return NotFound(name);
}

Result<WeightView> FindStackedMatrix(const TensorMap& tensors, std::string_view name,
                                     int64_t index) {
  const std::string stem = Stem(name);
  if (const Named weight = FindPlain(tensors, stem)) {
    TUTTI_RETURN_IF_ERROR(CheckIndex(weight, index));
    return DirectMatrix(tensors, weight, 1, index);
  }
  if (const Named blocks = Find(tensors, stem + "_blocks")) {
    TUTTI_RETURN_IF_ERROR(CheckIndex(blocks, index));
    return SplitMxfp4(tensors, stem, blocks, index);
  }
  return NotFound(name);
}

Result<WeightView> EveryOtherRow(const WeightView& matrix, int64_t first) {
  TUTTI_CHECK(first == 0 || first == 1, "rows take turns in twos");
  if (matrix.rows % 2 != 0) {
    return DataError("a matrix of {} rows cannot be split into every other row", matrix.rows);
  }
  WeightView view = matrix;
  view.rows = matrix.rows / 2;
  view.data += first * matrix.row_stride_bytes;
  view.row_stride_bytes *= 2;
  if (matrix.scales == nullptr) return view;
  if (matrix.scale_block_rows == 1) {
    view.scales += first * matrix.scale_row_stride_bytes;
    view.scale_row_stride_bytes *= 2;
  } else if (matrix.scale_block_rows % 2 == 0) {
    view.scale_block_rows /= 2;  // both rows of a pair are in the same block
  } else {
    return Unsupported("scales of {} rows each cannot be split into every other row",
                       matrix.scale_block_rows);
  }
  return view;
}

Result<std::vector<float>> FindVector(const TensorMap& tensors, std::string_view name,
                                      int64_t size) {
  Named named = Find(tensors, std::string(name));
  if (!named) named = FindPlain(tensors, Stem(name));
  if (!named) return NotFound(name);
  const TensorView& view = *named.view;
  if (view.shape.elements() != size) {
    return DataError("{}: {} values expected", named.Describe(), size);
  }
  if (view.dtype == DType::kF8E4M3 || size % InfoOf(view.dtype).block_size != 0) {
    return Unsupported("{}: a vector of this type is not supported yet", named.Describe());
  }
  std::vector<float> values(static_cast<size_t>(size));
  if (size == 0) return values;
  // One long row: the elements are contiguous whatever the shape.
  const TensorView row{view.dtype, {{size}, 1}, view.data, view.size_bytes};
  DecodeRow(WholeMatrix(row), 0, values);
  return values;
}

}  // namespace tutti::tensor
