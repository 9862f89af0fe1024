#include "tutti/model/weight_placement.h"

#include <algorithm>

#include "tutti/kernels/parallel.h"

namespace tutti::model {

std::vector<PlacedBytes> PlacesOf(const Weights& weights, const os::Team& team) {
  std::vector<PlacedBytes> places;
  weights.ForEachMatrix([&](const WeightView& w) {
    const int64_t row_bytes = w.cols / InfoOf(w.dtype).block_size * InfoOf(w.dtype).block_bytes;
    for (size_t n = 0; n < team.nodes.size(); ++n) {
      const kernels::RowRange rows = kernels::RowsOfNode(w.rows, team, n);
      if (rows.begin == rows.end) continue;
      const int64_t bytes = (rows.end - rows.begin - 1) * w.row_stride_bytes + row_bytes;
      places.push_back({{w.data + rows.begin * w.row_stride_bytes, static_cast<size_t>(bytes)}, n});
    }
  });
  return places;
}

os::PageCounts PlaceWeights(const Weights& weights, const os::PageSystem& system,
                            os::ThreadPool& pool) {
  const os::Team& team = pool.team();
  const std::vector<PlacedBytes> places = PlacesOf(weights, team);
  std::vector<os::PageCounts> counts(static_cast<size_t>(pool.size()));
  pool.Run([&](int member) {
    const auto node = static_cast<size_t>(team.NodeOf(member));
    const os::Team::Node& own = team.nodes[node];
    int turn = 0;
    for (const PlacedBytes& place : places) {
      if (place.node != node || own.first + turn++ % own.members != member) continue;
      counts[static_cast<size_t>(member)] += os::MovePages(system, place.bytes, own.id);
    }
  });
  os::PageCounts all;
  for (const os::PageCounts& count : counts) all += count;
  return all;
}

os::PageCounts CheckWeights(const Weights& weights, const os::PageSystem& system,
                            const os::Team& team) {
  constexpr size_t kSample = 4096;
  const std::vector<PlacedBytes> places = PlacesOf(weights, team);
  size_t pages = 0;
  for (const PlacedBytes& place : places) pages += place.bytes.size() / system.page_bytes;
  os::PageCounts all;
  for (const PlacedBytes& place : places) {
    all += os::CountPages(system, place.bytes, team.nodes[place.node].id,
                          std::max<size_t>(1, pages / kSample));
  }
  return all;
}

}  // namespace tutti::model
