// One piece of a history for a block of query columns. Internal to attention.
#pragma once
#include "tutti/kernels/attention_block.h"

namespace tutti::kernels {

// The block's queries as factors; once per scratch, before AttendSplit.
void PrepareQueries(const AttentionBlock& block, const AttentionIsa& isa,
                    const AttentionScratch& scratch);

// Computes `piece` for all columns of the block over the positions of `split`.
void AttendSplit(const AttentionBlock& block, const AttentionIsa& isa, int64_t split,
                 const AttentionScratch& scratch, const Piece& piece);

}  // namespace tutti::kernels
