// The engine's promises at its border: limits, refusals, bookkeeping. The numbers are in
// tests/golden.
#include "tutti/engine.h"
#include "tutti/kernels/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <numeric>

#include "tutti/engine/model_engine.h"
#include "tutti/format/checkpoint.h"
#include "tutti/os/topology.h"

namespace tutti {
namespace {

std::filesystem::path Model(const std::string& name) {
  return std::filesystem::path(TUTTI_SOURCE_DIR) / "tests/golden/models" / name;
}

std::unique_ptr<Engine> Load(const std::string& name, const EngineOptions& options) {
  auto engine = Engine::Load(Model(name), options);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  return engine.ok() ? std::move(engine).value() : nullptr;
}

BatchEntry Entry(SequenceId id, const TokenIds& tokens) {
  return {.sequence = id, .tokens = tokens};
}

void ExpectError(const Status& status, StatusCode code, const std::string& part) {
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
}

TEST(EngineTest, DescribesItself) {
  const auto engine = Load("qwen3_moe", {.threads = 1});
  EXPECT_EQ(engine->spec().architecture, "qwen3_moe");
  EXPECT_EQ(engine->context(), 512);
  EXPECT_EQ(engine->threads(), 1);
  const EngineCosts costs = engine->costs();
  EXPECT_EQ(costs.kv_bytes_per_token, 3 * 2 * (48 + 48) * 2);
  EXPECT_GT(costs.parameters, costs.per_token.weights());
  EXPECT_EQ(costs.converted_bytes, 0);
  const auto checkpoint = format::OpenCheckpoint(Model("qwen3_moe"));
  ASSERT_TRUE(checkpoint.ok());
  int64_t matrices = 0;
  for (const auto& [name, view] : checkpoint->tensors) {
    if (view.shape.rank > 1) matrices += view.shape.elements();
  }
  EXPECT_EQ(costs.weight_bytes, matrices * 2);  // BF16
}

// Norms, biases and sinks are numbers of the model too.
TEST(EngineTest, ParametersAreAllThatTheCheckpointHas) {
  for (const char* name :
       {"qwen3_moe", "llama_odd", "gpt_oss_odd", "deepseek_v3_odd", "qwen2_moe_odd", "glm4_moe"}) {
    const auto engine = Load(name, {.threads = 1});
    const auto checkpoint = format::OpenCheckpoint(Model(name));
    ASSERT_TRUE(checkpoint.ok());
    int64_t numbers = 0;
    for (const auto& [tensor, view] : checkpoint->tensors) numbers += view.shape.elements();
    EXPECT_EQ(engine->costs().parameters, numbers) << name;
    EXPECT_LE(engine->costs().per_token.weights(), numbers) << name;
  }
}

// A machine described with two nodes, whatever this one has: threads are bound, rows are sliced,
// pages are wanted on a node that may not exist. The answer is the same.
TEST(EngineTest, MemoryNodesChangeNoAnswer) {
  const os::Topology real = os::ReadTopology(os::RealSystemFiles());
  os::Topology described = real;
  described.nodes = {{0, {real.cpus.front()}}, {1, {real.cpus.back()}}};
  const TokenIds tokens = {5, 17, 3, 200, 41, 9, 77, 100};
  std::vector<float> logits[2];
  for (const os::Topology* topology : {&real, static_cast<const os::Topology*>(&described)}) {
    auto checkpoint = format::OpenCheckpoint(Model("gguf/qwen3_moe_wide-Q4_K_M.gguf"));
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    const auto loaded =
        engine::ModelEngine::Create(std::move(checkpoint).value(), {.threads = 2}, *topology);
    ASSERT_TRUE(loaded.ok()) << loaded.status().message();
    const auto step = (*loaded)->Forward({{Entry(*(*loaded)->NewSequence(), tokens)}});
    ASSERT_TRUE(step.ok());
    logits[topology == &described] = step->logits;
    const WeightPlacement placement = (*loaded)->placement();
    EXPECT_LE(placement.pages_near, placement.pages_checked);
    if (topology == &described) {
      EXPECT_EQ(placement.nodes, "2 nodes: 1 thread on node 0, 1 on node 1");
    } else if (real.nodes.size() == 1 && placement.pages_checked > 0) {
      EXPECT_EQ(placement.pages_near, placement.pages_checked);
    }
  }
  EXPECT_EQ(logits[0], logits[1]);
  EXPECT_EQ(os::RealSystemFiles().affinity(), real.cpus) << "the caller is as it was";
}

TEST(EngineTest, HalfPrecisionKeysAndValuesAreHalfAsLargeAndClose) {
  const auto whole = Load("llama3_rope", {.threads = 1, .kv_type = KvType::kF32});
  const auto half = Load("llama3_rope", {.threads = 1});
  EXPECT_EQ(half->costs().kv_type, kernels::FastKvType());
  EXPECT_EQ(half->costs().kv_bytes_per_token * 2, whole->costs().kv_bytes_per_token);
  const TokenIds tokens = {5, 17, 3, 200, 41, 9, 77, 100};
  const auto a = whole->Forward({{Entry(*whole->NewSequence(), tokens)}});
  const auto b = half->Forward({{Entry(*half->NewSequence(), tokens)}});
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NE(a->logits, b->logits);
  for (size_t i = 0; i < a->logits.size(); ++i) {
    ASSERT_NEAR(a->logits[i], b->logits[i], 0.05f);  // of a range of 25
  }
}

TEST(EngineTest, NoiseMakesASequenceLongerAndIsForgottenLikeTokens) {
  for (const char* model : {"qwen3_moe", "deepseek_v3"}) {
    const auto engine = Load(model, {.threads = 2});
    const SequenceId id = *engine->NewSequence();
    const TokenIds tokens = {5, 17, 3};
    const auto fresh = engine->Forward({{Entry(id, tokens)}});
    engine->Truncate(id, 0);
    ASSERT_TRUE(engine->ExtendWithNoise(id, 100).ok());
    EXPECT_EQ(engine->Length(id), 100);
    const auto deep = engine->Forward({{Entry(id, tokens)}});
    EXPECT_NE(deep->logits, fresh->logits);
    for (const float logit : deep->logits) ASSERT_TRUE(std::isfinite(logit));
    engine->Truncate(id, 0);
    EXPECT_EQ(engine->Forward({{Entry(id, tokens)}})->logits, fresh->logits);
    ExpectError(engine->ExtendWithNoise(id, 1000), StatusCode::kResource, "the context is 512");
    EXPECT_EQ(engine->Length(id), 3);
    EXPECT_EQ(engine->CheckIntegrity(), "");
  }
}

TEST(EngineTest, AProfileCountsOperationsAndExpertsAndChangesNothing) {
  const auto engine = Load("qwen3_moe", {.threads = 2});
  const auto layers = std::ssize(engine->spec().layers);
  const TokenIds one = {5};
  const SequenceId a = *engine->NewSequence();
  const auto plain = engine->Forward({{Entry(a, one)}});
  engine->Truncate(a, 0);
  engine->StartProfile();
  EXPECT_EQ(engine->Forward({{Entry(a, one)}})->logits, plain->logits);
  const StepProfile profile = engine->StopProfile();
  EXPECT_EQ(profile.steps, 1);
  EXPECT_EQ(profile.expert_layers, layers);
  EXPECT_EQ(profile.experts, layers * engine->spec().moe.experts_per_token);
  EXPECT_EQ(profile.expert_bytes, engine->costs().per_token.experts.bytes);
  int64_t synchronisations = 0;
  for (const OperationTime& operation : profile.operations) {
    synchronisations += operation.synchronisations;
    EXPECT_GE(operation.seconds, operation.parallel_seconds) << operation.name;
    EXPECT_GE(operation.parallel_seconds, operation.waiting_seconds) << operation.name;
    if (operation.name == "attention" || operation.name == "feed forward") {
      EXPECT_EQ(operation.calls, layers) << operation.name;
    }
  }
  EXPECT_EQ(profile.synchronisations, synchronisations);
  // And off again.
  ASSERT_TRUE(engine->Forward({{Entry(a, one)}}).ok());
  engine->StartProfile();
  EXPECT_EQ(engine->StopProfile().steps, 0);
}

TEST(EngineTest, CountsTheTokensOfEveryExpert) {
  const auto engine = Load("glm4_moe", {.threads = 1});
  const TokenIds ids = {5, 17, 3, 5, 90};
  ASSERT_TRUE(engine->Forward({{Entry(*engine->NewSequence(), ids)}}).ok());
  const auto tokens = engine->expert_tokens();
  ASSERT_EQ(tokens.size(), engine->spec().layers.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!engine->spec().layers[i].moe) {
      EXPECT_TRUE(tokens[i].empty()) << "layer " << i;
      continue;
    }
    EXPECT_EQ(std::ssize(tokens[i]), engine->spec().moe.experts);
    EXPECT_EQ(std::accumulate(tokens[i].begin(), tokens[i].end(), int64_t{0}),
              std::ssize(ids) * engine->spec().moe.experts_per_token);
  }
}

TEST(EngineTest, LogitsComeAsWanted) {
  const auto engine = Load("llama2", {.threads = 1});
  const SequenceId id = *engine->NewSequence();
  const TokenIds tokens = {5, 6, 7};
  BatchEntry entry = Entry(id, tokens);
  entry.logits = LogitsWanted::kAll;
  const auto all = engine->Forward({{entry}});
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all->rows, 3);
  engine->Truncate(id, 0);
  entry.logits = LogitsWanted::kLast;
  const auto last = engine->Forward({{entry}});
  EXPECT_EQ(last->rows, 1);
  EXPECT_TRUE(std::equal(last->logits.begin(), last->logits.end(), all->logits.end() - 512));
  engine->Truncate(id, 0);
  entry.logits = LogitsWanted::kNone;
  EXPECT_EQ(engine->Forward({{entry}})->rows, 0);
  EXPECT_EQ(engine->Length(id), 3);
  const auto nothing = engine->Forward({{Entry(id, {})}});
  EXPECT_EQ(nothing->rows, 0);
  EXPECT_EQ(engine->Forward({})->rows, 0);
}

