// From the MODEL argument to something that runs.
//
// MODEL is a path, a name that `tutti list` shows, or "story" or nothing: the model inside the
// program. Errors: kNotFound for a name or path that means nothing; those of the readers.
#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "tutti/base/status.h"
#include "tutti/engine.h"
#include "tutti/format/checkpoint.h"
#include "tutti/spec/vocab_spec.h"
#include "tutti/text/tokenizer.h"

namespace tutti::cli {

inline constexpr std::string_view kEmbeddedName = "story";

struct ModelChoice {
  bool embedded = false;
  std::filesystem::path path;  // empty for the embedded model
  std::string name;            // for messages and answers
};

Result<ModelChoice> ChooseModel(const std::string& model);

// The checkpoint without an engine: quick, whatever its size.
Result<format::Checkpoint> OpenChosen(const ModelChoice& choice);
// Whether the file is a chat template: neither a model nor a tokenizer.
bool IsTemplateFile(const std::filesystem::path& path);
// The vocabulary alone. The choice may also be a bare tokenizer file.
Result<VocabSpec> ReadChosenVocab(const ModelChoice& choice);

struct LoadedModel {
  ModelChoice choice;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<text::Tokenizer> tokenizer;  // null: see tokenizer_status
  Status tokenizer_status;                     // why there is none; ids can still be run
  double load_seconds = 0;

  const VocabSpec* vocab() const { return tokenizer ? &tokenizer->spec() : engine->vocab(); }
};
Result<LoadedModel> LoadModel(const std::string& model, const EngineOptions& options);

}  // namespace tutti::cli
