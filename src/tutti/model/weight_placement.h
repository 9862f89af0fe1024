// The rows of every matrix on the memory node whose threads multiply them (docs/decisions/0006).
//
// Pages that are not in memory yet come to the node of the thread that reads them first, which is
// the right one; PlaceWeights moves those that an earlier process has left elsewhere. Weights are
// not copied, and nothing is read from disk.
//
// Threads: as the pool's Run. Errors: none; CheckWeights says how well it went.
#pragma once
#include <vector>

#include "tutti/model/weights.h"
#include "tutti/os/page_nodes.h"
#include "tutti/os/team.h"
#include "tutti/os/thread_pool.h"

namespace tutti::model {

// A piece of a matrix, and the node that reads it.
struct PlacedBytes {
  std::span<const std::byte> bytes;
  size_t node = 0;  // index into Team::nodes
};
// Matrices whose rows lie apart (gate and up interleaved) are placed with all that is between.
std::vector<PlacedBytes> PlacesOf(const Weights& weights, const os::Team& team);

// Each member moves a share of its node's pages.
os::PageCounts PlaceWeights(const Weights& weights, const os::PageSystem& system,
                            os::ThreadPool& pool);
// A sample of the pages that are in memory: some thousands, and of every place one at least.
os::PageCounts CheckWeights(const Weights& weights, const os::PageSystem& system,
                            const os::Team& team);

}  // namespace tutti::model