TEST(EngineTest, TruncateForgets) {
  const auto engine = Load("mistral_window", {.threads = 1});
  const SequenceId id = *engine->NewSequence();
  TokenIds tokens;
  for (int i = 0; i < 100; ++i) tokens.push_back(3 + i * 5);
  const TokenIds more = {9};
  ASSERT_TRUE(engine->Forward({{Entry(id, tokens)}}).ok());
  const auto first = engine->Forward({{Entry(id, more)}});
  engine->Truncate(id, 40);
  EXPECT_EQ(engine->Length(id), 40);
  ASSERT_TRUE(engine->Forward({{Entry(id, TokenIds(tokens.begin() + 40, tokens.end()))}}).ok());
  EXPECT_EQ(engine->Forward({{Entry(id, more)}})->logits, first->logits);
  // Others in the place of what is forgotten: as if that had never been there.
  for (size_t i = 40; i < tokens.size(); ++i) tokens[i] = 500 - tokens[i] / 2;
  engine->Truncate(id, 40);
  ASSERT_TRUE(engine->Forward({{Entry(id, TokenIds(tokens.begin() + 40, tokens.end()))}}).ok());
  const SequenceId fresh = *engine->NewSequence();
  ASSERT_TRUE(engine->Forward({{Entry(fresh, tokens)}}).ok());
  const auto changed = engine->Forward({{Entry(id, more)}});
  EXPECT_EQ(changed->logits, engine->Forward({{Entry(fresh, more)}})->logits);
  EXPECT_NE(changed->logits, first->logits);
  EXPECT_EQ(engine->CheckIntegrity(), "");
}

