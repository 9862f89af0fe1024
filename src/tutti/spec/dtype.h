// The number formats that weights come in.
//
// Block formats of GGUF keep their scales inside the block. The three formats of Hugging Face
// checkpoints whose scales lie in a tensor of their own (F8 with scales, packed INT4, split MXFP4)
// are described by tensor/view.h: WeightView::scales.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace tutti {

enum class DType : uint8_t {
  // Plain numbers.
  kF64,
  kF32,
  kF16,
  kBF16,
  kF8E4M3,
  kF8E5M2,
  kI64,
  kI32,
  kI16,
  kI8,
  kU8,
  kBool,
  // GGUF blocks; layouts in tensor/blocks.h.
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
  kQ2_K,
  kQ3_K,
  kQ4_K,
  kQ5_K,
  kQ6_K,
  kIQ4_NL,
  kIQ4_XS,
  kMXFP4,
  kNVFP4,
  kIQ1_S,
  kIQ1_M,
  kIQ2_XXS,
  kIQ2_XS,
  kIQ2_S,
  kIQ3_XXS,
  kIQ3_S,
  kTQ1_0,
  kTQ2_0,
  // Scales in a second tensor.
  kInt4Packed,  // compressed-tensors pack-quantized: 8 values in an int32, lowest bits first
  kMXFP4Split,  // gpt-oss _blocks: 16 bytes hold 32 values, low nibble first, in pairs
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;  // as GGUF tools and safetensors print it: "Q4_K", "BF16"
  int32_t block_size;     // values per block, 1 for plain numbers
  int32_t block_bytes;    // bytes per block
  int32_t ggml_type_id;   // the id in GGUF files, -1 where GGUF has none
};

const DTypeInfo& InfoOf(DType dtype);
inline std::string_view NameOf(DType dtype) { return InfoOf(dtype).name; }
std::optional<DType> DTypeFromGgmlId(uint32_t id);
std::optional<DType> DTypeFromName(std::string_view name);

}  // namespace tutti
