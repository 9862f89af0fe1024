#include "tutti/format/checkpoint.h"

#include <algorithm>
#include <system_error>

#include "tutti/format/gguf_reader.h"
#include "tutti/format/gguf_split.h"
#include "tutti/format/hugging_face.h"

namespace tutti::format {
namespace {

namespace fs = std::filesystem;

struct FolderContent {
  bool config = false;       // config.json
  bool safetensors = false;  // any *.safetensors
  // GGUF models, sorted, a split one under the name of its first part. Projectors of vision models
  // ("mmproj-...") lie beside their model and are none.
  std::vector<fs::path> gguf;
};

Result<FolderContent> ContentOf(const fs::path& folder) {
  FolderContent content;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const fs::path& file = it->path();
    const std::string name = file.filename().string();
    content.config |= name == "config.json";
    content.safetensors |= file.extension() == ".safetensors";
    if (file.extension() != ".gguf" || name.starts_with("mmproj")) continue;
    const auto split = ParseSplitName(name);
    if (!split || split->part == 1) content.gguf.push_back(file);
  }
  if (error) {
    return Error(StatusCode::kIo, "{}: cannot list: {}", folder.string(), error.message());
  }
  std::sort(content.gguf.begin(), content.gguf.end());
  return content;
}

Result<Checkpoint> OpenFolder(const fs::path& folder) {
  TUTTI_ASSIGN_OR_RETURN(const FolderContent content, ContentOf(folder));
  const std::vector<fs::path>& models = content.gguf;
  // Repositories of GGUF files often carry the config.json of the original model.
  if (content.config && (content.safetensors || models.empty())) return OpenHuggingFace(folder);
  if (models.empty()) {
    return Error(StatusCode::kNotFound,
                 "{}: no model here: neither a *.gguf file nor config.json with *.safetensors",
                 folder.string());
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
