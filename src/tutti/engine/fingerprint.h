// Which model computed some keys and values, and how: whatever changes their bits.
//
// Of the checkpoint everything that it says about itself, the name, type and shape of every tensor,
// and a sample of the weights; the type of keys and values; the arithmetic and the instruction sets
// of the kernels. Finds mistakes, not forgeries. Threads: any. Errors: none.
#pragma once
#include <cstdint>

#include "tutti/format/checkpoint.h"
#include "tutti/spec/kv_type.h"

namespace tutti::engine {

uint64_t Fingerprint(const format::Checkpoint& checkpoint, KvType kv_type, bool exact);

}  // namespace tutti::engine
