// Options that several commands share, declared once.
#pragma once
#include <CLI/App.hpp>

#include <string>
#include <vector>

#include "tutti/base/ids.h"
#include "tutti/base/status.h"
#include "tutti/cli/generate.h"
#include "tutti/engine.h"
#include "tutti/spec/quant_mix.h"

namespace tutti::cli {

// MODEL and how it is run.
struct ModelOptions {
  std::string model;
  EngineOptions engine;

  void DeclareModel(CLI::App& app, bool required);
  void DeclareEngine(CLI::App& app, bool with_context = true);
};

// How an answer is chosen and when it ends.
struct AnswerOptions {
  GenerateOptions generate;
  std::string system;
  bool raw = false;

  void Declare(CLI::App& app);
  // What the texts of the command line mean: --seed and --logit-bias.
  Status Resolve();
  // Takes over what the model's publisher recommends (generation_config.json, or general.sampling.*
  // of GGUF) where the command line says nothing. kData where it is not possible.
  Status TakeDefaultsOf(const Metadata& metadata);

 private:
  std::vector<CLI::Option*> own_;  // those that a model may give as well
  std::string seed_;
  std::vector<std::string> logit_bias_;
};

// The sampling that the model's publisher recommends, over `otherwise`; kData as above.
Result<SamplingSpec> SamplingOf(const Metadata& metadata, SamplingSpec otherwise);

// "5,17,3" -> ids. kUsage with the place where it is something else.
Result<TokenIds> ParseIds(const std::string& text);

// kUsage where the model's vocabulary does not have one of them.
Status CheckIds(const TokenIds& ids, const ModelSpec& spec);

// Checks that a number is in [low, high] without widening its line in the help.
CLI::Validator Between(int low, int high);
CLI::Validator NumberBetween(double low, double high);

void DeclareJson(CLI::App& app, bool& json);

// The mixture of number formats that --type names; kUsage with all names.
Result<QuantMix> QuantMixOf(const std::string& type);

}  // namespace tutti::cli
