// How the next token is chosen, as plain data; engine/sampler.h does it.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tutti/base/ids.h"

namespace tutti {

struct SamplingSpec {
  float temperature = 0.8f;      // 0: greedy
  int32_t top_k = 40;            // 0: off
  float top_p = 0.95f;           // 1: off
  float min_p = 0.05f;           // 0: off
  float repetition_penalty = 1;  // > 1 divides positive and multiplies negative logits
  float presence_penalty = 0;
  float frequency_penalty = 0;
  int32_t penalty_window = 64;  // tokens looked back at, -1: all
  std::vector<std::pair<TokenId, float>> logit_bias;
  uint64_t seed = 0;
  int32_t logprobs = -1;  // -1: off; n: logprobs of the chosen token and of the n best
};

}  // namespace tutti
