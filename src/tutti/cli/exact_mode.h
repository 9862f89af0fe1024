// The arithmetic of commands whose numbers are compared with those of other engines.
#pragma once
#include "tutti/base/status.h"
#include "tutti/engine.h"

namespace tutti::cli {

// Exact unless `fast`. kUsage where --exact or --kv-type says otherwise.
Status BeExactUnless(bool fast, EngineOptions& engine);

}  // namespace tutti::cli
