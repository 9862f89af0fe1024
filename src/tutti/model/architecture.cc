#include "tutti/model/architecture.h"

#include <algorithm>

#include "tutti/base/printable.h"
#include "tutti/model/architectures.h"
#include "tutti/model/spec_claims.h"
#include "tutti/model/validate_spec.h"

namespace tutti::model {
namespace {

std::string NamesOfKnown() {
  std::string names;
  for (const Architecture& architecture : KnownArchitectures()) {
    if (!names.empty()) names += ", ";
    names += architecture.name;
  }
  return names;
}

// What the checkpoint calls its architecture.
Result<std::string> PublishedName(const ModelSource& source) {
  const std::string_view key = source.gguf ? "general.architecture" : "model_type";
  TUTTI_ASSIGN_OR_RETURN(const auto name, source.metadata.String(key));
  if (!name || name->empty()) {
    return DataError("{}: it does not say what model it is ({} is missing)", source.where, key);
  }
  return *name;
}

}  // namespace

std::span<const Architecture> KnownArchitectures() {
  // Where two entries share a name, the one with a condition comes first.
  static const std::vector<Architecture> known = {
      Mixtral(),  Llama(),     Mistral(),    Qwen2(),      Qwen3(),
      Qwen2Moe(), Qwen3Moe(),  Olmoe(),      DeepseekV3(), DeepseekV2(),
      Glm4Moe(),  MinimaxM2(), HunyuanMoe(), GptOss(),     Ernie45Moe(),
  };
  return known;
}

Result<const Architecture*> FindArchitecture(const ModelSource& source) {
  TUTTI_ASSIGN_OR_RETURN(const std::string name, PublishedName(source));
  for (const Architecture& architecture : KnownArchitectures()) {
    const auto& names = source.gguf ? architecture.gguf : architecture.hugging_face;
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    if (architecture.claims == nullptr || architecture.claims(source)) return &architecture;
  }
  return Unsupported("{}: the architecture \"{}\" is not supported yet (known: {})", source.where,
                     Printable(name), NamesOfKnown());
}

Result<ModelSpec> ReadModelSpec(const Architecture& architecture, const ModelSource& source) {
  std::string gguf_name;
  if (source.gguf) {
    TUTTI_ASSIGN_OR_RETURN(gguf_name, PublishedName(source));
  }
  SpecReader reader(source, gguf_name);
  ModelSpec spec = architecture.read_spec(reader);
  // A description with an error in it has defaults that contradict the rest.
  if (reader.status().ok()) CheckClaims(reader, spec);
  TUTTI_RETURN_IF_ERROR(reader.status());
  spec.architecture = architecture.name;
  TUTTI_RETURN_IF_ERROR(ValidateSpec(spec).WithContext(source.where));
  return spec;
}

TensorNames NamesOf(const Architecture& architecture, bool gguf) {
  TensorNames names = gguf ? CommonGgufNames() : CommonHuggingFaceNames();
  if (architecture.rename != nullptr) architecture.rename(names, gguf);
  return names;
}

}  // namespace tutti::model
