// tutti inspect: what a model is, without running it.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <optional>

#include "tutti/base/printable.h"
#include "tutti/cli/command.h"
#include "tutti/cli/json_text.h"
#include "tutti/cli/model_loader.h"
#include "tutti/cli/options.h"
#include "tutti/cli/size_text.h"
#include "tutti/model/architecture.h"

namespace tutti::cli {
namespace {

namespace json = boost::json;

struct TypeTotal {
  int64_t tensors = 0;
  uint64_t bytes = 0;
};

// All that is known; what cannot be known has a status that says why.
struct Inspection {
  ModelChoice choice;
  format::Checkpoint checkpoint;
  std::map<std::string_view, TypeTotal> types;
  uint64_t bytes = 0;
  Status spec_status;
  ModelSpec spec;
  Status costs_status;
  EngineCosts costs;
  Status vocab_status;
  VocabSpec vocab;
};

Result<Inspection> Inspect(const ModelOptions& options) {
  Inspection seen;
  TUTTI_ASSIGN_OR_RETURN(seen.choice, ChooseModel(options.model));
  TUTTI_ASSIGN_OR_RETURN(seen.checkpoint, OpenChosen(seen.choice));
  for (const auto& [name, tensor] : seen.checkpoint.tensors) {
    TypeTotal& total = seen.types[NameOf(tensor.dtype)];
    ++total.tensors;
    total.bytes += tensor.size_bytes;
    seen.bytes += tensor.size_bytes;
  }
  const model::ModelSource source{seen.checkpoint.kind == format::CheckpointKind::kGguf,
                                  seen.choice.name, seen.checkpoint.metadata,
                                  seen.checkpoint.tensors};
  const auto architecture = model::FindArchitecture(source);
  seen.spec_status = architecture.status();
  if (architecture.ok()) {
    auto spec = model::ReadModelSpec(**architecture, source);
    seen.spec_status = spec.status();
    if (spec.ok()) seen.spec = std::move(spec).value();
  }
  // The engine knows best what it needs; loading maps the weights and reads none.
  seen.costs_status = seen.spec_status;
  if (seen.spec_status.ok()) {
    auto loaded = LoadModel(options.model, options.engine);
    seen.costs_status = loaded.status();
    if (loaded.ok()) seen.costs = loaded->engine->costs();
  }
  auto vocab = seen.checkpoint.vocab != nullptr ? Result<VocabSpec>(*seen.checkpoint.vocab)
                                                : ReadChosenVocab(seen.choice);
  seen.vocab_status = vocab.status();
  if (vocab.ok()) seen.vocab = std::move(vocab).value();
  return seen;
}

std::string_view NameOf(TokenizerAlgorithm algorithm) {
  switch (algorithm) {
    case TokenizerAlgorithm::kByteBpe:
      return "byte-level BPE";
    case TokenizerAlgorithm::kSentencePiece:
      return "SentencePiece BPE";
    case TokenizerAlgorithm::kUnigram:
      return "SentencePiece unigram";
  }
  return "";
}

std::string_view NameOf(AttentionKind kind) {
  return kind == AttentionKind::kLatent ? "latent" : "grouped-query";
}

int64_t CountExpertLayers(const ModelSpec& spec) {
  return std::count_if(spec.layers.begin(), spec.layers.end(),
                       [](const LayerSpec& layer) { return layer.moe; });
}

std::string CountText(int64_t count) {
  const auto value = static_cast<double>(count);
  if (count >= 1'000'000'000) return fmt::format("{:.2f} billion", value / 1e9);
  if (count >= 1'000'000) return fmt::format("{:.2f} million", value / 1e6);
  return fmt::format("{}", count);
}

struct TextOfValue {
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(int64_t v) const { return fmt::format("{}", v); }
  std::string operator()(uint64_t v) const { return fmt::format("{}", v); }
  std::string operator()(double v) const { return fmt::format("{}", v); }
  std::string operator()(const std::string& v) const { return Printable(v, 60); }
  template <typename T>
  std::string operator()(const std::vector<T>& v) const {
    return fmt::format("{} values", v.size());
  }
};

struct JsonOfValue {
  template <typename T>
  json::value operator()(const T& v) const {
    return json::value(v);
  }
  template <typename T>
  json::value operator()(const std::vector<T>& v) const {
    json::array list;
    for (const auto& element : v) list.push_back(json::value(static_cast<T>(element)));
    return list;
  }
};

json::array DimsJson(const tensor::Shape& shape) {
  json::array dims;
  for (int i = 0; i < shape.rank; ++i) dims.push_back(shape[i]);
  return dims;
}

json::object SpecJson(const ModelSpec& spec) {
  json::object object{{"architecture", spec.architecture},
                      {"name", spec.name},
                      {"vocab_size", spec.vocab_size},
                      {"dim", spec.dim},
                      {"context_length", spec.context_length},
                      {"layers", spec.layers.size()},
                      {"expert_layers", CountExpertLayers(spec)},
                      {"dense_dim", spec.dense_dim},
                      {"tied_embedding", spec.tied_embedding}};
  json::array attention;
  for (const AttentionSpec& kind : spec.attention) {
    attention.push_back({{"kind", NameOf(kind.kind)},
                         {"heads", kind.heads},
                         {"kv_heads", kind.kv_heads},
                         {"key_dim", kind.key_dim},
                         {"value_dim", kind.value_dim},
                         {"kv_rank", kind.kv_rank}});
  }
  object["attention"] = std::move(attention);
  if (spec.moe.experts > 0) {
    object["moe"] = {{"experts", spec.moe.experts},
                     {"experts_per_token", spec.moe.experts_per_token},
                     {"expert_dim", spec.moe.expert_dim},
                     {"shared_dim", spec.moe.shared_dim}};
  }
  return object;
}

class InspectCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    model_.DeclareModel(app, false);
    app.add_flag("--tensors", tensors_, "list every tensor");
    app.add_flag("--metadata", metadata_, "list what the files say about the model");
    model_.DeclareEngine(app);
    DeclareJson(app, json_);
  }

