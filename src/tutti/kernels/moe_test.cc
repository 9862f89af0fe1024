#include "tutti/kernels/moe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "tutti/base/rng.h"
#include "tutti/kernels/activation.h"
#include "tutti/kernels/q8_columns.h"
#include "tutti/tensor/decode.h"
#include "tutti/tensor/random_blocks.h"

namespace tutti::kernels {
namespace {

// Experts of float32 weights with biases.
struct TestExperts {
  TestExperts(int64_t count, int64_t dim_in, int64_t inner_in, uint32_t seed)
      : dim(dim_in), inner(inner_in) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal(0, 0.3f);
    weights.resize(static_cast<size_t>(count));
    views.resize(weights.size());
    for (size_t e = 0; e < weights.size(); ++e) {
      std::vector<float>& w = weights[e];
      w.resize(static_cast<size_t>(3 * dim * inner + 2 * inner + dim));
      for (float& v : w) v = normal(rng);
      const float* at = w.data();
      views[e].gate = View(at, inner, dim);
      views[e].up = View(at + dim * inner, inner, dim);
      views[e].down = View(at + 2 * dim * inner, dim, inner);
      views[e].gate_bias = at + 3 * dim * inner;
      views[e].up_bias = views[e].gate_bias + inner;
      views[e].down_bias = views[e].up_bias + inner;
    }
  }
  static tensor::WeightView View(const float* data, int64_t rows, int64_t cols) {
    tensor::WeightView view;
    view.dtype = DType::kF32;
    view.rows = rows;
    view.cols = cols;
    view.data = reinterpret_cast<const std::byte*>(data);
    view.row_stride_bytes = cols * 4;
    return view;
  }
  static double Product(const tensor::WeightView& w, const float* bias, int64_t row,
                        const double* x) {
    const float* values = reinterpret_cast<const float*>(w.data) + row * w.cols;
    double sum = bias[row];
    for (int64_t c = 0; c < w.cols; ++c) sum += values[c] * x[c];
    return sum;
  }
  static std::vector<double> Reference(const MoeJob& job, const Routes& routes,
                                       const Activations& x, int64_t token) {
    std::vector<double> out(static_cast<size_t>(x.cols)), in(x.Row(token), x.Row(token) + x.cols);
    const auto add = [&](const ExpertWeights& e, double weight) {
      std::vector<double> hidden(static_cast<size_t>(e.gate.rows));
      for (int64_t r = 0; r < e.gate.rows; ++r) {
        hidden[static_cast<size_t>(r)] = GatedActivationReference(
            job.activation, job.swiglu_limit, Product(e.gate, e.gate_bias, r, in.data()),
            Product(e.up, e.up_bias, r, in.data()));
      }
      for (int64_t r = 0; r < x.cols; ++r) {
        out[static_cast<size_t>(r)] += weight * Product(e.down, e.down_bias, r, hidden.data());
      }
    };
    for (int64_t slot = 0; slot < routes.slots; ++slot) {
      const size_t pair = static_cast<size_t>(token * routes.slots + slot);
      add(job.experts[static_cast<size_t>(routes.experts[pair])], routes.weights[pair]);
    }
    if (job.shared != nullptr) {
      add(*job.shared, job.shared_weights == nullptr ? 1.0 : job.shared_weights[token]);
    }
    return out;
  }

