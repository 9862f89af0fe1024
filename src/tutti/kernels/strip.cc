#include "tutti/kernels/strip.h"

#include <algorithm>
#include <vector>

#include "tutti/base/check.h"
#include "tutti/base/checked_math.h"

namespace tutti::kernels {
namespace {

StripSource RowsOf(const tensor::WeightView& w, int64_t row) {
  StripSource rows;
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

void MultiplySlice(const StripIsa& isa, StripForm form, TileArgs args, int64_t columns) {
  // 17 columns become 6 + 6 + 5, never 6 + 6 + 4 + 1: narrow tiles are the slow ones.
  int64_t tiles = DivCeil<int64_t>(columns, isa.max_columns);
  while (columns > 0) {
    const int64_t width = DivCeil(columns, tiles);
    isa.tiles[static_cast<size_t>(form)][width - 1](args);
    args.columns += width;
    args.sums += width * kPairRows;
    columns -= width;
    --tiles;
  }
}

// Groups in a slice. A few columns: small slices that stay in the first-level cache while they are
// consumed, of about 140 bytes per row, more of which would overrun the queue of prefetches. More
// columns: large ones, since sums are loaded and stored once per slice.
int64_t SliceGroups(DType dtype, bool few_columns) {
  if (!few_columns) return kSliceGroups;
  return dtype == DType::kQ8_0 ? 4 : 8;
}

// Asks for weights two slices ahead, on to the next pair. The hardware follows a few streams of
// addresses, not the 32 of a pair: without this, one column runs at half the read bandwidth
// (docs/LOG.md).
class PairPrefetch {
 public:
  PairPrefetch(const tensor::WeightView& w, int64_t row, int64_t slice)
      : row_bytes_(w.cols / InfoOf(w.dtype).block_size * InfoOf(w.dtype).block_bytes),
        groups_(w.cols / kQ8GroupSize),
        slice_(slice) {
    if (row + kPairRows >= w.rows) return;
    next_[0] = RowsOf(w, row + kPairRows);
    next_[1] = RowsOf(w, row + kPairRows + kStripRows);
    has_next_ = true;
  }

  // For strip i, when the slice at group g is about to be unpacked.
  void Ahead(const StripSource* strips, int i, int64_t g) const {
    int64_t ahead = g + 2 * slice_;
    const StripSource* rows = &strips[i];
    if (ahead >= groups_) {
      ahead -= RoundUp(groups_, slice_);
      if (!has_next_ || ahead < 0) return;
      rows = &next_[i];
    }
    const int64_t begin = row_bytes_ * ahead / groups_;
    const int64_t end = row_bytes_ * std::min(ahead + slice_, groups_) / groups_;
    constexpr int64_t kLine = 64;
    for (const std::byte* data : rows->data) {
      for (int64_t at = begin; at < end; at += kLine) __builtin_prefetch(data + at);
    }
    // GCC 12 takes a function of prefetches only for one without effects and drops its calls.
    asm volatile("" ::: "memory");
  }

 private:
  int64_t row_bytes_;
  int64_t groups_;
  int64_t slice_;
  bool has_next_ = false;
  StripSource next_[2];
};

}  // namespace

std::span<const StripIsa* const> SupportedStripIsas() {
  static const std::vector<const StripIsa*> isas = [] {
    std::vector<const StripIsa*> found;
    for (const StripIsa* isa :
         {StripIsaAvx512Vnni(), StripIsaAvx2(), StripIsaNeonDot(), StripIsaPortable()}) {
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
  if (w.rows == 0 || w.cols % block != 0) return false;
  if (w.scales == nullptr) return true;
  // One scale per group: a block of scales must consist of whole groups.
  return w.scale_block_cols > 0 && w.scale_block_cols % kQ8GroupSize == 0;
}

void MultiplyPair(const StripIsa& isa, const tensor::WeightView& w, int64_t row,
                  std::span<const std::byte* const> columns, StripPairBuffer& buffer, float* sums) {
  const StripForm form = FormOf(w.dtype);
  const UnpackFunction unpack = isa.unpack(w.dtype);
  const StripSource strips[2] = {RowsOf(w, row), RowsOf(w, row + kStripRows)};
  const Q8Layout layout{w.cols};
  const int64_t n = static_cast<int64_t>(columns.size());
  std::fill_n(sums, n * kPairRows, 0.0f);
  const int64_t groups = w.cols / kQ8GroupSize;
  const int64_t slice = SliceGroups(w.dtype, n <= isa.max_columns);
  const PairPrefetch prefetch(w, row, slice);
  for (int64_t g = 0; g < groups; g += slice) {
    const int64_t count = std::min(slice, groups - g);
    for (int i = 0; i < 2; ++i) {
      prefetch.Ahead(strips, i, g);
      unpack(strips[i], g, count, buffer.Strip(i));
    }
    const TileArgs args{&buffer,
                        count,
                        columns.data(),
                        g * kQ8GroupSize,
                        layout.groups_offset() + g * static_cast<int64_t>(sizeof(Q8Group)),
                        layout.halves_offset() + 2 * g * static_cast<int64_t>(sizeof(Q8Half)),
                        sums};
    MultiplySlice(isa, form, args, n);
  }
}

}  // namespace tutti::kernels
