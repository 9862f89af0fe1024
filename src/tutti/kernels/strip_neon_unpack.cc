// Strips unpacked with NEON, for the tiles of all strip_neon*.cc.
#include "tutti/kernels/strip_formats.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include <array>
#include <cstring>

#include "tutti/kernels/strip_target.h"
#include "tutti/tensor/blocks.h"
#include "tutti/tensor/iq_tables.h"
#include "tutti/tensor/row_scales.h"

namespace tutti::kernels {
namespace {

// In this order.
// clang-format off
#include "tutti/kernels/strip_neon_vectors-inl.h"
#include "tutti/kernels/strip_formats-inl.h"
#include "tutti/kernels/strip_unpack-inl.h"
// clang-format on

}  // namespace

UnpackFunction UnpackSignedNeon(DType dtype) { TUTTI_FOR_EVERY_UNIT(UnpackSigned) }

}  // namespace tutti::kernels
#endif
