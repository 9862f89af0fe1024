#include "tutti/cli/exact_mode.h"

namespace tutti::cli {

Status BeExactUnless(bool fast, EngineOptions& engine) {
  if (fast && engine.exact) return UsageError("--fast and --exact exclude each other");
  if (!fast && engine.kv_type.value_or(KvType::kF32) != KvType::kF32) {
    return UsageError("--kv-type {} needs --fast: exact arithmetic keeps keys and values as f32",
                      KvTypeName(*engine.kv_type));
  }
  engine.exact = !fast;
  return {};
}

}  // namespace tutti::cli
