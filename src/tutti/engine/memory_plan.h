// How long a sequence may be and how much memory its keys and values get: arithmetic on numbers.
//
// Errors: kUsage for a context beyond the model's, kResource where it does not fit the machine;
// both with the numbers and what would be possible.
#pragma once
#include <cstdint>
#include <span>

#include "tutti/base/status.h"

namespace tutti::engine {

struct MemoryRequest {
  int32_t context = 0;          // 0: the model's, or what fits
  int32_t model_context = 0;    // what the model was made for
  int64_t kv_budget_bytes = 0;  // 0: kv_tokens, at least one context
  int64_t kv_tokens = 0;
  int32_t kv_contexts = 1;      // without either: so many, as far as half of the memory allows
  int64_t weight_bytes = 0;     // that should stay in memory beside it
  int64_t available_bytes = 0;  // 0: unknown, taken as enough
  std::span<const int64_t> kv_bytes_per_token;  // [layers]
};

struct MemoryPlan {
  int32_t context = 0;
  int64_t kv_budget_bytes = 0;
};

Result<MemoryPlan> PlanMemory(const MemoryRequest& request);

// "12.3 GiB", "512 bytes".
std::string FormatBytes(int64_t bytes);

}  // namespace tutti::engine
