// A golden model: a tiny checkpoint, and what another implementation computes for it.
//
// Recorded by the scripts make_golden.py and make_gguf.py (Hugging Face transformers in float32;
// see tests/golden/models/README.md): four prompts with logits, and a greedy continuation of 24
// tokens.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/shared_fixtures.h"
#include "tutti/engine.h"
#include "tutti/format/safetensors.h"
#include "tutti/os/mmap.h"
#include "tutti/tensor/weight_lookup.h"

namespace tutti::testing {

struct GoldenPrompt {
  TokenIds ids;
  int64_t first = 0;          // position of the first recorded row
  std::vector<float> logits;  // [ids.size() - first, vocabulary]
};

struct Golden {
  std::vector<GoldenPrompt> prompts;
  std::vector<float> hidden;  // of prompt 1's last token, behind the last norm
  TokenIds greedy_prompt;
  TokenIds greedy_ids;
  float range = 0;  // of the logits of the longest prompt

  float max_error(const GoldenPrompt& prompt, const std::vector<float>& logits) const {
    float error = 0;
    const float* row = logits.data() + (logits.size() - prompt.logits.size());
    for (size_t i = 0; i < prompt.logits.size(); ++i) {
      const float difference = std::abs(row[i] - prompt.logits[i]);
      if (std::isnan(difference)) return INFINITY;
      error = std::max(error, difference);
    }
    return error / range;
  }
};

inline TokenIds ReadIds(const tensor::TensorMap& tensors, const std::string& name) {
  const auto it = tensors.find(name);
  if (it == tensors.end()) return {};
  const auto values = tensor::FindVector(tensors, name, it->second.shape.elements());
  TUTTI_CHECK(values.ok(), values.status().message());
  return TokenIds(values->begin(), values->end());
}

inline Golden ReadGolden(const std::filesystem::path& path) {
  const auto file = os::MmapFile::Open(path);
  TUTTI_CHECK(file.ok(), file.status().message());
  const auto content = format::OpenSafetensorsBytes(file->bytes(), path.string());
  TUTTI_CHECK(content.ok(), content.status().message());
  const tensor::TensorMap& tensors = content->tensors;
  Golden golden;
  for (int i = 0; i < 4; ++i) {
    const std::string prefix = "prompt." + std::to_string(i);
    GoldenPrompt& prompt = golden.prompts.emplace_back();
    prompt.ids = ReadIds(tensors, prefix + ".ids");
    prompt.first = ReadIds(tensors, prefix + ".first").at(0);
    const int64_t size = tensors.at(prefix + ".logits").shape.elements();
    prompt.logits = *tensor::FindVector(tensors, prefix + ".logits", size);
  }
  int last = 0;
  while (tensors.contains("hidden." + std::to_string(last + 1))) ++last;
  const auto states = tensors.find("hidden." + std::to_string(last));
  if (states != tensors.end()) {
    const auto& shape = states->second.shape;
    golden.hidden = *tensor::FindVector(tensors, states->first, shape.elements());
    const auto dim = golden.hidden.size() / golden.prompts[1].ids.size();
    golden.hidden.erase(golden.hidden.begin(), golden.hidden.end() - static_cast<int64_t>(dim));
  }
  golden.greedy_prompt = ReadIds(tensors, "greedy.prompt");
  if (golden.greedy_prompt.empty()) golden.greedy_prompt = golden.prompts[1].ids;
  golden.greedy_ids = ReadIds(tensors, "greedy.ids");
  const auto& longest = golden.prompts.back().logits;
  const auto [low, high] = std::minmax_element(longest.begin(), longest.end());
  golden.range = *high - *low;
  return golden;
}

// All logits of one entry in a sequence of its own, as the beginning of a longer prompt or, with 0,
// as if it had been generated.
inline std::vector<float> LogitsOf(Engine& engine, const TokenIds& ids, size_t prompt_length) {
  const SequenceId sequence = *engine.NewSequence();
  const auto result = engine.Forward({{{.sequence = sequence,
                                        .tokens = ids,
                                        .logits = LogitsWanted::kAll,
                                        .prompt_length = static_cast<int32_t>(prompt_length)}}});
  TUTTI_CHECK(result.ok(), result.status().message());
  engine.EndSequence(sequence);
  return result->logits;
}

// As a prompt.
inline std::vector<float> LogitsOf(Engine& engine, const TokenIds& ids) {
  return LogitsOf(engine, ids, ids.size());
}

inline TokenId Argmax(const std::vector<float>& logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

inline TokenIds Greedy(Engine& engine, const TokenIds& prompt, size_t count) {
  const SequenceId sequence = *engine.NewSequence();
  TokenIds ids;
  TokenIds next = prompt;
  while (ids.size() < count) {
    const auto result = engine.Forward({{{.sequence = sequence,
                                          .tokens = next,
                                          .prompt_length = static_cast<int32_t>(prompt.size())}}});
    TUTTI_CHECK(result.ok(), result.status().message());
    next = {Argmax(result->logits)};
    ids.push_back(next[0]);
  }
  engine.EndSequence(sequence);
  return ids;
}

inline std::unique_ptr<Engine> LoadEngine(const std::filesystem::path& path,
                                          const EngineOptions& options) {
  auto engine = Engine::Load(path, options);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  return engine.ok() ? std::move(engine).value() : nullptr;
}

}  // namespace tutti::testing
