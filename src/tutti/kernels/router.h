// Which experts a token goes to, and with which weights.
//
// One rule for all published routers (MoeSpec): scores from logits; choice by score plus a bias
// (DeepSeek-V3, arXiv 2412.19437, section 2.1.2), perhaps within the best groups (DeepSeek-V2,
// arXiv 2405.04434, section 2.1.4); weights from the scores without the bias.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "tutti/kernels/context.h"
#include "tutti/spec/model_spec.h"

namespace tutti::kernels {

// The choices of one step. Slot 0 of a token is its best expert, and so on.
struct Routes {
  int64_t tokens = 0;
  int64_t slots = 0;             // experts per token
  std::vector<int32_t> experts;  // [tokens, slots], distinct within a token, each in [0, n)
  std::vector<float> weights;    // [tokens, slots]
};

// Routes logits [tokens, spec.experts] (rows contiguous). `selection_bias` is [spec.experts], or
// null without spec.selection_bias. Equal scores go to the lower expert id; NaN loses against any
// number, so that ids are valid and distinct whatever the logits.
//
// Threads: parallel over tokens; a token's routes depend on its logits only.
void Route(const MoeSpec& spec, const float* logits, int64_t tokens, const float* selection_bias,
           Routes& routes, KernelContext& context);

// The pairs (token, slot) of a step ordered by expert: those of expert e are
// pairs[offsets[e] .. offsets[e + 1]), in ascending order; pair = token * slots + slot.
struct ExpertGroups {
  std::vector<int32_t> offsets;  // [experts + 1]
  std::vector<int32_t> pairs;    // [tokens * slots]
  std::vector<int32_t> active;   // experts with at least one pair, ascending
};

void GroupByExpert(const Routes& routes, int64_t experts, ExpertGroups& groups);

}  // namespace tutti::kernels
