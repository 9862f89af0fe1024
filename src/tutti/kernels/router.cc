#include "tutti/kernels/router.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tutti/base/check.h"

namespace tutti::kernels {
namespace {

constexpr int64_t kTokenGrain = 8;
constexpr float kNever = -std::numeric_limits<float>::infinity();

// Scalar arithmetic: a router has a few hundred experts, their products cost far more.
void Softmax(std::span<float> x) {
  const float max = *std::max_element(x.begin(), x.end());
  float sum = 0;
  for (float& v : x) {
    v = std::exp(v - max);
    sum += v;
  }
  for (float& v : x) v /= sum;
}

void ScoreLogits(RouterScoring scoring, std::span<float> scores) {
  switch (scoring) {
    case RouterScoring::kSoftmax:
      Softmax(scores);
      return;
    case RouterScoring::kSigmoid:
      for (float& v : scores) v = 1 / (1 + std::exp(-v));
      return;
    case RouterScoring::kSoftmaxOfTopK:
      return;  // chosen by logits; the softmax follows over the chosen ones
  }
}

// Writes the indices of the largest values in descending order, the lower index first among equals.
void TopK(std::span<const float> values, std::span<int32_t> out, std::vector<uint8_t>& taken) {
  taken.assign(values.size(), 0);
  for (int32_t& slot : out) {
    int32_t best = -1;
    for (size_t i = 0; i < values.size(); ++i) {
      if (taken[i] != 0) continue;
      if (best < 0 || values[i] > values[static_cast<size_t>(best)]) best = static_cast<int32_t>(i);
    }
    taken[static_cast<size_t>(best)] = 1;
    slot = best;
  }
}

float ScoreOfGroup(GroupScore kind, std::span<const float> scores) {
  float first = kNever;
  float second = kNever;
  for (const float v : scores) {
    if (v > first) {
      second = first;
      first = v;
    } else if (v > second) {
      second = v;
    }
  }
  if (kind == GroupScore::kMax || scores.size() < 2) return first;
  return first + second;
}

struct Scratch {
  std::vector<float> scores;       // [experts]
  std::vector<float> choice;       // [experts]: scores + bias, kNever in groups not chosen
  std::vector<float> group_score;  // [groups]
  std::vector<int32_t> group_ids;  // [groups_used]
  std::vector<uint8_t> taken;
};

void KeepBestGroups(const MoeSpec& spec, Scratch& s) {
  const size_t groups = static_cast<size_t>(spec.groups);
  const size_t size = s.choice.size() / groups;
  s.group_score.resize(groups);
  s.group_ids.resize(static_cast<size_t>(spec.groups_used));
  for (size_t g = 0; g < groups; ++g) {
    s.group_score[g] = ScoreOfGroup(spec.group_score, std::span(s.choice).subspan(g * size, size));
  }
  TopK(s.group_score, s.group_ids, s.taken);
  for (size_t g = 0; g < groups; ++g) {
    if (s.taken[g] == 0)
      std::fill_n(s.choice.begin() + static_cast<ptrdiff_t>(g * size), size, kNever);
  }
}

void RouteToken(const MoeSpec& spec, std::span<const float> logits, const float* bias, Scratch& s,
                std::span<int32_t> ids, std::span<float> weights) {
  s.scores.assign(logits.begin(), logits.end());
  for (float& v : s.scores) {
    if (std::isnan(v)) v = kNever;
  }
  ScoreLogits(spec.scoring, s.scores);
  s.choice = s.scores;
  if (bias != nullptr) {
    for (size_t e = 0; e < s.choice.size(); ++e) s.choice[e] += bias[e];
  }
  for (float& v : s.choice) {
    if (std::isnan(v)) v = kNever;  // softmax of infinite logits
  }
  if (spec.groups > 1) KeepBestGroups(spec, s);
  TopK(s.choice, ids, s.taken);
  for (size_t k = 0; k < ids.size(); ++k) weights[k] = s.scores[static_cast<size_t>(ids[k])];
  if (spec.scoring == RouterScoring::kSoftmaxOfTopK) Softmax(weights);
  if (spec.normalize_weights) {
    float sum = 0;
    for (const float w : weights) sum += w;
    sum =
        spec.normalize_floor ? std::max(sum, spec.normalize_epsilon) : sum + spec.normalize_epsilon;
    for (float& w : weights) w /= sum;
  }
  for (float& w : weights) w *= spec.weight_scale;
}

}  // namespace

void Route(const MoeSpec& spec, const float* logits, int64_t tokens, const float* selection_bias,
           Routes& routes, KernelContext& context) {
  TUTTI_CHECK(spec.experts > 0 && spec.experts_per_token > 0 && spec.groups > 0 &&
                  spec.experts % spec.groups == 0 && spec.groups_used > 0 &&
                  spec.groups_used <= spec.groups &&
                  spec.experts_per_token <= spec.experts / spec.groups * spec.groups_used,
              "router: a model's loader must refuse such numbers of experts and groups");
  const size_t experts = static_cast<size_t>(spec.experts);
  const size_t slots = static_cast<size_t>(spec.experts_per_token);
  routes.tokens = tokens;
  routes.slots = spec.experts_per_token;
  routes.experts.resize(static_cast<size_t>(tokens) * slots);
  routes.weights.resize(static_cast<size_t>(tokens) * slots);
  context.pool.ParallelFor(tokens, kTokenGrain, [&](int64_t begin, int64_t end) {
    Scratch scratch;
    for (size_t t = static_cast<size_t>(begin); t < static_cast<size_t>(end); ++t) {
      RouteToken(spec, {logits + t * experts, experts}, selection_bias, scratch,
                 std::span(routes.experts).subspan(t * slots, slots),
                 std::span(routes.weights).subspan(t * slots, slots));
    }
  });
}

void GroupByExpert(const Routes& routes, int64_t experts, ExpertGroups& groups) {
  groups.offsets.assign(static_cast<size_t>(experts) + 1, 0);
  groups.pairs.resize(routes.experts.size());
  groups.active.clear();
  for (const int32_t e : routes.experts) ++groups.offsets[static_cast<size_t>(e) + 1];
  for (size_t e = 0; e < static_cast<size_t>(experts); ++e) {
    if (groups.offsets[e + 1] > 0) groups.active.push_back(static_cast<int32_t>(e));
    groups.offsets[e + 1] += groups.offsets[e];
  }
  // Counting sort: offsets[e] walks to the end of its group, which is where the next one begins.
  for (size_t pair = 0; pair < routes.experts.size(); ++pair) {
    int32_t& at = groups.offsets[static_cast<size_t>(routes.experts[pair])];
    groups.pairs[static_cast<size_t>(at++)] = static_cast<int32_t>(pair);
  }
  for (size_t e = static_cast<size_t>(experts); e > 0; --e)
    groups.offsets[e] = groups.offsets[e - 1];
  groups.offsets[0] = 0;
}

}  // namespace tutti::kernels