TEST(EngineTest, ContextIsALimitWithNumbersAndRefusesTheBatchWhole) {
  const auto engine = Load("llama2", {.threads = 1, .context = 64});
  const SequenceId a = *engine->NewSequence();
  const SequenceId b = *engine->NewSequence();
  const TokenIds few(10, 5);
  const TokenIds many(60, 5);
  ASSERT_TRUE(engine->Forward({{Entry(a, few)}}).ok());
  const auto refused = engine->Forward({{Entry(b, few), Entry(a, many)}});
  ASSERT_FALSE(refused.ok());
  ExpectError(refused.status(), StatusCode::kResource, "10 tokens and 60 more are 70 in all");
  ExpectError(refused.status(), StatusCode::kResource, "the context is 64");
  ExpectError(refused.status(), StatusCode::kResource, "raise --context (at most 512)");
  EXPECT_EQ(engine->Length(a), 10);
  EXPECT_EQ(engine->Length(b), 0);
  EXPECT_EQ(engine->CheckIntegrity(), "");
}

TEST(EngineTest, MemoryIsALimitAndRefusesTheBatchWhole) {
  // Room for one sequence of 64 tokens: two pages.
  const auto engine = Load("llama2", {.threads = 1, .context = 64});
  const SequenceId a = *engine->NewSequence();
  const SequenceId b = *engine->NewSequence();
  const TokenIds page(32, 5);
  const TokenIds one = {5};
  ASSERT_TRUE(engine->Forward({{Entry(a, page), Entry(b, page)}}).ok());
  const auto refused = engine->Forward({{Entry(a, one), Entry(b, one)}});
  ASSERT_FALSE(refused.ok());
  ExpectError(refused.status(), StatusCode::kResource, "2 more pages");
  EXPECT_EQ(engine->Length(a), 32);
  engine->EndSequence(b);
  EXPECT_TRUE(engine->Forward({{Entry(a, one)}}).ok());
  EXPECT_EQ(engine->CheckIntegrity(), "");
}

