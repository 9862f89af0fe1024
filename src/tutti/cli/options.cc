#include "tutti/cli/options.h"

#include <CLI/CLI.hpp>

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
      ->check(Between(1, 4096));
  app.add_flag("--exact", engine.exact, "float32 arithmetic: slower, no rounding of inputs");
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

  const auto number = [&](const char* name, auto& value, const char* help) {
    app.add_option(name, value, help)->type_name("X")->group("Sampling");
  };
  number("--temperature", sampling.temperature, "0 always takes the likeliest (default 0.8)");
  number("--top-k", sampling.top_k, "of the K likeliest, 0: all (default 40)");
  number("--top-p", sampling.top_p, "of the likeliest that sum to P (default 0.95)");
  number("--min-p", sampling.min_p, "at least P times the likeliest (default 0.05)");
  number("--repetition-penalty", sampling.repetition_penalty, "divides seen logits (default 1)");
  number("--presence-penalty", sampling.presence_penalty, "taken off seen ones (default 0)");
  number("--frequency-penalty", sampling.frequency_penalty, "the same, per time (default 0)");
  number("--penalty-window", sampling.penalty_window, "tokens looked back, -1: all (default 64)");
  app.add_option("--logit-bias", logit_bias_, "ID=X, added to a logit; may be given again")
      ->type_name("B")
      ->allow_extra_args(false)
      ->group("Sampling");
  app.add_option("--seed", seed_, "same seed, same text (default: random)")
      ->type_name("N")
      ->group("Sampling");
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

CLI::Validator Between(int low, int high) { return CLI::Range(low, high).description(""); }

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