  int64_t dim, inner;
  std::vector<std::vector<float>> weights;
  std::vector<ExpertWeights> views;
};

// Every token goes to the last expert, too, and to few others.
Routes SkewedRoutes(int64_t tokens, int64_t slots, int64_t experts) {
  Routes routes{.tokens = tokens, .slots = slots, .experts = {}, .weights = {}};
  for (int64_t t = 0; t < tokens; ++t) {
    for (int64_t s = 0; s < slots; ++s) {
      const int64_t other = t % 3 == 0 ? (t + s) % (experts - 1) : s;
      routes.experts.push_back(static_cast<int32_t>(s == 0 ? experts - 1 : other));
      routes.weights.push_back(0.25f + static_cast<float>(s + t % 5));
    }
  }
  return routes;
}

Routes RandomRoutes(int64_t tokens, int64_t slots, int64_t experts, std::mt19937& rng) {
  Routes routes;
  routes.tokens = tokens;
  routes.slots = slots;
  std::vector<int32_t> ids(static_cast<size_t>(experts));
  for (size_t e = 0; e < ids.size(); ++e) ids[e] = static_cast<int32_t>(e);
  std::uniform_real_distribution<float> uniform;
  for (int64_t t = 0; t < tokens; ++t) {
    std::shuffle(ids.begin(), ids.end(), rng);
    for (int64_t s = 0; s < slots; ++s) {
      routes.experts.push_back(ids[static_cast<size_t>(s)]);
      routes.weights.push_back(uniform(rng));
    }
  }
  return routes;
}

// A job for one token of a step.
struct OneToken {
  OneToken(const MoeJob& job, const Routes& routes, int64_t token, int64_t dim)
      : out(static_cast<size_t>(dim)), single(job) {
    one.tokens = 1;
    one.slots = routes.slots;
    const int64_t first = token * routes.slots;
    one.experts.assign(routes.experts.begin() + first,
                       routes.experts.begin() + first + routes.slots);
    one.weights.assign(routes.weights.begin() + first,
                       routes.weights.begin() + first + routes.slots);
    if (job.shared_weights != nullptr) single.shared_weights = job.shared_weights + token;
    single.out = out.data();
    single.out_stride = dim;
  }
  std::vector<float> out;
  MoeJob single;
  Routes one;
};

TEST(MoeTest, MatchesReferenceAndEachTokenStandsAlone) {
  os::ThreadPool pool(2);
  KernelContext context{pool};
  std::mt19937 rng(4);
  std::normal_distribution<float> normal;
  const TestExperts experts(9, 37, 21, 1), shared(1, 37, 70, 2);
  constexpr int64_t kTokens = 23, kSlots = 3, kStride = 40;
  std::vector<float> in(kTokens * kStride), out(kTokens * kStride, -5), gates(kTokens);
  for (float& v : in) v = normal(rng);
  for (float& v : gates) v = normal(rng);
  const Activations x{in.data(), kTokens, experts.dim, kStride};
  const auto check = [&](const MoeJob& job, const Routes& routes) {
    MoeExperts(x, routes, job, context);
    for (int64_t t = 0; t < kTokens; ++t) {
      const std::vector<double> expected = TestExperts::Reference(job, routes, x, t);
      for (int64_t c = 0; c < experts.dim; ++c) {
        ASSERT_NEAR(out[static_cast<size_t>(t * kStride + c)], expected[static_cast<size_t>(c)],
                    4e-5);
      }
      ASSERT_EQ(out[static_cast<size_t>(t * kStride + experts.dim)], -5) << "outside the row";
      // Alone: the same bits.
      OneToken alone(job, routes, t, experts.dim);
      MoeExperts({x.Row(t), 1, experts.dim, kStride}, alone.one, alone.single, context);
      for (int64_t c = 0; c < experts.dim; ++c) {
        ASSERT_EQ(alone.out[static_cast<size_t>(c)], out[static_cast<size_t>(t * kStride + c)]);
      }
    }
  };
  Routes none;
  none.tokens = kTokens;
  const Routes routes = RandomRoutes(kTokens, kSlots, 9, rng);
  const Routes skewed = SkewedRoutes(kTokens, kSlots, 9);
  for (const Activation kind : {Activation::kSilu, Activation::kGelu, Activation::kClampedSwiglu}) {
    MoeJob job;
    job.experts = experts.views;
    job.activation = kind;
    job.swiglu_limit = 1.5f;
    job.out = out.data();
    job.out_stride = kStride;
    check(job, routes);
    check(job, skewed);
    job.shared = shared.views.data();
    check(job, routes);
    job.shared_weights = gates.data();
    check(job, routes);
    job.experts = {};
    job.shared_weights = nullptr;
    check(job, none);
  }
}

tensor::WeightView RandomMatrix(DType dtype, int64_t rows, int64_t cols, Rng& rng,
                                std::vector<std::byte>& bytes) {
  const DTypeInfo& info = InfoOf(dtype);
  tensor::WeightView view;
  view.dtype = dtype;
  view.rows = rows;
  view.cols = cols;
  view.row_stride_bytes = cols / info.block_size * info.block_bytes;
  bytes.resize(static_cast<size_t>(rows * view.row_stride_bytes));
  tensor::FillRandom(dtype, 0.05f, rng, bytes);
  view.data = bytes.data();
  return view;
}

// A matrix of each role.
ExpertWeights RandomExpert(DType dtype, int64_t dim, int64_t inner, Rng& rng,
                           std::span<std::vector<std::byte>, 3> bytes) {
  ExpertWeights expert;
  expert.gate = RandomMatrix(dtype, inner, dim, rng, bytes[0]);
  expert.up = RandomMatrix(dtype, inner, dim, rng, bytes[1]);
  expert.down = RandomMatrix(dtype, dim, inner, rng, bytes[2]);
  return expert;
}

// Quantised experts: near the float result of the same weights, and the same bits for each
// instruction set, alone or in company, on any number of threads.
// (The shared experts are twice as wide.)
TEST(MoeTest, QuantisedExpertsDependOnNobodyElse) {
  constexpr int64_t kExperts = 6, kDim = 512, kInner = 256, kTokens = 40, kSlots = 2;
  struct Case {
    DType dtype;
    bool skewed = false;
  };
  for (const Case& c : {Case{DType::kQ4_K}, Case{DType::kQ8_0}, Case{DType::kMXFP4},
                        Case{DType::kQ2_K}, Case{DType::kQ4_K, true}}) {
    const DType dtype = c.dtype;
    Rng rng(7);
    std::vector<std::array<std::vector<std::byte>, 3>> bytes(kExperts + 1);
    std::vector<ExpertWeights> experts;
    for (size_t e = 0; e < kExperts; ++e) {
      experts.push_back(RandomExpert(dtype, kDim, kInner, rng, bytes[e]));
    }
    const ExpertWeights shared = RandomExpert(dtype, kDim, 2 * kInner, rng, bytes[kExperts]);
    std::vector<float> in(kTokens * kDim);
    for (float& v : in) v = static_cast<float>(rng.NextDouble() * 4 - 2);
    std::mt19937 shuffle(1);
    const Routes routes = c.skewed ? SkewedRoutes(kTokens, kSlots, kExperts)
                                   : RandomRoutes(kTokens, kSlots, kExperts, shuffle);
    const auto run = [&](int64_t first, int64_t count, KernelContext& context) {
      std::vector<float> out(static_cast<size_t>(count * kDim));
      Routes some;
      some.tokens = count;
      some.slots = kSlots;
      some.experts.assign(routes.experts.begin() + first * kSlots,
                          routes.experts.begin() + (first + count) * kSlots);
      some.weights.assign(routes.weights.begin() + first * kSlots,
                          routes.weights.begin() + (first + count) * kSlots);
      MoeJob job;
      job.experts = experts;
      job.shared = &shared;
      job.out = out.data();
      job.out_stride = kDim;
      MoeExperts({in.data() + first * kDim, count, kDim, kDim}, some, job, context);
      return out;
    };
    os::ThreadPool pool(2), alone(1);
    KernelContext exact{pool, true}, fast{pool}, single{alone};
    const std::vector<float> expected = run(0, kTokens, exact);
    const std::vector<float> actual = run(0, kTokens, fast);
    double error = 0, size = 0;
    for (size_t i = 0; i < actual.size(); ++i) {
      error += std::pow(actual[i] - expected[i], 2);
      size += std::pow(expected[i], 2);
    }
    // Rounding to steps of max / 127 errs by 0.29 steps. For x, uniform in +-2, that is 0.38 % of
    // its size, twice in gate and up; for the product of the two, whose largest of 32 values is
    // about four times its size, 0.9 %. Together 1.1 %.
    EXPECT_LT(std::sqrt(error / size), 0.015) << NameOf(dtype);
    EXPECT_GT(error, 0) << "the int8 path did not run";
    os::ThreadPool two_nodes({{{0, {}, 0, 2}, {1, {}, 2, 1}}});
    KernelContext numa{two_nodes};
    EXPECT_EQ(run(0, kTokens, numa), actual) << NameOf(dtype) << ", rows sliced over two nodes";
    const uint64_t runs = pool.runs();
    run(0, 1, fast);
    EXPECT_EQ(pool.runs() - runs, 2u) << "a decoded token needs two synchronisations";
    for (const StripIsa* isa : SupportedStripIsas()) {
      single.strips = isa;
      EXPECT_EQ(run(0, kTokens, single), actual) << NameOf(dtype) << ", " << isa->name;
      for (int64_t t = 0; t < kTokens; t += 13) {
        const std::vector<float> one = run(t, 1, single);
        ASSERT_EQ(0, std::memcmp(one.data(), &actual[static_cast<size_t>(t * kDim)],
                                 one.size() * sizeof(float)))
            << NameOf(dtype) << ", " << isa->name << ", token " << t;
      }
    }
  }
}

// The same weights as floats, for the scalar twin.
ExpertWeights AsFloats(ExpertWeights expert, std::vector<std::vector<float>>& memory) {
  for (tensor::WeightView* view : {&expert.gate, &expert.up, &expert.down}) {
    const auto cols = static_cast<size_t>(view->cols);
    std::vector<float> values(static_cast<size_t>(view->rows) * cols);
    for (int64_t r = 0; r < view->rows; ++r) {
      tensor::DecodeRow(*view, r, std::span(values).subspan(static_cast<size_t>(r) * cols, cols));
    }
    memory.push_back(std::move(values));
    *view = TestExperts::View(memory.back().data(), view->rows, view->cols);
  }
  return expert;
}

// All tokens on one expert, more than a block of columns holds, and a shared expert beside it.
struct OneBusyExpert {
  static constexpr int64_t kExperts = 3, kDim = 64, kInner = 96, kTokens = 600;

