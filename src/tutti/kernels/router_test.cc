#include "tutti/kernels/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

namespace tutti::kernels {
namespace {

using ::testing::ElementsAre;

class RouterTest : public ::testing::Test {
 protected:
  Routes RouteOne(const MoeSpec& spec, const std::vector<float>& logits,
                  const float* bias = nullptr) {
    Routes routes;
    Route(spec, logits.data(), static_cast<int64_t>(logits.size()) / spec.experts, bias, routes,
          context_);
    return routes;
  }
  static MoeSpec Spec(int32_t experts, int32_t per_token, RouterScoring scoring) {
    MoeSpec spec;
    spec.experts = experts;
    spec.experts_per_token = per_token;
    spec.scoring = scoring;
    return spec;
  }
  os::ThreadPool pool_{2};
  KernelContext context_{pool_};
};

double Exp(double x) { return std::exp(x); }

TEST_F(RouterTest, SoftmaxKeepsSharesUnlessNormalised) {
  MoeSpec spec = Spec(4, 2, RouterScoring::kSoftmax);
  const std::vector<float> logits = {0, 2, 1, -1};
  const double all = Exp(0) + Exp(2) + Exp(1) + Exp(-1);
  Routes routes = RouteOne(spec, logits);
  EXPECT_THAT(routes.experts, ElementsAre(1, 2));
  EXPECT_NEAR(routes.weights[0], Exp(2) / all, 1e-6);
  EXPECT_NEAR(routes.weights[1], Exp(1) / all, 1e-6);
  spec.normalize_weights = true;
  spec.weight_scale = 2.5f;
  routes = RouteOne(spec, logits);
  EXPECT_NEAR(routes.weights[0], 2.5 * Exp(2) / (Exp(2) + Exp(1)), 1e-6);
  spec.normalize_floor = true;
  spec.normalize_epsilon = 4;  // larger than the sum: the floor counts
  routes = RouteOne(spec, logits);
  EXPECT_NEAR(routes.weights[0], 2.5 * Exp(2) / all / 4, 1e-6);
  spec.normalize_floor = false;
  routes = RouteOne(spec, logits);
  EXPECT_NEAR(routes.weights[0], 2.5 * Exp(2) / all / (4 + (Exp(2) + Exp(1)) / all), 1e-6);
}

TEST_F(RouterTest, SoftmaxOfTopKAddsUpToOne) {
  const Routes routes = RouteOne(Spec(4, 2, RouterScoring::kSoftmaxOfTopK), {0, 2, 1, -1});
  EXPECT_THAT(routes.experts, ElementsAre(1, 2));
  EXPECT_NEAR(routes.weights[0], Exp(2) / (Exp(2) + Exp(1)), 1e-6);
  EXPECT_NEAR(routes.weights[0] + routes.weights[1], 1, 1e-6);
}

TEST_F(RouterTest, BiasChoosesButDoesNotWeigh) {
  const MoeSpec spec = Spec(4, 2, RouterScoring::kSigmoid);
  const std::vector<float> bias = {5, 0, 0, -5};
  const Routes routes = RouteOne(spec, {-3, 0, 1, 4}, bias.data());
  EXPECT_THAT(routes.experts, ElementsAre(0, 2));
  EXPECT_NEAR(routes.weights[0], 1 / (1 + Exp(3)), 1e-6);
  EXPECT_NEAR(routes.weights[1], 1 / (1 + Exp(-1)), 1e-6);
}

TEST_F(RouterTest, GroupsLimitTheChoice) {
  MoeSpec spec = Spec(6, 2, RouterScoring::kSigmoid);
  spec.groups = 3;
  spec.groups_used = 1;
  const std::vector<float> logits = {3, -9, 2, 2, -1, 2.5};
  spec.group_score = GroupScore::kMax;
  EXPECT_THAT(RouteOne(spec, logits).experts, ElementsAre(0, 1));
  spec.group_score = GroupScore::kSumOfTopTwo;
  EXPECT_THAT(RouteOne(spec, logits).experts, ElementsAre(2, 3));
  // Negative scores of the chosen group still win over the others.
  const std::vector<float> bias = {-9, -9, -2, -2, -9, -9};
  EXPECT_THAT(RouteOne(spec, logits, bias.data()).experts, ElementsAre(2, 3));
}

TEST_F(RouterTest, TiesGoToTheLowerIdAndNanNeverHurts) {
  const MoeSpec spec = Spec(4, 3, RouterScoring::kSoftmax);
  EXPECT_THAT(RouteOne(spec, {1, 1, 1, 1}).experts, ElementsAre(0, 1, 2));
  const float nan = std::nanf("");
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_THAT(RouteOne(spec, {nan, 1, nan, 2}).experts, ElementsAre(3, 1, 0));
  for (const RouterScoring scoring :
       {RouterScoring::kSoftmax, RouterScoring::kSigmoid, RouterScoring::kSoftmaxOfTopK}) {
    for (const std::vector<float>& logits :
         {std::vector<float>{nan, nan, nan, nan}, {inf, inf, -inf, 0}, {-inf, -inf, -inf, -inf}}) {
      std::vector<int32_t> ids = RouteOne(Spec(4, 4, scoring), logits).experts;
      std::sort(ids.begin(), ids.end());
      EXPECT_THAT(ids, ElementsAre(0, 1, 2, 3));
    }
  }
}

TEST_F(RouterTest, ATokenDoesNotDependOnItsNeighbours) {
  MoeSpec spec = Spec(64, 6, RouterScoring::kSoftmax);
  spec.normalize_weights = true;
  std::mt19937 rng(2);
  std::normal_distribution<float> normal;
  std::vector<float> logits(64 * 50);
  for (float& v : logits) v = normal(rng);
  const Routes all = RouteOne(spec, logits);
  for (size_t t = 0; t < 50; ++t) {
    const Routes one = RouteOne(spec, {logits.begin() + static_cast<ptrdiff_t>(t * 64),
                                       logits.begin() + static_cast<ptrdiff_t>(t * 64 + 64)});
    for (size_t k = 0; k < 6; ++k) {
      ASSERT_EQ(one.experts[k], all.experts[t * 6 + k]);
      ASSERT_EQ(one.weights[k], all.weights[t * 6 + k]);
    }
  }
}

TEST_F(RouterTest, GroupsArePermutationByExpert) {
  Routes routes;
  routes.tokens = 3;
  routes.slots = 2;
  routes.experts = {4, 1, 1, 0, 4, 1};
  ExpertGroups groups;
  GroupByExpert(routes, 5, groups);
  EXPECT_THAT(groups.offsets, ElementsAre(0, 1, 4, 4, 4, 6));
  EXPECT_THAT(groups.pairs, ElementsAre(3, 1, 2, 5, 0, 4));
  EXPECT_THAT(groups.active, ElementsAre(0, 1, 4));
}

}  // namespace
}  // namespace tutti::kernels
