// The models that are already on this machine, wherever another program has put them.
//
// Looked for in: the current folder and ./models, $TUTTI_MODELS, the caches of Hugging Face and
// llama.cpp, LM Studio's and Ollama's model folders. Folders that cannot be read are passed over;
// how deep and how much is looked at is bounded.
//
// Reads directories and Ollama's small manifests, never the models themselves. Threads: any.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"

namespace tutti::cli {

struct ListedModel {
  std::string name;            // what MODEL may be: "qwen3-8b-q4_k_m", "Qwen/Qwen3-8B", "qwen3:8b"
  std::string source;          // "folder", "Hugging Face", "llama.cpp", "LM Studio", "Ollama"
  std::string format;          // "GGUF" or "safetensors"
  std::filesystem::path path;  // a .gguf file (of a split model the first), a blob, or a folder
  uint64_t size_bytes = 0;     // all parts together
};

// Where models are looked for; empty paths are skipped.
struct ModelPlaces {
  std::vector<std::filesystem::path> folders = {};       // GGUF files, model folders; not recursive
  std::vector<std::filesystem::path> hugging_face = {};  // .../hub
  std::vector<std::filesystem::path> llama_cpp = {};
  std::vector<std::filesystem::path> lm_studio = {};
  std::vector<std::filesystem::path> ollama = {};  // .../models

  static ModelPlaces FromEnvironment();
};

// Sorted by name; every path once.
std::vector<ListedModel> ListModels(const ModelPlaces& places);

// The model that `name` means: the same name (upper and lower case are the same), else the only one
// whose name contains it. kNotFound where none does, kUsage with the candidates where several do.
Result<ListedModel> FindModel(const std::vector<ListedModel>& models, std::string_view name);

}  // namespace tutti::cli