  OneBusyExpert() : bytes(kExperts + 1), bias(2 * kInner + kDim), in(kTokens * kDim), out(in) {
    Rng rng(5);
    for (float& v : bias) v = static_cast<float>(rng.NextDouble() - 0.5);
    for (auto& matrices : bytes) {
      ExpertWeights& expert =
          experts.emplace_back(RandomExpert(DType::kQ8_0, kDim, kInner, rng, matrices));
      expert.gate_bias = bias.data();
      expert.up_bias = bias.data() + kInner;
      expert.down_bias = bias.data() + 2 * kInner;
      floats.push_back(AsFloats(expert, memory));
    }
    for (float& v : in) v = static_cast<float>(rng.NextDouble() * 4 - 2);
    for (int64_t t = 0; t < kTokens; ++t) gates.push_back(static_cast<float>(rng.NextDouble()));
  }
  static Routes RoutesOf(int64_t tokens) {
    const auto count = static_cast<size_t>(tokens);
    return {.tokens = tokens,
            .slots = 1,
            .experts = std::vector<int32_t>(count, 1),
            .weights = std::vector<float>(count, 0.75f)};
  }
  // For the tokens from `first` on.
  MoeJob JobOf(const std::vector<ExpertWeights>& all, int64_t first) {
    MoeJob job;
    job.experts = std::span(all).first(kExperts);
    job.shared = &all.back();
    job.shared_weights = gates.data() + first;
    job.out = out.data() + first * kDim;
    job.out_stride = kDim;
    return job;
  }
  // In two calls; with a cut at kTokens in one.
  std::vector<float> Run(int64_t cut, KernelContext& context) {
    std::fill(out.begin(), out.end(), -5.0f);
    for (const auto& [first, count] : {std::pair{int64_t{0}, cut}, std::pair{cut, kTokens - cut}}) {
      MoeExperts({in.data() + first * kDim, count, kDim, kDim}, RoutesOf(count),
                 JobOf(experts, first), context);
    }
    return out;
  }
  // Relative, of all tokens.
  double ErrorOf(const std::vector<float>& actual) {
    const Activations x{in.data(), kTokens, kDim, kDim};
    const MoeJob job = JobOf(floats, 0);
    const Routes routes = RoutesOf(kTokens);
    double error = 0, size = 0;
    for (int64_t t = 0; t < kTokens; ++t) {
      const std::vector<double> expected = TestExperts::Reference(job, routes, x, t);
      for (size_t c = 0; c < kDim; ++c) {
        error += std::pow(actual[static_cast<size_t>(t * kDim) + c] - expected[c], 2);
        size += std::pow(expected[c], 2);
      }
    }
    return std::sqrt(error / size);
  }

