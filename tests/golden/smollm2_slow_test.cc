// The real model SmolLM2-135M-Instruct (Q4_1) against recorded exact arithmetic on the same file:
// every dequantised weight in float32 gives the same logits and all 16 greedy texts; the fast path
// is no farther from that than llama.cpp is.
//
// The model is not part of the repository: -DTUTTI_SMOLLM2=FILE says where it is.
#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/golden/golden_model.h"
#include "tutti/kernels/attention.h"

namespace tutti {
namespace {

const char* const kReference = "models/SmolLM2-135M-Instruct.reference";

#define TUTTI_NEEDS_SMOLLM2()                                                                   \
  TUTTI_NEEDS_SHARED(std::string(kReference) + ".json")                                         \
  if (!std::filesystem::exists(TUTTI_SMOLLM2)) {                                                \
    std::fprintf(stderr, "SKIPPED: no model at TUTTI_SMOLLM2=\"%s\"; this check did not run\n", \
                 TUTTI_SMOLLM2);                                                                \
    GTEST_SKIP() << "needs the real model";                                                     \
  }

boost::json::value ReadReference() {
  std::ifstream in(testing::SharedFixture(std::string(kReference) + ".json"));
  std::ostringstream text;
  text << in.rdbuf();
  return boost::json::parse(text.str());
}

// The recorded tensors; 0.2 s to open, so once per program.
const tensor::TensorMap& RecordedTensors() {
  static const auto file =
      os::MmapFile::Open(testing::SharedFixture(std::string(kReference) + ".safetensors"));
  static const auto content = format::OpenSafetensorsBytes(file->bytes(), "reference");
  return content->tensors;
}

std::vector<float> Recorded(const std::string& name) {
  const auto& tensors = RecordedTensors();
  return *tensor::FindVector(tensors, name, tensors.at(name).shape.elements());
}

// "raw.0" ... "raw.9", "chat.0" ... "chat.5": the order of the recorded greedy texts.
std::vector<std::string> PromptNames() {
  std::vector<std::string> names;
  for (int i = 0; i < 10; ++i) names.push_back("raw." + std::to_string(i));
  for (int i = 0; i < 6; ++i) names.push_back("chat." + std::to_string(i));
  return names;
}

std::unique_ptr<Engine> Load(bool exact, std::optional<KvType> kv_type = {}) {
  return testing::LoadEngine(TUTTI_SMOLLM2, {.exact = exact, .context = 1024, .kv_type = kv_type});
}

std::vector<double> LogSoftmax(std::span<const float> logits) {
  const double high = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float x : logits) sum += std::exp(x - high);
  std::vector<double> result;
  for (const float x : logits) result.push_back(x - high - std::log(sum));
  return result;
}

std::vector<float> LastLogits(Engine& engine, const TokenIds& ids) {
  const SequenceId sequence = *engine.NewSequence();
  auto result = engine.Forward({{{.sequence = sequence, .tokens = ids}}});
  TUTTI_CHECK(result.ok(), result.status().message());
  engine.EndSequence(sequence);
  return std::move(result->logits);
}

// |log-probability - exact one| of the 299 predicted tokens of the recorded text.
std::vector<double> ScoreErrors(Engine& engine) {
  const TokenIds ids = testing::ReadIds(RecordedTensors(), "score.ids");
  const std::vector<float> exact = Recorded("score.oracle_logprobs");
  const std::vector<float> logits = testing::LogitsOf(engine, ids);
  const auto vocab = static_cast<size_t>(engine.spec().vocab_size);
  std::vector<double> errors;
  for (size_t i = 1; i < ids.size(); ++i) {
    const auto row = LogSoftmax(std::span(logits).subspan((i - 1) * vocab, vocab));
    errors.push_back(std::abs(row[static_cast<size_t>(ids[i])] - exact[i]));
  }
  return errors;
}

TEST(SmolLm2Test, ExactLogitsAndScores) {
  TUTTI_NEEDS_SMOLLM2();
  const auto engine = Load(true);
  ASSERT_NE(engine, nullptr);
  float worst = 0;
  for (const std::string& name : PromptNames()) {
    const std::vector<float> expected = Recorded(name + ".oracle_logits");
    const std::vector<float> logits =
        LastLogits(*engine, testing::ReadIds(RecordedTensors(), name + ".prompt_ids"));
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_NEAR(logits[i], expected[i], 1e-3f) << name << " token " << i;
      worst = std::max(worst, std::abs(logits[i] - expected[i]));
    }
  }
  double worst_score = 0;
  for (const double error : ScoreErrors(*engine)) worst_score = std::max(worst_score, error);
  EXPECT_LE(worst_score, 1e-3);
  std::printf("SmolLM2 exact: last logits within %.1e, 299 log-probabilities within %.1e\n", worst,
              worst_score);
}

