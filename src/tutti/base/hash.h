// FNV-1a, 64 bits: short, the same on every machine, not for what an attacker chooses.
// http://www.isthe.com/chongo/tech/comp/fnv
//
// Threads: any. Errors: none.
#pragma once
#include <cstdint>
#include <string_view>

namespace tutti {

inline constexpr uint64_t kFnv1aStart = 0xcbf29ce484222325;

// The hash of a text, or of what `hash` is of followed by the text.
constexpr uint64_t Fnv1a(std::string_view text, uint64_t hash = kFnv1aStart) {
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace tutti
