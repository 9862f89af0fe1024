// One row of a matrix in the number format of the file that is written.
//
// What has its format already is copied byte for byte, and MXFP4 in its other order of bytes
// without rounding; everything else is decoded to float32 and encoded. Threads: any. Errors: kData
// where the row holds a value that is not finite, or one too large for the format (its scales are
// F16), with the row, the column, the value and what to do.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/spec/dtype.h"
#include "tutti/tensor/view.h"

namespace tutti::engine {

// False: rows of this format can only be copied.
bool CanConvertTo(DType dtype);

// Row `row` of `from` to `to`, of the row's size in `dtype`. `importance` [cols] as for
// tensor::EncodeFittedRow, may be empty; `floats` is memory to work in.
Status ConvertRow(const tensor::WeightView& from, int64_t row, std::span<const float> importance,
                  DType dtype, std::vector<float>& floats, std::span<std::byte> to);

}  // namespace tutti::engine
