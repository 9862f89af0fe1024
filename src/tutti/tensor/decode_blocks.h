// The decoders of decode.cc by family: `count` blocks beginning at `data` to count * block_size
// floats. Internal to tensor/.
#pragma once
#include <cstddef>
#include <cstdint>

namespace tutti::tensor {

// decode_simple.cc: one level of scales.
void DecodeQ4_0(const std::byte* data, int64_t count, float* out);
void DecodeQ4_1(const std::byte* data, int64_t count, float* out);
void DecodeQ5_0(const std::byte* data, int64_t count, float* out);
void DecodeQ5_1(const std::byte* data, int64_t count, float* out);
void DecodeQ8_0(const std::byte* data, int64_t count, float* out);
void DecodeIQ4_NL(const std::byte* data, int64_t count, float* out);
void DecodeMXFP4(const std::byte* data, int64_t count, float* out);
void DecodeNVFP4(const std::byte* data, int64_t count, float* out);
void DecodeTQ1_0(const std::byte* data, int64_t count, float* out);
void DecodeTQ2_0(const std::byte* data, int64_t count, float* out);

// decode_k_quants.cc: superblocks of 256 with scales of scales.
void DecodeQ2_K(const std::byte* data, int64_t count, float* out);
void DecodeQ3_K(const std::byte* data, int64_t count, float* out);
void DecodeQ4_K(const std::byte* data, int64_t count, float* out);
void DecodeQ5_K(const std::byte* data, int64_t count, float* out);
void DecodeQ6_K(const std::byte* data, int64_t count, float* out);
void DecodeIQ4_XS(const std::byte* data, int64_t count, float* out);

// decode_iq.cc: superblocks of grid points.
void DecodeIQ1_S(const std::byte* data, int64_t count, float* out);
void DecodeIQ1_M(const std::byte* data, int64_t count, float* out);
void DecodeIQ2_XXS(const std::byte* data, int64_t count, float* out);
void DecodeIQ2_XS(const std::byte* data, int64_t count, float* out);
void DecodeIQ2_S(const std::byte* data, int64_t count, float* out);
void DecodeIQ3_XXS(const std::byte* data, int64_t count, float* out);
void DecodeIQ3_S(const std::byte* data, int64_t count, float* out);

}  // namespace tutti::tensor
