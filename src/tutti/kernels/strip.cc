#include "tutti/kernels/strip.h"

#include <algorithm>
#include <vector>

#include "tutti/base/check.h"
#include "tutti/base/checked_math.h"

namespace tutti::kernels {
namespace {

StripSource RowsOf(const tensor::WeightView& w, int64_t row) {
  StripSource rows;
  if (row + kStripRows <= w.rows && w.scales == nullptr) {  // nearly always
    const std::byte* data = w.data + row * w.row_stride_bytes;
    for (const std::byte*& p : rows.data) {
      p = data;
      data += w.row_stride_bytes;
    }
    return rows;
  }
  for (int64_t i = 0; i < kStripRows; ++i) {
    const int64_t r = std::min(row + i, w.rows - 1);
    rows.data[i] = w.data + r * w.row_stride_bytes;
    rows.scales[i] = w.scales == nullptr
                         ? nullptr
                         : w.scales + r / w.scale_block_rows * w.scale_row_stride_bytes;
  }
  rows.scale_dtype = w.scale_dtype;
  rows.scale_block_cols = w.scale_block_cols;
  return rows;
}

// What is multiplied after this, as it lies in memory.
struct Ahead {
  const std::byte* begin = nullptr;
  int64_t bytes = 0;

  // Asks for the lines of [from, to) of `parts`. One instruction that walks from line to line: that
  // is what the hardware's own prefetcher follows (docs/LOG.md).
  void Prefetch(int64_t from, int64_t to, int64_t parts) const {
    constexpr int64_t kLine = 64;
    const std::byte* end = begin + bytes * to / parts;
    for (const std::byte* at = begin + bytes * from / parts; at < end; at += kLine) {
      __builtin_prefetch(at);
      // Keeps the loop as it is. (GCC 12 also takes a function of prefetches only for one without
      // effects, and drops its calls.)
      asm volatile("" : "+r"(at)::"memory");
    }
  }
};

// The next pair is asked for while this one is multiplied, some lines before each tile: all at
// once they would overrun the core's queue of misses, and unpacking would wait for it.
void MultiplySlice(const StripIsa& isa, StripForm form, TileArgs args, int64_t columns,
                   const Ahead& ahead) {
  // 17 columns become 6 + 6 + 5, never 6 + 6 + 4 + 1: narrow tiles are the slow ones.
  const int64_t tiles = DivCeil<int64_t>(columns, isa.max_columns);
  for (int64_t t = 0; t < tiles; ++t) {
    ahead.Prefetch(t, t + 1, tiles);
    const int64_t width = DivCeil(columns, tiles - t);
    isa.tiles[static_cast<size_t>(form)][width - 1](args);
    args.columns += width;
    args.sums += width * kPairRows;
    columns -= width;
  }
}

// Groups in a slice, for so many tiles of columns. Small slices stay in the first-level cache
// beside what is prefetched for the next one: of about 140 bytes per row for a single tile, more of
// which would overrun the queue of prefetches. Many tiles: large slices, since sums are loaded and
// stored once per slice.
int64_t SliceGroups(DType dtype, int64_t tiles) {
  constexpr int64_t kManyTiles = 16;
  if (tiles > kManyTiles) return kSliceGroups;
  return dtype == DType::kQ8_0 && tiles == 1 ? 4 : 8;
}

// Both strips of a pair, one after the other.
void DotPair(DotFunction dot, const tensor::WeightView& w, int64_t row,
             std::span<const std::byte* const> columns, float* sums, const std::byte* next) {
  for (int64_t i = 0; i < 2 && row < w.rows; ++i, row += kStripRows) {
    StripSource rows = RowsOf(w, row);
    const bool last = i == 1 || row + kStripRows >= w.rows;
    const int64_t to_next =
        last && next != nullptr ? next - rows.data[0] : kStripRows * w.row_stride_bytes;
    dot({&rows, w.cols / kQ8GroupSize, to_next, columns.data(),
         static_cast<int64_t>(columns.size()), sums + i * kStripRows});
  }
}

}  // namespace

std::span<const StripIsa* const> SupportedStripIsas() {
  static const std::vector<const StripIsa*> isas = [] {
    std::vector<const StripIsa*> found;
    for (const StripIsa* isa :
         {StripIsaAvx512Vnni(), StripIsaAvxVnni(), StripIsaAvx2(), StripIsaNeonI8mm(),
          StripIsaNeonDotprod(), StripIsaNeon(), StripIsaPortable()}) {
      if (isa != nullptr) found.push_back(isa);
    }
    return found;
  }();
  return isas;
}

StripForm FormOf(DType dtype) {
  switch (dtype) {
    case DType::kQ8_0:
    case DType::kIQ4_NL:
    case DType::kIQ4_XS:
      return StripForm::kSigned32;
    case DType::kQ4_0:
    case DType::kQ5_0:
    case DType::kMXFP4:
    case DType::kMXFP4Split:
    case DType::kInt4Packed:
      return StripForm::kSmallSigned32;
    case DType::kQ4_1:
    case DType::kQ5_1:
    case DType::kQ4_K:
    case DType::kQ5_K:
      return StripForm::kUnsigned32;
    case DType::kQ3_K:
    case DType::kQ6_K:
      return StripForm::kSmallSigned16;
    case DType::kQ2_K:
      return StripForm::kUnsigned16;
    default:
      break;
  }
  CheckFailed(__FILE__, __LINE__, "dtype", "a format without strips");
}

bool HasStrips(const tensor::WeightView& w) {
  if (PortableUnpack(w.dtype, false) == nullptr) return false;
  const int64_t block = std::max<int64_t>(InfoOf(w.dtype).block_size, kQ8GroupSize);
  if (w.rows == 0 || w.cols == 0 || w.cols % block != 0) return false;
  if (w.scales == nullptr) return true;
  // One scale per group: a block of scales must consist of whole groups.
  return w.scale_block_cols > 0 && w.scale_block_cols % kQ8GroupSize == 0;
}

void MultiplyPair(const StripIsa& isa, const tensor::WeightView& w, int64_t row,
                  std::span<const std::byte* const> columns, StripPairBuffer& buffer, float* sums,
                  const std::byte* next) {
  if (static_cast<int64_t>(columns.size()) <= isa.dot_columns) {
    if (const DotFunction dot = isa.dot(w.dtype)) return DotPair(dot, w, row, columns, sums, next);
  }
  const StripForm form = FormOf(w.dtype);
  const UnpackFunction unpack = isa.unpack(w.dtype);
  const StripSource strips[2] = {RowsOf(w, row), RowsOf(w, row + kStripRows)};
  const Q8Layout layout{w.cols};
  const int64_t n = static_cast<int64_t>(columns.size());
  const int64_t groups = w.cols / kQ8GroupSize;
  const int64_t slice = SliceGroups(w.dtype, DivCeil<int64_t>(n, isa.max_columns));
  const int64_t pair_bytes = kPairRows * w.row_stride_bytes;
  const std::byte* after = next != nullptr ? next : strips[0].data[0] + pair_bytes;
  for (int64_t g = 0; g < groups; g += slice) {
    const int64_t count = std::min(slice, groups - g);
    for (int i = 0; i < 2; ++i) {
      unpack(strips[i], g, count, buffer.Strip(i));
    }
    const TileArgs args{
        .pair = &buffer,
        .groups = count,
        .columns = columns.data(),
        .q_offset = g * kQ8GroupSize,
        .group_offset = layout.groups_offset(SumsOf(form)) + g * layout.group_bytes(SumsOf(form)),
        .first = g == 0,
        .sums = sums};
    const int64_t asked = pair_bytes * g / groups;
    const Ahead ahead{after + asked, pair_bytes * (g + count) / groups - asked};
    MultiplySlice(isa, form, args, n, ahead);
  }
}

}  // namespace tutti::kernels
