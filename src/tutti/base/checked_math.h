// Arithmetic that cannot wrap, for sizes that come from files and requests.
#pragma once
#include <concepts>
#include <cstdint>
#include <optional>

namespace tutti {

// nullopt where the mathematical result does not fit T.
template <std::integral T>
[[nodiscard]] constexpr std::optional<T> CheckedAdd(T a, T b) {
  T out;
  if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
  return out;
}
template <std::integral T>
[[nodiscard]] constexpr std::optional<T> CheckedMul(T a, T b) {
  T out;
  if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
  return out;
}

// Rounds up to a multiple of `to` > 0.
template <std::integral T>
[[nodiscard]] constexpr T RoundUp(T value, T to) {
  return (value + to - 1) / to * to;
}
template <std::integral T>
[[nodiscard]] constexpr T DivCeil(T value, T by) {
  return (value + by - 1) / by;
}

}  // namespace tutti