  Status Run(Console& console) override {
    TUTTI_ASSIGN_OR_RETURN(const Inspection seen, Inspect(model_));
    if (json_) {
      console.Write(ToJson(Json(seen)) + "\n");
      return {};
    }
    PrintModel(console, seen);
    PrintMemory(console, seen);
    if (metadata_) PrintMetadata(console, seen);
    if (tensors_) PrintTensors(console, seen);
    return {};
  }

 private:
  template <typename... Args>
  static void Row(Console& console, std::string_view name, fmt::format_string<Args...> format,
                  Args&&... args) {
    console.Print("{:<13} {}\n", name, fmt::format(format, std::forward<Args>(args)...));
  }

  static void PrintModel(Console& console, const Inspection& seen) {
    const ModelSpec& spec = seen.spec;
    Row(console, "model", "{}", Printable(spec.name.empty() ? seen.choice.name : spec.name));
    const bool gguf = seen.checkpoint.kind == format::CheckpointKind::kGguf;
    Row(console, "format", "{}, {} in {} tensors", gguf ? "GGUF" : "safetensors",
        SizeText(seen.bytes), seen.checkpoint.tensors.size());
    std::string types;
    for (const auto& [name, total] : seen.types) {
      if (!types.empty()) types += ", ";
      types += fmt::format("{} {} ({})", total.tensors, name, SizeText(total.bytes));
    }
    Row(console, "types", "{}", types);
    if (!seen.spec_status.ok()) {
      Row(console, "architecture", "{}", Printable(seen.spec_status.message(), 500));
    } else {
      PrintSpec(console, spec);
    }
    if (!seen.vocab_status.ok()) {
      Row(console, "tokenizer", "{}", Printable(seen.vocab_status.message(), 500));
      return;
    }
    const VocabSpec& vocab = seen.vocab;
    Row(console, "tokenizer", "{}{}, {} tokens{}", NameOf(vocab.algorithm),
        vocab.pretokenizer.empty() ? "" : " (" + Printable(vocab.pretokenizer, 60) + ")",
        vocab.tokens.size(), vocab.chat_template.empty() ? "" : ", chat template");
  }

  static void PrintSpec(Console& console, const ModelSpec& spec) {
    Row(console, "architecture", "{}, {} layers of width {}, vocabulary {}, context {}",
        spec.architecture, spec.layers.size(), spec.dim, spec.vocab_size, spec.context_length);
    for (const AttentionSpec& kind : spec.attention) {
      Row(console, "attention", "{}, {} heads of {}, {} for keys and values{}", NameOf(kind.kind),
          kind.heads, kind.key_dim, kind.kv_heads,
          kind.kv_rank > 0 ? fmt::format(", latent of {}", kind.kv_rank) : "");
    }
    if (spec.moe.experts > 0) {
      Row(console, "experts", "{} of width {}, {} used per token, in {} layers{}", spec.moe.experts,
          spec.moe.expert_dim, spec.moe.experts_per_token, CountExpertLayers(spec),
          spec.moe.shared_dim > 0 ? fmt::format(", shared ones of {}", spec.moe.shared_dim) : "");
    }
  }

