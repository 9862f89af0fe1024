#include "tutti/engine/size_label.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace tutti::engine {
namespace {

// At least two digits: "1.1B", "22B", "198K".
std::string Rounded(double parameters) {
  constexpr std::array<std::pair<double, char>, 3> kUnits = {{{1e12, 'T'}, {1e9, 'B'}, {1e6, 'M'}}};
  std::pair<double, char> unit = {1e3, 'K'};
  for (const auto& candidate : kUnits) {
    if (parameters <= candidate.first) continue;
    unit = candidate;
    break;
  }
  const double scaled = parameters / unit.first;
  const double whole = std::nearbyint(scaled);
  const int decimals = whole >= 10 ? 0 : whole >= 1 ? 1 : 2;
  return fmt::format("{:.{}f}{}", scaled, decimals, unit.second);
}

}  // namespace

std::string SizeLabel(const std::vector<std::pair<std::string, tensor::Shape>>& tensors) {
  double shared = 0;
  double one_expert = 0;
  int64_t experts = 0;
  for (const auto& [name, shape] : tensors) {
    const auto elements = static_cast<double>(shape.elements());
    if (shape.rank < 3 || name.find("_exps.") == std::string::npos) {  // biases count as shared
      shared += elements;
    } else {
      experts = shape[0];
      one_expert += elements / static_cast<double>(shape[0]);
    }
  }
  const std::string size = Rounded(shared + one_expert);
  return experts > 0 ? fmt::format("{}x{}", experts, size) : size;
}

}  // namespace tutti::engine
