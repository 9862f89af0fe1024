#include "tutti/model/weight_placement.h"

#include <gtest/gtest.h>

#include <map>
#include <mutex>

#include "tutti/kernels/parallel.h"

namespace tutti::model {
namespace {

constexpr size_t kPage = 256;

// A model of one layer in one block of memory: an embedding of 96 rows of 256 bytes that is the
// output too, one dense matrix, and two experts whose gate and up rows alternate.
struct TestModel {
  alignas(kPage) std::byte bytes[(96 + 64 + 2 * 2 * 128) * kPage] = {};
  Weights weights;

  TestModel() {
    weights.embedding = Matrix(0, 96, 1);
    weights.output = weights.embedding;
    LayerWeights& layer = weights.layers.emplace_back();
    layer.attention.q = Matrix(96, 64, 1);
    for (int64_t e = 0; e < 2; ++e) {
      kernels::ExpertWeights& expert = layer.moe.experts.emplace_back();
      expert.gate = Matrix(160 + e * 256, 128, 2);
      expert.up = Matrix(161 + e * 256, 128, 2);
    }
  }
  WeightView Matrix(int64_t first_page, int64_t rows, int64_t step) const {
    return {.dtype = DType::kF32,
            .rows = rows,
            .cols = static_cast<int64_t>(kPage / sizeof(float)),
            .data = bytes + first_page * static_cast<int64_t>(kPage),
            .row_stride_bytes = step * static_cast<int64_t>(kPage)};
  }
};

// Pages lie where they are put, at first all on node 0.
struct FakeMemory {
  const std::byte* begin = nullptr;
  std::map<int64_t, int> nodes = {};
  std::mutex mutex = {};

  int64_t IndexOf(const std::byte* page) const {
    return (page - begin) / static_cast<std::ptrdiff_t>(kPage);
  }
  os::PageSystem System() {
    return {kPage, [](const std::byte*, size_t pages) { return std::vector<bool>(pages, true); },
            [this](std::span<const std::byte* const> pages) {
              const std::lock_guard lock(mutex);
              std::vector<int> of;
              for (const std::byte* page : pages) of.push_back(nodes[IndexOf(page)]);
              return of;
            },
            [this](std::span<const std::byte* const> pages, int node) {
              const std::lock_guard lock(mutex);
              for (const std::byte* page : pages) nodes[IndexOf(page)] = node;
            }};
  }
};

TEST(WeightPlacementTest, EveryRowComesToTheNodeThatMultipliesIt) {
  const auto model = std::make_unique<TestModel>();
  FakeMemory memory{.begin = model->bytes};
  // Nodes 3 and 7 of three and one member.
  os::ThreadPool pool({{{3, {}, 0, 3}, {7, {}, 3, 1}}});
  const os::PageCounts before = CheckWeights(model->weights, memory.System(), pool.team());
  EXPECT_EQ(before.near, 0);
  EXPECT_GT(before.in_memory, 0);
  const os::PageCounts placed = PlaceWeights(model->weights, memory.System(), pool);
  EXPECT_EQ(placed.near, placed.in_memory);
  const os::PageCounts after = CheckWeights(model->weights, memory.System(), pool.team());
  EXPECT_EQ(after.near, after.in_memory);
  // A row is a page here.
  model->weights.ForEachMatrix([&](const WeightView& w) {
    for (size_t n = 0; n < 2; ++n) {
      const kernels::RowRange rows = kernels::RowsOfNode(w.rows, pool.team(), n);
      for (int64_t r = rows.begin; r < rows.end; ++r) {
        EXPECT_EQ(memory.nodes[memory.IndexOf(w.data + r * w.row_stride_bytes)], n == 0 ? 3 : 7)
            << "row " << r << " of " << w.rows;
      }
    }
  });
}

TEST(WeightPlacementTest, ATiedOutputCountsOnce) {
  const auto model = std::make_unique<TestModel>();
  int matrices = 0;
  model->weights.ForEachMatrix([&](const WeightView&) { ++matrices; });
  EXPECT_EQ(matrices, 6);
}

// On the machine that this runs on, with what it has: one place per matrix, and the pages of the
// test's own memory on the node that they were touched on.
TEST(WeightPlacementTest, TheRealSystemKnowsWherePagesAre) {
  const auto model = std::make_unique<TestModel>();
  const os::Team team = os::MakeTeam(os::ReadTopology(os::RealSystemFiles()), 1);
  ASSERT_EQ(PlacesOf(model->weights, team).size(), 6u);
  const os::PageCounts counts = CheckWeights(model->weights, os::RealPageSystem(), team);
  EXPECT_GT(counts.in_memory, 0);
  if (!counts.known) GTEST_SKIP() << "the system does not tell on which node pages lie";
  if (team.nodes.size() == 1) {
    EXPECT_EQ(counts.near, counts.in_memory);
  }
}

}  // namespace
}  // namespace tutti::model
