// Whole files, read with a limit and written atomically.
#pragma once
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "tutti/base/status.h"

namespace tutti::os {

// The file's bytes; kResource where it is larger than `limit_bytes`.
Result<std::string> ReadFile(const std::filesystem::path& path, size_t limit_bytes);

// Writes a temporary file beside `path`, syncs it and renames it, so that readers see the old file
// or the whole new one. On failure (full disk included) the old file stays and the temporary goes.
Status WriteFile(const std::filesystem::path& path, std::string_view content);

}  // namespace tutti::os