TEST(EngineTest, NonsenseInABatchIsRefused) {
  const auto engine = Load("llama2", {.threads = 1});
  const SequenceId id = *engine->NewSequence();
  const TokenIds good = {5};
  const TokenIds high = {512};
  const TokenIds negative = {-1};
  ExpectError(engine->Forward({{Entry(id, high)}}).status(), StatusCode::kUsage,
              "token 512 is not in the vocabulary of 512 (0 to 511)");
  ExpectError(engine->Forward({{Entry(id, negative)}}).status(), StatusCode::kUsage, "token -1");
  ExpectError(engine->Forward({{Entry(id + 1, good)}}).status(), StatusCode::kUsage, "not open");
  ExpectError(engine->Forward({{Entry(id, good), Entry(id, good)}}).status(), StatusCode::kUsage,
              "twice");
  EXPECT_EQ(engine->Length(id), 0);
}

TEST(EngineTest, OptionsThatMakeNoSenseAreRefused) {
  const auto load = [](const EngineOptions& options) {
    return Engine::Load(Model("llama2"), options).status();
  };
  ExpectError(load({.threads = -1}), StatusCode::kUsage, "-1 threads");
  ExpectError(load({.prefill_chunk = -1}), StatusCode::kUsage, "chunk of -1");
  ExpectError(load({.exact = true, .kv_type = KvType::kQ8_0}), StatusCode::kUsage, "q8_0");
  ExpectError(load({.context = 513}), StatusCode::kUsage, "512 tokens of context, 513");
}

TEST(EngineTest, LoadsFromMemory) {
  const auto path = Model("gguf/glm4_moe.gguf");
  // 8-byte aligned, as LoadEmbedded wants it.
  std::vector<uint64_t> words(std::filesystem::file_size(path) / 8 + 1);
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(words.data()), std::filesystem::file_size(path));
  const auto bytes = std::as_bytes(std::span(words)).first(std::filesystem::file_size(path));
  const auto embedded = Engine::LoadEmbedded(bytes, {.threads = 1});
  ASSERT_TRUE(embedded.ok()) << embedded.status().message();
  const auto mapped = Load("gguf/glm4_moe.gguf", {.threads = 1});
  const TokenIds tokens = {5, 17, 3};
  EXPECT_EQ((*embedded)->Forward({{Entry(*(*embedded)->NewSequence(), tokens)}})->logits,
            mapped->Forward({{Entry(*mapped->NewSequence(), tokens)}})->logits);
}

TEST(EngineTest, ThreadsDoNotChangeTheAnswer) {
  const TokenIds tokens = {5, 17, 3, 200, 41, 9, 77, 100, 4, 8, 15, 16, 23, 42};
  std::vector<float> expected;
  for (const int threads : {1, 2, 3, 7}) {
    const auto engine = Load("deepseek_v3", {.threads = threads});
    BatchEntry entry = Entry(*engine->NewSequence(), tokens);
    entry.logits = LogitsWanted::kAll;
    const auto result = engine->Forward({{entry}});
    ASSERT_TRUE(result.ok());
    if (expected.empty()) expected = result->logits;
    EXPECT_EQ(result->logits, expected) << threads << " threads";
  }
}

TEST(EngineTest, MissingModelIsNotFound) {
  EXPECT_EQ(Engine::Load("/nowhere/model.gguf", {}).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace tutti
