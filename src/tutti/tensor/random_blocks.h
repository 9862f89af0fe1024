// Random weights in any number format: for synthetic models of real shapes and for tests.
//
// The blocks decode to values with mean zero and the given standard deviation (within a few per
// cent), so that a model made of them neither fades nor explodes and costs what a real one costs.
// They are drawn, not quantised: no float weights exist on the way.
#pragma once
#include <cstddef>
#include <span>

#include "tutti/base/rng.h"
#include "tutti/spec/dtype.h"

namespace tutti::tensor {

// True for the formats that FillRandom can draw.
bool CanFillRandom(DType dtype);

// Fills `bytes` (whole blocks of `dtype`) with weights of standard deviation `deviation`, which
// must be small enough for the format's scales (about 1e-4 .. 10). Threads: any, an Rng each.
void FillRandom(DType dtype, float deviation, Rng& rng, std::span<std::byte> bytes);

}  // namespace tutti::tensor
