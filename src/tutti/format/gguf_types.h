// What the GGUF reader and writer share: the constants of the format and the kinds of values.
//
// Format: ggml docs/gguf.md. All numbers are little-endian; a string is a uint64 length and bytes.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

namespace tutti::format {

static_assert(std::endian::native == std::endian::little, "GGUF is read without byte swapping");

inline constexpr uint32_t kGgufMagic = 0x46554747;  // "GGUF"
inline constexpr uint32_t kGgufDefaultAlignment = 32;
inline constexpr std::string_view kGgufAlignmentKey = "general.alignment";

enum class GgufType : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};
inline constexpr uint32_t kGgufTypeCount = 13;

// Bytes of one value; 0 for strings and arrays, whose size depends on their content.
constexpr uint64_t SizeOf(GgufType type) {
  constexpr std::array<uint8_t, kGgufTypeCount> kSizes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return kSizes[static_cast<size_t>(type)];
}

}  // namespace tutti::format
