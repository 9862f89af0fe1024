#include "tutti/engine/memory_plan.h"

#include <algorithm>
#include <limits>

#include "tutti/memory/kv_pool.h"

namespace tutti::engine {
namespace {

using memory::kPageTokens;
using memory::KvPool;

// Memory for keys and values: what the weights leave, but never less than a quarter, because
// weights that do not fit are read from the file again and again anyway.
int64_t AvailableForKv(const MemoryRequest& request) {
  if (request.available_bytes == 0) return std::numeric_limits<int64_t>::max();
  return std::max(request.available_bytes - request.weight_bytes, request.available_bytes / 4);
}

int32_t TokensThatFit(const MemoryRequest& request, int64_t bytes) {
  const int64_t pages = bytes / KvPool::PageBytes(request.kv_bytes_per_token);
  const int64_t tokens = std::min<int64_t>(pages, INT32_MAX / kPageTokens) * kPageTokens;
  return static_cast<int32_t>(std::min<int64_t>(tokens, request.model_context));
}

Status DoesNotFit(const MemoryRequest& request, int32_t context, int64_t available) {
  const int64_t needed = KvPool::BytesForTokens(request.kv_bytes_per_token, context);
  const int32_t possible = TokensThatFit(request, available);
  return Error(StatusCode::kResource,
               "keys and values of {} tokens need {}, {} are available beside the weights: {}",
               context, FormatBytes(needed), FormatBytes(available),
               possible > 0 ? fmt::format("--context {} would fit", possible)
                            : "the machine is too small for this model");
}

}  // namespace

std::string FormatBytes(int64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

Result<MemoryPlan> PlanMemory(const MemoryRequest& request) {
  if (request.context < 0 || request.kv_budget_bytes < 0 || request.kv_tokens < 0) {
    return UsageError(
        "a context of {} tokens, {} bytes and {} tokens for keys and values: not negative",
        request.context, request.kv_budget_bytes, request.kv_tokens);
  }
  if (request.context > request.model_context) {
    return UsageError("the model was made for {} tokens of context, {} are wanted: use at most {}",
                      request.model_context, request.context, request.model_context);
  }
  const int64_t available = AvailableForKv(request);
  MemoryPlan plan;
  plan.context = request.context;
  if (plan.context == 0) {
    const int64_t bytes =
        request.kv_budget_bytes > 0 ? std::min(request.kv_budget_bytes, available) : available;
    plan.context = std::min(request.model_context, TokensThatFit(request, bytes));
    if (plan.context == 0) return DoesNotFit(request, request.model_context, bytes);
  }
  const int64_t needed = KvPool::BytesForTokens(request.kv_bytes_per_token, plan.context);
  plan.kv_budget_bytes = request.kv_budget_bytes;
  if (plan.kv_budget_bytes == 0) {
    int64_t tokens = std::max<int64_t>(plan.context, request.kv_tokens);
    if (request.kv_tokens == 0 && request.kv_contexts > 1) {
      const int64_t pages = available / 2 / KvPool::PageBytes(request.kv_bytes_per_token);
      tokens = std::max(tokens,
                        std::min(pages * kPageTokens, int64_t{plan.context} * request.kv_contexts));
    }
    plan.kv_budget_bytes = KvPool::BytesForTokens(request.kv_bytes_per_token, tokens);
  }
  if (needed > available) return DoesNotFit(request, plan.context, available);
  if (plan.kv_budget_bytes > available) {
    return Error(StatusCode::kResource,
                 "{} for keys and values are wanted, {} are available beside the weights",
                 FormatBytes(plan.kv_budget_bytes), FormatBytes(available));
  }
  if (plan.kv_budget_bytes < needed) {
    return Error(StatusCode::kResource,
                 "{} for keys and values hold {} tokens, a context of {} is wanted: give {} or "
                 "--context {}",
                 FormatBytes(plan.kv_budget_bytes), TokensThatFit(request, plan.kv_budget_bytes),
                 plan.context, FormatBytes(needed), TokensThatFit(request, plan.kv_budget_bytes));
  }
  return plan;
}

}  // namespace tutti::engine