  static void PrintMemory(Console& console, const Inspection& seen) {
    if (!seen.spec_status.ok()) return;
    if (!seen.costs_status.ok()) {
      Row(console, "memory", "{}", Printable(seen.costs_status.message(), 500));
      return;
    }
    const EngineCosts& costs = seen.costs;
    Row(console, "parameters", "{}, {} used per token", CountText(costs.parameters),
        CountText(costs.per_token.weights()));
    const auto size = [](int64_t bytes) { return SizeText(static_cast<uint64_t>(bytes)); };
    Row(console, "reads", "{} of weights per token", size(costs.per_token.bytes()));
    Row(console, "memory", "weights {}{}, keys and values {} ({} per token)",
        size(costs.weight_bytes),
        costs.converted_bytes > 0 ? fmt::format(" + {} rewritten", size(costs.converted_bytes))
                                  : "",
        size(costs.kv_budget_bytes), size(costs.kv_bytes_per_token));
  }

  static void PrintMetadata(Console& console, const Inspection& seen) {
    console.Write("\n");
    for (const auto& [key, value] : seen.checkpoint.metadata.values()) {
      console.Print("{:<44} {}\n", Printable(key), std::visit(TextOfValue{}, value));
    }
  }

  static void PrintTensors(Console& console, const Inspection& seen) {
    console.Write("\n");
    for (const auto& [name, tensor] : seen.checkpoint.tensors) {
      console.Print("{:<56} {:<8} {:>10}  {}\n", Printable(name), NameOf(tensor.dtype),
                    SizeText(tensor.size_bytes), tensor.shape.ToString());
    }
  }

  static json::object Json(const Inspection& seen) {
    const bool gguf = seen.checkpoint.kind == format::CheckpointKind::kGguf;
    json::object answer{{"model", seen.choice.name}, {"format", gguf ? "GGUF" : "safetensors"}};
    if (seen.spec_status.ok()) {
      answer["spec"] = SpecJson(seen.spec);
    } else {
      answer["spec_error"] = seen.spec_status.message();
    }
    if (seen.costs_status.ok()) {
      const EngineCosts& costs = seen.costs;
      answer["parameters"] = costs.parameters;
      answer["active_parameters"] = costs.per_token.weights();
      answer["memory"] = {{"weight_bytes", costs.weight_bytes},
                          {"weight_bytes_per_token", costs.per_token.bytes()},
                          {"converted_bytes", costs.converted_bytes},
                          {"kv_bytes_per_token", costs.kv_bytes_per_token},
                          {"kv_bytes", costs.kv_budget_bytes}};
    } else if (seen.spec_status.ok()) {
      answer["memory_error"] = seen.costs_status.message();
    }
    json::object types;
    for (const auto& [name, total] : seen.types) {
      types[name] = {{"tensors", total.tensors}, {"bytes", total.bytes}};
    }
    answer["types"] = std::move(types);
    if (seen.vocab_status.ok()) {
      answer["tokenizer"] = {{"algorithm", NameOf(seen.vocab.algorithm)},
                             {"pretokenizer", seen.vocab.pretokenizer},
                             {"tokens", seen.vocab.tokens.size()},
                             {"chat_template", !seen.vocab.chat_template.empty()}};
    } else {
      answer["tokenizer_error"] = seen.vocab_status.message();
    }
    json::array tensors;
    for (const auto& [name, tensor] : seen.checkpoint.tensors) {
      tensors.push_back({{"name", name},
                         {"type", NameOf(tensor.dtype)},
                         {"shape", DimsJson(tensor.shape)},
                         {"bytes", tensor.size_bytes}});
    }
    answer["tensors"] = std::move(tensors);
    json::object metadata;
    for (const auto& [key, value] : seen.checkpoint.metadata.values()) {
      metadata[key] = std::visit(JsonOfValue{}, value);
    }
    answer["metadata"] = std::move(metadata);
    return answer;
  }

  ModelOptions model_;
  bool tensors_ = false;
  bool metadata_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeInspectCommand() { return std::make_unique<InspectCommand>(); }

}  // namespace tutti::cli