TEST(SmolLm2Test, ExactGreedyTexts) {
  TUTTI_NEEDS_SMOLLM2();
  const auto engine = Load(true);
  ASSERT_NE(engine, nullptr);
  const boost::json::value reference = ReadReference();
  const auto& recorded = reference.at("oracle").at("greedy").as_array();
  const std::vector<std::string> names = PromptNames();
  ASSERT_EQ(recorded.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    TokenIds expected;
    for (const auto& id : recorded[i].at("ids").as_array()) {
      expected.push_back(id.to_number<TokenId>());
    }
    const TokenIds prompt = testing::ReadIds(RecordedTensors(), names[i] + ".prompt_ids");
    EXPECT_EQ(testing::Greedy(*engine, prompt, expected.size()), expected) << names[i];
  }
}

TEST(SmolLm2Test, FastPathIsNoFartherThanLlamaCpp) {
  TUTTI_NEEDS_SMOLLM2();
  const boost::json::value reference = ReadReference();
  const auto& peer = reference.at("distance");
  const double peer_mean = peer.at("score_mean_abs_logprob").as_double();
  const double peer_divergence = peer.at("last_kl_mean_nats").as_double();
  for (const KvType type : kKvTypes) {
    // Within the peer's distance, but for what was measured: f16 by 2.3 % with bf16 products. Over
    // so few tokens roundings of equal quality differ by 0.004 nats (over 4,599 tokens f16 is as
    // near as f32, docs/LOG.md). Without bf16 products no narrow type but the default f16 was
    // measured.
    const bool bf16 = kernels::FastKvType() == KvType::kBF16;
    const bool measured = bf16 || type == KvType::kF32 || type == KvType::kF16;
    const double slack = !measured ? 1.1 : bf16 && type == KvType::kF16 ? 1.03 : 1;
    const auto engine = Load(false, type);
    ASSERT_NE(engine, nullptr);
    double mean = 0;
    const std::vector<double> errors = ScoreErrors(*engine);
    for (const double error : errors) mean += error / static_cast<double>(errors.size());
    EXPECT_LE(mean, slack * peer_mean) << KvTypeName(type);

    double divergence = 0;
    for (const std::string& name : PromptNames()) {
      const auto p = LogSoftmax(Recorded(name + ".oracle_logits"));
      const auto q = LogSoftmax(
          LastLogits(*engine, testing::ReadIds(RecordedTensors(), name + ".prompt_ids")));
      for (size_t i = 0; i < p.size(); ++i) divergence += std::exp(p[i]) * (p[i] - q[i]) / 16;
    }
    EXPECT_LE(divergence, slack * peer_divergence) << KvTypeName(type);
    std::printf("SmolLM2 fast, %s: %.4f nats per token (llama.cpp %.4f), divergence %.5f (%.5f)\n",
                KvTypeName(type).data(), mean, peer_mean, divergence, peer_divergence);
  }
}

}  // namespace
}  // namespace tutti
