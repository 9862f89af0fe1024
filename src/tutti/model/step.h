// The tokens that are computed together: rows of one or several sequences, one behind the other.
//
// Non-owning; valid for one call.
#pragma once
#include <cstdint>
#include <span>

#include "tutti/base/ids.h"
#include "tutti/memory/page_table.h"

namespace tutti::model {

// Consecutive rows of one sequence; they continue where its page table ends, and there is room.
struct SequenceRows {
  int32_t begin = 0;  // the first row
  int32_t rows = 0;
  int32_t first_position = 0;  // of that row in its sequence
  // Positions below this are of a prompt, others were generated; what computes both differently
  // tells them apart by this and nothing else (see BatchEntry in engine.h).
  int32_t prompt_length = 0;
  const memory::PageTable* table = nullptr;
};

struct Step {
  std::span<const TokenId> tokens;          // [rows]
  std::span<const int32_t> positions;       // [rows]
  std::span<const SequenceRows> sequences;  // cover the rows in order
  std::span<const int32_t> wanted;          // rows whose logits are wanted, ascending
  std::span<const int32_t> hidden;          // rows whose hidden state is wanted, ascending

  int64_t rows() const { return std::ssize(tokens); }
};

}  // namespace tutti::model
