// Sizes for people: "93.8 MiB", "1.2 GiB", "17 B".
#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace tutti::cli {

inline std::string SizeText(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  const char* units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace tutti::cli