  std::vector<std::array<std::vector<std::byte>, 3>> bytes;
  std::vector<std::vector<float>> memory;
  std::vector<float> bias, in, out, gates;
  std::vector<ExpertWeights> experts, floats;  // the shared one last
};

TEST(MoeTest, MoreTokensThanABlockOfColumns) {
  OneBusyExpert test;
  static_assert(OneBusyExpert::kTokens > static_cast<int64_t>(kColumnBlock));
  os::ThreadPool pool(2), alone(1);
  for (const bool exact : {true, false}) {
    KernelContext context{pool, exact}, single{alone, exact};
    const std::vector<float> whole = test.Run(OneBusyExpert::kTokens, context);
    EXPECT_LT(test.ErrorOf(whole), exact ? 1e-6 : 0.015);
    EXPECT_EQ(test.ErrorOf(whole) > 1e-4, !exact) << "one recipe instead of the other";
    EXPECT_EQ(test.Run(kColumnBlock + 11, single), whole) << "cut behind the first block";
    EXPECT_EQ(test.Run(300, context), whole) << "cut within it";
    for (const StripIsa* isa : SupportedStripIsas()) {
      single.strips = isa;
      EXPECT_EQ(test.Run(OneBusyExpert::kTokens, single), whole) << isa->name;
    }
  }
}

// A dense network is the same as its products one after the other, to the bit.
TEST(MoeTest, ADenseNetworkIsItsProducts) {
  constexpr int64_t kDim = 512, kInner = 288, kTokens = 9;
  Rng rng(3);
  std::array<std::vector<std::byte>, 3> bytes;
  const ExpertWeights network = RandomExpert(DType::kQ8_0, kDim, kInner, rng, bytes);
  std::vector<float> in(kTokens * kDim), out(in.size()), expected(in.size());
  for (float& v : in) v = static_cast<float>(rng.NextDouble() * 4 - 2);
  std::vector<float> gate(kTokens * kInner), up(gate.size());
  os::ThreadPool pool(2);
  for (const bool exact : {false, true}) {
    KernelContext context{pool, exact};
    Routes none;
    none.tokens = kTokens;
    MoeJob job;
    job.shared = &network;
    job.out = out.data();
    job.out_stride = kDim;
    MoeExperts({in.data(), kTokens, kDim, kDim}, none, job, context);
    const MatMulJob widen[] = {
        {.weight = network.gate, .bias = nullptr, .out = gate.data(), .out_stride = kInner},
        {.weight = network.up, .bias = nullptr, .out = up.data(), .out_stride = kInner}};
    MatMul({in.data(), kTokens, kDim, kDim}, widen, context);
    GatedActivation(Activation::kSilu, 0, gate, up, gate);
    const MatMulJob narrow[] = {
        {.weight = network.down, .bias = nullptr, .out = expected.data(), .out_stride = kDim}};
    MatMul({gate.data(), kTokens, kInner, kInner}, narrow, context);
    EXPECT_EQ(out, expected) << (exact ? "exact" : "int8");
  }
}

}  // namespace
}  // namespace tutti::kernels
