#include "tutti/cli/options.h"

#include <CLI/CLI.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <random>

#include "tutti/base/printable.h"

namespace tutti::cli {
namespace {

template <typename T>
bool ParseNumber(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// ID=BIAS, for example 17=-2.5 or 17=-inf.
Result<std::pair<TokenId, float>> ParseBias(const std::string& text) {
  const size_t equals = text.find('=');
  TokenId id = kNoToken;
  float bias = 0;
  if (equals == std::string::npos || !ParseNumber(std::string_view(text).substr(0, equals), id) ||
      !ParseNumber(std::string_view(text).substr(equals + 1), bias)) {
    return UsageError("--logit-bias '{}' is not ID=BIAS, for example 17=-2.5 or 17=-inf", text);
  }
  return std::pair(id, bias);
}

// What a model may say about how its answers are to be chosen.
struct ModelDefault {
  std::string_view option;        // of the command line
  std::string_view hugging_face;  // of generation_config.json
  std::string_view gguf;
  double low;
  double high;
  void (*set)(SamplingSpec& sampling, double value);
};
constexpr std::array<ModelDefault, 5> kModelDefaults = {{
    {"temperature", "generation.temperature", "general.sampling.temp", 0, 100,
     [](SamplingSpec& s, double value) { s.temperature = static_cast<float>(value); }},
    {"top-k", "generation.top_k", "general.sampling.top_k", 0, INT32_MAX,
     [](SamplingSpec& s, double value) { s.top_k = static_cast<int32_t>(value); }},
    {"top-p", "generation.top_p", "general.sampling.top_p", 0, 1,
     [](SamplingSpec& s, double value) { s.top_p = static_cast<float>(value); }},
    {"min-p", "generation.min_p", "general.sampling.min_p", 0, 1,
     [](SamplingSpec& s, double value) { s.min_p = static_cast<float>(value); }},
    {"repetition-penalty", "generation.repetition_penalty", "general.sampling.penalty_repeat", 0.01,
     100, [](SamplingSpec& s, double value) { s.repetition_penalty = static_cast<float>(value); }},
}};

// `given`: by the command line.
Status TakeDefaults(const Metadata& metadata, const std::array<bool, kModelDefaults.size()>& given,
                    SamplingSpec& sampling) {
  TUTTI_ASSIGN_OR_RETURN(const auto draws, metadata.Bool("generation.do_sample"));
  for (size_t i = 0; i < kModelDefaults.size(); ++i) {
    const ModelDefault& known = kModelDefaults[i];
    if (given[i]) continue;
    // Who publishes a model for greedy answers often leaves other numbers there.
    if (i == 0 && draws.has_value() && !*draws) {
      sampling.temperature = 0;
      continue;
    }
    for (const std::string_view key : {known.hugging_face, known.gguf}) {
      TUTTI_ASSIGN_OR_RETURN(const auto value, metadata.Number(key));
      if (!value) continue;
      if (!(*value >= known.low && *value <= known.high)) {
        return DataError("the model's {} is {}; {} to {} is possible: give --{}", key, *value,
                         known.low, known.high, known.option);
      }
      known.set(sampling, *value);
    }
  }
  return {};
}

constexpr const char* kSampling =
    "Sampling (defaults where the model's generation_config.json has none)";

}  // namespace

void ModelOptions::DeclareModel(CLI::App& app, bool required) {
  auto* option = app.add_option(
      "MODEL", model,
      required ? "file, folder or name" : "file, folder or name; else the model inside");
  if (required) option->required();
}

void ModelOptions::DeclareEngine(CLI::App& app, bool with_context) {
  if (with_context) {
    app.add_option("--context", engine.context, "longest text in tokens (default: the model's)")
        ->type_name("N")
        ->check(Between(1, 1 << 30));
  }
  app.add_option("--threads", engine.threads, "threads that compute (default: all cores)")
      ->type_name("N")
      ->check(Between(1, 1024));
  app.add_flag("--exact", engine.exact, "float32 arithmetic: slower, no rounding of inputs");
  app.add_option_function<std::string>(
         "--kv-type", [this](const std::string& name) { engine.kv_type = ParseKvType(name); },
         "f32, f16, bf16 or q8_0 for keys and values")
      ->type_name("T")
      ->check(CLI::Validator(
          [](const std::string& name) {
            return ParseKvType(name) ? std::string()
                                     : fmt::format("'{}' is not f32, f16, bf16 or q8_0", name);
          },
          ""));
}

void AnswerOptions::Declare(CLI::App& app) {
  SamplingSpec& sampling = generate.sampling;
  app.add_option("--system", system, "what the model is told first")->type_name("TEXT");
  app.add_flag("--raw", raw, "continue the text, without the chat template");
  app.add_option("--max-tokens", generate.max_tokens, "end after N tokens")
      ->type_name("N")
      ->check(Between(0, 1 << 30));
  app.add_option("--stop", generate.stop, "end before TEXT; may be given again")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  app.add_flag("--ignore-eos", generate.ignore_eos, "go on after the model's end token");

  const auto add = [&](const char* name, auto& value, const CLI::Validator& check,
                       const char* help) {
    return app.add_option(name, value, help)->type_name("X")->check(check)->group(kSampling);
  };
  const auto number = [](double low, double high) { return NumberBetween(low, high); };
  // The bounds are those of engine/sampler.h, and this the order of kModelDefaults.
  own_.push_back(add("--temperature", sampling.temperature, number(0, 100),
                     "0 always takes the likeliest (default 0.8)"));
  own_.push_back(add("--top-k", sampling.top_k, Between(0, INT32_MAX),
                     "of the K likeliest, 0: all (default 40)"));
  own_.push_back(add("--top-p", sampling.top_p, number(0, 1),
                     "of the likeliest that sum to P (default 0.95)"));
  own_.push_back(add("--min-p", sampling.min_p, number(0, 1),
                     "at least P times the likeliest (default 0.05)"));
  own_.push_back(add("--repetition-penalty", sampling.repetition_penalty, number(0.01, 100),
                     "divides seen logits (default 1)"));
  add("--presence-penalty", sampling.presence_penalty, number(-100, 100),
      "taken off seen ones (default 0)");
  add("--frequency-penalty", sampling.frequency_penalty, number(-100, 100),
      "the same, per time (default 0)");
  add("--penalty-window", sampling.penalty_window, Between(-1, INT32_MAX),
      "tokens looked back, -1: all (default 64)");
  app.add_option("--logit-bias", logit_bias_, "ID=X, added to a logit; may be given again")
      ->type_name("B")
      ->allow_extra_args(false)
      ->group(kSampling);
  app.add_option("--seed", seed_, "same seed, same text (default: random)")
      ->type_name("N")
      ->group(kSampling);
}

Status AnswerOptions::Resolve() {
  SamplingSpec& sampling = generate.sampling;
  if (seed_.empty()) {
    std::random_device device;
    sampling.seed = (uint64_t{device()} << 32) | device();
  } else if (!ParseNumber(seed_, sampling.seed)) {
    return UsageError("--seed '{}' is not a number between 0 and 2^64 - 1", seed_);
  }
  for (const std::string& text : logit_bias_) {
    TUTTI_ASSIGN_OR_RETURN(auto bias, ParseBias(text));
    sampling.logit_bias.push_back(bias);
  }
  return {};
}

Status AnswerOptions::TakeDefaultsOf(const Metadata& metadata) {
  std::array<bool, kModelDefaults.size()> given = {};
  for (size_t i = 0; i < given.size(); ++i) given[i] = own_[i]->count() > 0;
  return TakeDefaults(metadata, given, generate.sampling);
}

Result<SamplingSpec> SamplingOf(const Metadata& metadata, SamplingSpec otherwise) {
  TUTTI_RETURN_IF_ERROR(TakeDefaults(metadata, {}, otherwise));
  return otherwise;
}

Result<TokenIds> ParseIds(const std::string& text) {
  TokenIds ids;
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(','), rest.size());
    TokenId id = kNoToken;
    std::string_view item = rest.substr(0, end);
    while (item.starts_with(' ')) item.remove_prefix(1);
    if (!ParseNumber(item, id) || id < 0) {
      return UsageError("--ids: '{}' is not a token id; write for example 5,17,3", item);
    }
    ids.push_back(id);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (ids.empty()) return UsageError("--ids is empty; write for example 5,17,3");
  return ids;
}

Status CheckIds(const TokenIds& ids, const ModelSpec& spec) {
  for (const TokenId id : ids) {
    if (id < spec.vocab_size) continue;
    return UsageError("--ids: token {} is not in the model's vocabulary of {} tokens (0 to {})", id,
                      spec.vocab_size, spec.vocab_size - 1);
  }
  return {};
}

CLI::Validator Between(int low, int high) {
  return CLI::Validator(
      [low, high](const std::string& text) {
        int64_t value = 0;
        if (ParseNumber(text, value) && value >= low && value <= high) return std::string();
        return fmt::format("'{}' is not a whole number from {} to {}", text, low, high);
      },
      "");
}

CLI::Validator NumberBetween(double low, double high) {
  return CLI::Validator(
      [low, high](const std::string& text) {
        double value = 0;
        // False for NaN.
        if (ParseNumber(text, value) && value >= low && value <= high) return std::string();
        return fmt::format("'{}' is not a number from {} to {}", text, low, high);
      },
      "");
}

Result<QuantMix> QuantMixOf(const std::string& type) {
  if (const std::optional<QuantMix> mix = FindQuantMix(type)) return *mix;
  std::string known;
  for (const QuantMix& each : KnownQuantMixes()) {
    known += fmt::format("{}{}", known.empty() ? "" : ", ", each.name);
  }
  return UsageError("there is no number format '{}': choose one of {}", Printable(type), known);
}

void DeclareJson(CLI::App& app, bool& json) {
  app.add_flag("--json", json, "answer as one JSON object");
}

}  // namespace tutti::cli
