// The tables of the formats whose codes are looked up. Immutable.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace tutti::tensor {

// IQ4_NL and IQ4_XS: sixteen levels, denser around zero.
inline constexpr std::array<int8_t, 16> kNonLinear4 = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                       1,    13,   25,  38,  53,  69,  89,  113};

// Grid points: coordinate i is byte i, signed for IQ1_S (-1, 0, 1), positive elsewhere.
extern const std::array<uint64_t, 256> kIQ2_XXSGrid;
extern const std::array<uint64_t, 512> kIQ2_XSGrid;
extern const std::array<uint64_t, 1024> kIQ2_SGrid;
extern const std::array<uint32_t, 256> kIQ3_XXSGrid;
extern const std::array<uint32_t, 512> kIQ3_SGrid;
extern const std::array<uint64_t, 2048> kIQ1_SGrid;  // also IQ1_M

}  // namespace tutti::tensor
