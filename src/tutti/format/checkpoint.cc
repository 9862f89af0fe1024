#include "tutti/format/checkpoint.h"

#include <algorithm>
#include <system_error>

#include "tutti/format/gguf_reader.h"
#include "tutti/format/gguf_split.h"

namespace tutti::format {
namespace {

namespace fs = std::filesystem;

// The GGUF models in a folder, a split one under the name of its first part. Projectors of vision
// models ("mmproj-...") lie beside their model and are none.
Result<std::vector<fs::path>> GgufModelsIn(const fs::path& folder) {
  std::vector<fs::path> models;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (it->path().extension() != ".gguf" || name.starts_with("mmproj")) continue;
    if (const auto split = ParseSplitName(name); split && split->part != 1) continue;
    models.push_back(it->path());
  }
  if (error) {
    return Error(StatusCode::kIo, "{}: cannot list: {}", folder.string(), error.message());
  }
  std::sort(models.begin(), models.end());
  return models;
}

Result<Checkpoint> OpenFolder(const fs::path& folder) {
  TUTTI_ASSIGN_OR_RETURN(const std::vector<fs::path> models, GgufModelsIn(folder));
  if (models.empty()) {
    return Error(StatusCode::kNotFound, "{}: no model here: no *.gguf file", folder.string());
  }
  if (models.size() > 1) {
    return UsageError("{}: {} GGUF models here, name one of them: {}, {}{}", folder.string(),
                      models.size(), models[0].filename().string(), models[1].filename().string(),
                      models.size() > 2 ? ", ..." : "");
  }
  Result<Checkpoint> checkpoint = OpenGguf(models[0]);
  if (checkpoint.ok()) checkpoint->path = folder;
  return checkpoint;
}

}  // namespace

Result<Checkpoint> OpenCheckpoint(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return OpenFolder(path);
  return OpenGguf(path);
}

}  // namespace tutti::format
