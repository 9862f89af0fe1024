#include "tutti/cli/model_list.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <optional>
#include <set>
#include <utility>

#include "tutti/base/json.h"
#include "tutti/cli/console.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/suggest.h"
#include "tutti/os/file.h"

namespace tutti::cli {
namespace {

namespace fs = std::filesystem;

// A home folder may hold anything: no scan goes on for ever.
constexpr size_t kMaxEntries = 20'000;  // of one folder
constexpr size_t kMaxManifestBytes = 1 << 20;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

// The entries of a folder, sorted; empty where it cannot be read.
std::vector<fs::path> Entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  fs::directory_iterator it(folder, error);
  while (!error && it != fs::directory_iterator() && entries.size() < kMaxEntries) {
    entries.push_back(it->path());
    it.increment(error);
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool IsFolder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool IsFile(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

uint64_t SizeOf(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : size;
}

// "name-00002-of-00004" -> part 2 and "name"; part 0 where the stem is not that of a split file.
std::pair<int, std::string> SplitPart(const std::string& stem) {
  constexpr std::string_view kPattern = "-00000-of-00000";
  if (stem.size() <= kPattern.size()) return {0, stem};
  const std::string_view tail = std::string_view(stem).substr(stem.size() - kPattern.size());
  for (size_t i = 0; i < tail.size(); ++i) {
    const bool digit = std::isdigit(static_cast<unsigned char>(tail[i])) != 0;
    if (kPattern[i] == '0' ? !digit : tail[i] != kPattern[i]) return {0, stem};
  }
  int part = 0;
  for (const char c : tail.substr(1, 5)) part = part * 10 + (c - '0');
  return {part, stem.substr(0, stem.size() - kPattern.size())};
}

class Collector {
 public:
  // The GGUF models of one folder; `prefix` comes before their names.
  void AddGgufs(const fs::path& folder, const std::string& prefix, const std::string& source) {
    const std::vector<fs::path> entries = Entries(folder);
    for (const fs::path& path : entries) {
      if (Lower(path.extension().string()) != ".gguf" || !IsFile(path)) continue;
      // The vision part of a model is not one that can run.
      if (Lower(path.filename().string()).find("mmproj") != std::string::npos) continue;
      const auto [part, stem] = SplitPart(path.stem().string());
      if (part > 1) continue;
      uint64_t size = SizeOf(path);
      if (part == 1) {
        for (const fs::path& other : entries) {
          const auto [other_part, other_stem] = SplitPart(other.stem().string());
          if (other_part > 1 && other_stem == stem) size += SizeOf(other);
        }
      }
      Add({prefix + stem, source, "GGUF", path, size});
    }
  }

  // A folder with config.json and safetensors. False where it is none.
  bool AddModelFolder(const fs::path& folder, const std::string& name, const std::string& source) {
    if (!IsFile(folder / "config.json")) return false;
    uint64_t size = 0;
    for (const fs::path& path : Entries(folder)) {
      if (path.extension() == ".safetensors") size += SizeOf(path);
    }
    if (size == 0) return false;
    Add({name, source, "safetensors", folder, size});
    return true;
  }

  void Add(ListedModel model) {
    std::error_code error;
    const fs::path canonical = fs::weakly_canonical(model.path, error);
    if (seen_.insert(error ? model.path : canonical).second) models_.push_back(std::move(model));
  }

  std::vector<ListedModel> Take() {
    std::sort(models_.begin(), models_.end(), [](const ListedModel& a, const ListedModel& b) {
      return std::pair(Lower(a.name), a.path) < std::pair(Lower(b.name), b.path);
    });
    return std::move(models_);
  }

 private:
  std::vector<ListedModel> models_;
  std::set<fs::path> seen_;
};

void AddFolder(const fs::path& folder, Collector& collector) {
  collector.AddGgufs(folder, "", "folder");
  for (const fs::path& path : Entries(folder)) {
    if (!IsFolder(path)) continue;
    const std::string name = path.filename().string();
    collector.AddModelFolder(path, name, "folder");
  }
}

// hub/models--ORG--NAME/snapshots/REVISION/; refs/main names the revision that is wanted.
void AddHuggingFace(const fs::path& hub, Collector& collector) {
  constexpr std::string_view kPrefix = "models--";
  for (const fs::path& repository : Entries(hub)) {
    std::string name = repository.filename().string();
    if (!name.starts_with(kPrefix)) continue;
    name = name.substr(kPrefix.size());
    for (size_t at; (at = name.find("--")) != std::string::npos;) name.replace(at, 2, "/");
    std::vector<fs::path> snapshots = Entries(repository / "snapshots");
    if (snapshots.empty()) continue;
    fs::path snapshot = snapshots.back();
    if (const auto ref = os::ReadFile(repository / "refs" / "main", 4096); ref.ok()) {
      std::string revision = ref.value();
      while (!revision.empty() && std::isspace(static_cast<unsigned char>(revision.back()))) {
        revision.pop_back();
      }
      const fs::path wanted = repository / "snapshots" / revision;
      // Only a plain name: the file could hold "../..".
      if (fs::path(revision).filename() == revision && IsFolder(wanted)) snapshot = wanted;
    }
    collector.AddModelFolder(snapshot, name, "Hugging Face");
    collector.AddGgufs(snapshot, name + "/", "Hugging Face");
  }
}

// PUBLISHER/MODEL/*.gguf
void AddLmStudio(const fs::path& folder, Collector& collector) {
  for (const fs::path& publisher : Entries(folder)) {
    if (!IsFolder(publisher)) continue;
    for (const fs::path& model : Entries(publisher)) {
      if (!IsFolder(model)) continue;
      collector.AddGgufs(model, publisher.filename().string() + "/", "LM Studio");
    }
  }
}

// The GGUF blob that a manifest names: layers[].mediaType "application/vnd.ollama.image.model".
void AddOllamaManifest(const fs::path& models, const fs::path& manifest, const std::string& name,
                       Collector& collector) {
  const auto text = os::ReadFile(manifest, kMaxManifestBytes);
  if (!text.ok()) return;
  const auto value = ParseJson(*text);
  if (!value.ok() || !value->is_object()) return;
  const auto* layers = value->get_object().if_contains("layers");
  if (layers == nullptr || !layers->is_array()) return;
  for (const boost::json::value& layer : layers->get_array()) {
    if (!layer.is_object()) continue;
    const auto* type = layer.get_object().if_contains("mediaType");
    const auto* digest = layer.get_object().if_contains("digest");
    if (type == nullptr || digest == nullptr || !type->is_string() || !digest->is_string())
      continue;
    if (type->get_string() != "application/vnd.ollama.image.model") continue;
    std::string blob(digest->get_string());
    std::replace(blob.begin(), blob.end(), ':', '-');
    if (fs::path(blob).filename() != blob) continue;
    const fs::path path = models / "blobs" / blob;
    if (IsFile(path)) collector.Add({name, "Ollama", "GGUF", path, SizeOf(path)});
  }
}

// manifests/HOST/NAMESPACE/MODEL/TAG; the usual host and the namespace "library" are left out.
void AddOllama(const fs::path& models, Collector& collector) {
  for (const fs::path& host : Entries(models / "manifests")) {
    for (const fs::path& space : Entries(host)) {
      for (const fs::path& model : Entries(space)) {
        for (const fs::path& tag : Entries(model)) {
          std::string name = model.filename().string() + ":" + tag.filename().string();
          if (space.filename() != "library") name = space.filename().string() + "/" + name;
          if (host.filename() != "registry.ollama.ai") name = host.filename().string() + "/" + name;
          AddOllamaManifest(models, tag, name, collector);
        }
      }
    }
  }
}

void AppendPaths(std::string_view list, std::vector<fs::path>& paths) {
  while (!list.empty()) {
    const size_t end = std::min(list.find(':'), list.size());
    if (end > 0) paths.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

// The model whose name, or a part of it that one would type ("qwen3" of "Qwen/qwen3:8b"), is near.
std::optional<std::string> SuggestModel(const std::vector<ListedModel>& models,
                                        const std::string& wanted) {
  std::vector<std::string> typed = {std::string(kEmbeddedName)};
  std::vector<std::string> meant = typed;
  for (const ListedModel& model : models) {
    const std::string known = Lower(model.name);
    const std::string last = known.substr(known.rfind('/') + 1);
    for (const std::string& form : {known, last, last.substr(0, last.find(':'))}) {
      typed.push_back(form);
      meant.push_back(model.name);
    }
  }
  const auto nearest = Suggest(wanted, typed);
  if (!nearest) return std::nullopt;
  const auto place = std::find(typed.begin(), typed.end(), *nearest) - typed.begin();
  return meant[static_cast<size_t>(place)];
}

}  // namespace

ModelPlaces ModelPlaces::FromEnvironment() {
  ModelPlaces places;
  places.folders = {".", "models"};
  AppendPaths(GetEnvironment("TUTTI_MODELS").value_or(""), places.folders);
  const fs::path home = GetEnvironment("HOME").value_or("");
  fs::path cache = GetEnvironment("XDG_CACHE_HOME").value_or("");
  if (cache.empty() && !home.empty()) cache = home / ".cache";

  if (const auto hub = GetEnvironment("HF_HUB_CACHE")) {
    places.hugging_face.emplace_back(*hub);
  } else if (const auto hf_home = GetEnvironment("HF_HOME")) {
    places.hugging_face.push_back(fs::path(*hf_home) / "hub");
  } else if (!cache.empty()) {
    places.hugging_face.push_back(cache / "huggingface" / "hub");
  }
  if (const auto llama = GetEnvironment("LLAMA_CACHE")) {
    places.llama_cpp.emplace_back(*llama);
  } else if (!cache.empty()) {
    places.llama_cpp.push_back(cache / "llama.cpp");
  }
  if (!home.empty()) {
    places.lm_studio = {home / ".lmstudio" / "models", cache / "lm-studio" / "models"};
  }
  if (const auto ollama = GetEnvironment("OLLAMA_MODELS")) {
    places.ollama.emplace_back(*ollama);
  } else {
    if (!home.empty()) places.ollama.push_back(home / ".ollama" / "models");
    places.ollama.emplace_back("/usr/share/ollama/.ollama/models");
  }
  return places;
}

std::vector<ListedModel> ListModels(const ModelPlaces& places) {
  Collector collector;
  for (const fs::path& folder : places.folders) AddFolder(folder, collector);
  for (const fs::path& hub : places.hugging_face) AddHuggingFace(hub, collector);
  for (const fs::path& folder : places.llama_cpp) collector.AddGgufs(folder, "", "llama.cpp");
  for (const fs::path& folder : places.lm_studio) AddLmStudio(folder, collector);
  for (const fs::path& models : places.ollama) AddOllama(models, collector);
  return collector.Take();
}

Result<ListedModel> FindModel(const std::vector<ListedModel>& models, std::string_view name) {
  const std::string wanted = Lower(name);
  std::vector<const ListedModel*> found;
  for (const ListedModel& model : models) {
    const std::string known = Lower(model.name);
    if (known == wanted || known == wanted + ":latest") return model;
    if (known.find(wanted) != std::string::npos) found.push_back(&model);
  }
  if (found.size() == 1) return *found.front();
  if (found.size() > 1) {
    std::string names;
    for (size_t i = 0; i < std::min<size_t>(found.size(), 5); ++i) {
      names += (i > 0 ? ", " : "") + found[i]->name;
    }
    if (found.size() > 5) names += ", ...";
    return UsageError("'{}' could be {} models: {}", name, found.size(), names);
  }
  const auto nearest = SuggestModel(models, wanted);
  return Error(StatusCode::kNotFound, "there is no model '{}': {}", name,
               nearest ? fmt::format("did you mean '{}'?", *nearest)
                       : std::string("give a .gguf file, a model folder or a name that 'tutti "
                                     "list' shows"));
}

}  // namespace tutti::cli
