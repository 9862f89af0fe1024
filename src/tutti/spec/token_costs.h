// What one token costs, in three parts: `layers` are the matrices that every token meets, `experts`
// as many routed ones as a token has, `output` the product that makes the logits.
#pragma once
#include <cstdint>

namespace tutti {

struct WeightCosts {
  int64_t bytes = 0;          // as published
  int64_t int8_weights = 0;   // numbers in blocks of integers
  int64_t float_weights = 0;  // numbers in floating-point formats
};

struct TokenCosts {
  WeightCosts layers, experts, output;

  int64_t bytes() const { return layers.bytes + experts.bytes + output.bytes; }
  int64_t weights() const {
    return layers.int8_weights + layers.float_weights + experts.int8_weights +
           experts.float_weights + output.int8_weights + output.float_weights;
  }
};

}  // namespace tutti
