// The generated Unicode tables behind unicode.h and nfc.h (tools/make_unicode_tables.py).
#pragma once
#include <cstddef>
#include <cstdint>

namespace tutti::text {

extern const char kUnicodeVersion[];

// Two-stage table of properties: the mask of a code point c is
// kPropertyMasks[kPropertyIndices[kPropertyBlocks[c >> 7] * 128 + (c & 127)]].
extern const uint16_t kPropertyMasks[];
extern const uint16_t kPropertyBlocks[];
extern const uint8_t kPropertyIndices[];

struct CombiningClass {
  char32_t code_point;
  uint8_t value;
};
extern const size_t kCombiningClassCount;
extern const CombiningClass kCombiningClasses[];  // sorted; all others are 0

struct Decomposition {
  char32_t code_point;
  uint16_t begin;  // in kDecompositionPool
  uint8_t size;
};
extern const size_t kDecompositionCount;
extern const Decomposition kDecompositions[];  // sorted; full canonical, without Hangul
extern const char32_t kDecompositionPool[];

struct Composition {
  char32_t first;
  char32_t second;
  char32_t composed;
};
extern const size_t kCompositionCount;
extern const Composition kCompositions[];  // sorted by (first, second), without Hangul

}  // namespace tutti::text
