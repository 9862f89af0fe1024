#include "tutti/cli/model_loader.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <utility>

#include "tutti/cli/embedded_model.h"
#include "tutti/cli/model_list.h"
#include "tutti/cli/suggest.h"
#include "tutti/format/gguf_reader.h"
#include "tutti/text/tokenizer_files.h"

namespace tutti::cli {
namespace {

namespace fs = std::filesystem;

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool IsFolder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

// What nobody would call a model by name.
bool LooksLikePath(std::string_view model) {
  return model.starts_with('/') || model.starts_with("./") || model.starts_with("../") ||
         model.starts_with('~') || model.ends_with(".gguf") || model.ends_with('/') ||
         model.ends_with(".json") || model.ends_with(".model") || model.ends_with(".jinja");
}

bool BeginsLikeGguf(const fs::path& path) {
  std::array<char, 4> magic{};
  std::ifstream file(path, std::ios::binary);
  file.read(magic.data(), magic.size());
  return file && std::string_view(magic.data(), magic.size()) == "GGUF";
}

// A folder that another program filled with a GGUF file instead of published files.
bool IsGgufFolder(const fs::path& folder) {
  if (Exists(folder / "config.json")) return false;
  std::error_code error;
  for (fs::directory_iterator it(folder, error); !error && it != fs::directory_iterator();
       it.increment(error)) {
    if (it->path().extension() == ".gguf") return true;
  }
  return false;
}

Status NoEmbeddedModel() {
  return Unsupported(
      "this build has no model inside: name one, for example a .gguf file or what 'tutti list' "
      "shows");
}

Status NoSuchFile(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code error;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  constexpr size_t kMaxNames = 1000;
  for (fs::directory_iterator it(folder, error);
       !error && it != fs::directory_iterator() && names.size() < kMaxNames; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  const auto nearest = Suggest(path.filename().string(), names);
  return Error(StatusCode::kNotFound, "there is no file '{}': {}", path.string(),
               nearest ? fmt::format("did you mean '{}'?", (path.parent_path() / *nearest).string())
                       : std::string("'tutti list' shows what is here"));
}

Result<VocabSpec> VocabOf(format::Checkpoint checkpoint, const std::string& name) {
  if (checkpoint.vocab == nullptr) {
    return DataError("{} has no vocabulary: give the folder or the file of its tokenizer", name);
  }
  return std::move(*checkpoint.vocab);
}

// An id that the tokenizer can give and the model does not have would be an error in the middle of
// an answer; better now. Models have more rows than tokens often (padding), never fewer.
Status CheckVocabFits(const VocabSpec& vocab, const ModelSpec& spec) {
  if (vocab.tokens.size() <= static_cast<size_t>(spec.vocab_size)) return {};
  return DataError(
      "the tokenizer has {} tokens and the model {}: they do not belong together; use the "
      "tokenizer files that were published with the model",
      vocab.tokens.size(), spec.vocab_size);
}

}  // namespace

Result<ModelChoice> ChooseModel(const std::string& model) {
  if (!model.empty() && Exists(model)) {
    const fs::path path = model;
    const fs::path last = path.has_filename() ? path : path.parent_path();  // "folder/"
    return ModelChoice{false, path, last.filename().string()};
  }
  if (model.empty() || model == kEmbeddedName) {
    if (EmbeddedModel().empty()) return NoEmbeddedModel();
    return ModelChoice{true, {}, std::string(kEmbeddedName)};
  }
  if (LooksLikePath(model)) {
    return NoSuchFile(model);
  }
  TUTTI_ASSIGN_OR_RETURN(const ListedModel found,
                         FindModel(ListModels(ModelPlaces::FromEnvironment()), model));
  return ModelChoice{false, found.path, found.name};
}

Result<format::Checkpoint> OpenChosen(const ModelChoice& choice) {
  if (choice.embedded) return format::OpenGgufBytes(EmbeddedModel(), choice.name);
  return format::OpenCheckpoint(choice.path);
}

bool IsTemplateFile(const fs::path& path) {
  const std::string extension = path.extension().string();
  const bool tokenizer = extension == ".json" || extension == ".model" || extension == ".tiktoken";
  return !IsFolder(path) && !tokenizer && !BeginsLikeGguf(path);
}

Result<VocabSpec> ReadChosenVocab(const ModelChoice& choice) {
  const bool gguf = choice.embedded || (IsFolder(choice.path) ? IsGgufFolder(choice.path)
                                                              : BeginsLikeGguf(choice.path));
  if (!gguf) return text::ReadVocab(choice.path);
  TUTTI_ASSIGN_OR_RETURN(format::Checkpoint checkpoint, OpenChosen(choice));
  return VocabOf(std::move(checkpoint), choice.name);
}

Result<LoadedModel> LoadModel(const std::string& model, const EngineOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  LoadedModel loaded;
  TUTTI_ASSIGN_OR_RETURN(loaded.choice, ChooseModel(model));
  if (loaded.choice.embedded) {
    TUTTI_ASSIGN_OR_RETURN(loaded.engine, Engine::LoadEmbedded(EmbeddedModel(), options));
  } else {
    TUTTI_ASSIGN_OR_RETURN(loaded.engine, Engine::Load(loaded.choice.path, options));
  }
  auto vocab = loaded.engine->vocab() != nullptr ? Result<VocabSpec>(*loaded.engine->vocab())
                                                 : ReadChosenVocab(loaded.choice);
  if (vocab.ok()) loaded.tokenizer_status = CheckVocabFits(*vocab, loaded.engine->spec());
  if (vocab.ok() && loaded.tokenizer_status.ok()) {
    auto tokenizer = text::Tokenizer::Create(std::move(vocab).value());
    loaded.tokenizer_status = tokenizer.status();
    if (tokenizer.ok()) loaded.tokenizer = std::move(tokenizer).value();
  } else if (!vocab.ok()) {
    loaded.tokenizer_status = vocab.status();
  }
  loaded.load_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return loaded;
}

}  // namespace tutti::cli
