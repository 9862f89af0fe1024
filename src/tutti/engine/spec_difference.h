// What two descriptions of a model would compute differently.
#pragma once
#include <string>
#include <vector>

#include "tutti/spec/model_spec.h"

namespace tutti::engine {

// One line for each difference, the first layer standing for all that differ in the same way:
// "sliding window of layer 0: 16 becomes 0". Names, context lengths and the order in which the
// rotary embedding pairs elements do not count; rounding to float32 and the tiny number that keeps
// the sum of expert weights from zero do not either.
std::vector<std::string> Differences(const ModelSpec& from, const ModelSpec& to);

}  // namespace tutti::engine
