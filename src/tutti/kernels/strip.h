// Quantised weights as the int8 dot products of all machines want them: strips.
//
// A *strip* is 16 rows of a matrix; a *slice* of it covers some groups of 32 columns, unpacked from
// the published blocks into
//
//   q        int8 or uint8  [groups][8][16 rows][4 columns]
//   scale    float          [groups][scales per group][16 rows]
//   minimum  float          [groups][scales per group][16 rows]   only for forms that have one
//
// so that one vector register holds 4 columns of each of 16 rows (or 8, or 4), one instruction
// multiplies it with 4 broadcast activations, and no sum ever crosses lanes.
//
// All instruction sets compute the same numbers: for each row and column, with f from 0 upwards
// over the groups g,
//
//   f = fma(float(sum q w) * scale, x.scale, f);  f = fma(-minimum, x.scaled, f)
//
// (forms of 16 add up both halves, fma(float(sum1), scale1, float(sum0) * scale0), before x.scale,
// and do the second line for each half). The integer sums are exact, so every instruction set,
// number of columns and slicing gives the same bits; strip_test.cc checks that.
//
// Internal to kernels/: matmul.h and moe.h are built from it. Threads: any, with a buffer each.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "tutti/kernels/q8_rows.h"
#include "tutti/spec/dtype.h"
#include "tutti/tensor/view.h"

namespace tutti::kernels {

inline constexpr int64_t kStripRows = 16;
// Strips are multiplied in pairs: two row vectors share each broadcast of activations.
inline constexpr int64_t kPairRows = 2 * kStripRows;
inline constexpr int kMaxTileColumns = 6;
inline constexpr int kMaxDotColumns = 4;

enum class StripForm : uint8_t {
  kSigned32,       // value = scale * q, one scale per 32 columns
  kSmallSigned32,  // the same, |q| <= 32
  kUnsigned32,     // value = scale * q - minimum, 0 <= q <= 31
  kSmallSigned16,  // value = scale * q, one scale per 16 columns, |q| <= 32
  kUnsigned16,     // value = scale * q - minimum, one of each per 16 columns, 0 <= q <= 31
};
inline constexpr int kStripForms = 5;
constexpr bool HasMinimum(StripForm form) {
  return form == StripForm::kUnsigned32 || form == StripForm::kUnsigned16;
}
constexpr int ScalesPerGroup(StripForm form) {
  return form == StripForm::kSmallSigned16 || form == StripForm::kUnsigned16 ? 2 : 1;
}

// 16 rows of a matrix where they lie. Rows behind the matrix's last one repeat it.
struct StripSource {
  const std::byte* data[kStripRows] = {};
  const std::byte* scales[kStripRows] = {};  // null where the format has its scales inside
  DType scale_dtype = DType::kF32;
  int64_t scale_block_cols = 0;
  // From what is read to what to prefetch, bytes. The hardware follows a few streams of addresses,
  // not the 16 of a strip: without this, one column runs at half the read bandwidth.
  int64_t ahead = 0;
};

// What products with it need of activations.
constexpr Q8Sums SumsOf(StripForm form) {
  if (ScalesPerGroup(form) == 1) {
    return HasMinimum(form) ? Q8Sums::kScaled32 : Q8Sums::kBiased32;
  }
  return HasMinimum(form) ? Q8Sums::kScaled16 : Q8Sums::kBiased16;
}

// Where a slice of one strip is unpacked to; aligned to 64 bytes.
struct StripSlice {
  uint8_t* q = nullptr;
  float* scale = nullptr;
  float* minimum = nullptr;
};

// Groups in a slice at most (512 columns): a pair's q, scales and minima take 32 + 16 KB at most.
inline constexpr int64_t kSliceGroups = 16;

// Memory for one pair's slice and the way to its parts.
struct alignas(64) StripPairBuffer {
  uint8_t q[2][kSliceGroups * 8 * kStripRows * 4];
  float scale[2][kSliceGroups * 2 * kStripRows];
  float minimum[2][kSliceGroups * 2 * kStripRows];
  StripSlice Strip(int i) { return {q[i], scale[i], minimum[i]}; }
};

// One slice of a pair times a few columns.
struct TileArgs {
  const StripPairBuffer* pair = nullptr;
  int64_t groups = 0;                         // in the slice
  const std::byte* const* columns = nullptr;  // rows of Q8Layout
  int64_t q_offset = 0;                       // of the slice within a column, bytes
  int64_t group_offset = 0;                   // of its first group in the array SumsOf(form), bytes
  bool first = false;                         // of the strip's slices
  float* sums = nullptr;  // [columns][kPairRows], written if first, else added to
};

using UnpackFunction = void (*)(const StripSource& rows, int64_t first_group, int64_t groups,
                                const StripSlice& out);
using TileFunction = void (*)(const TileArgs& args);

// All of one strip times a few columns.
struct DotArgs {
  StripSource* rows = nullptr;  // `ahead` is set on the way
  int64_t groups = 0;
  int64_t next_strip = 0;  // bytes from these rows to those that will be multiplied next
  const std::byte* const* columns = nullptr;
  int64_t count = 0;      // of columns, 1 to kMaxDotColumns
  float* sums = nullptr;  // [count][kPairRows], written
};
using DotFunction = void (*)(const DotArgs& args);

// What one instruction set brings.
struct StripIsa {
  const char* name = nullptr;  // "avx512vnni"
  // Null for formats without strips. Groups come in multiples of InfoOf(dtype).block_size / 32.
  UnpackFunction (*unpack)(DType dtype) = nullptr;
  int max_columns = 0;  // of a tile, at most kMaxTileColumns
  // tiles[form][columns - 1]
  TileFunction tiles[kStripForms][kMaxTileColumns] = {};
  // Products without unpacking to memory, for up to dot_columns columns; may be null.
  DotFunction (*dot)(DType dtype) = nullptr;
  int dot_columns = 0;
};

// The instruction sets of this build that this machine can run, best first. Never empty.
std::span<const StripIsa* const> SupportedStripIsas();
inline const StripIsa& BestStripIsa() { return *SupportedStripIsas().front(); }

// How the format is unpacked; only for formats that HasStrips.
StripForm FormOf(DType dtype);
// True if products with this matrix take the int8 path: a format with strips and a number of
// columns that consists of whole blocks and groups.
bool HasStrips(const tensor::WeightView& w);

// Rows [row, row + 32) of w times all columns, K = w.cols values each:
//   sums[c][r] = (w x_c)[row + r];  rows behind the last one give repeated sums to be ignored.
// row is a multiple of 32. `next`, if not null, is where the rows begin that this thread multiplies
// next, to prefetch them; else that is row + 32.
void MultiplyPair(const StripIsa& isa, const tensor::WeightView& w, int64_t row,
                  std::span<const std::byte* const> columns, StripPairBuffer& buffer, float* sums,
                  const std::byte* next = nullptr);

// Per instruction set, in strip_<name>.cc. Null where this build has none.
const StripIsa* StripIsaAvx512Vnni();
const StripIsa* StripIsaAvxVnni();
const StripIsa* StripIsaAvx2();
const StripIsa* StripIsaNeonI8mm();
const StripIsa* StripIsaNeonDotprod();
const StripIsa* StripIsaNeon();
const StripIsa* StripIsaPortable();
// The unpacker that any machine can run, in strip_unpack.cc. With `biased`, signed q are stored as
// q + 128 in uint8.
UnpackFunction PortableUnpack(DType dtype, bool biased);

}  // namespace tutti::kernels
