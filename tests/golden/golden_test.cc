// Every architecture against what another implementation computed, from both kinds of checkpoint,
// in exact arithmetic: all recorded logits within 1e-4 of their range and the same greedy
// continuation. Then the promises about batches, in the arithmetic that ships too: however the
// tokens are cut into calls, in whatever company and on any number of threads, the bits are the
// same.
#include <cstdio>
#include <optional>
#include <set>

#include "tests/golden/golden_model.h"

namespace tutti {
namespace {

using testing::Golden;
using testing::GoldenPrompt;

constexpr float kTolerance = 1e-4f;  // of the logits' range; measured differences are below 1e-5

// All recorded tokens are in blocks that a prompt of this length fills (layer_mla.cc).
constexpr size_t kFillsABlock = 1024;

struct Case {
  std::string name;
  std::filesystem::path model;
  std::filesystem::path golden;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.model.string(); }

// In the shared fixtures for a later issue.
const std::set<std::string> kFrontier = {"deepseek_v32", "glm_moe_dsa", "deepseek_v4",
                                         "qwen3_next",   "kimi_linear", "hy_v3",
                                         "mimo_v2_flash"};

void AddGguf(const std::filesystem::path& folder, const std::string& file,
             const std::filesystem::path& golden, std::vector<Case>& cases) {
  const std::filesystem::path path = folder / (file + ".gguf");
  if (!std::filesystem::exists(path)) return;
  // Its own numbers, where the rule of GGUF's readers differs from the published code.
  const std::filesystem::path own = folder / (file + ".golden.safetensors");
  cases.push_back({file + "_gguf", path, std::filesystem::exists(own) ? own : golden});
}

// Folders of models, and GGUFs of them; quantised files ("llama_wide-Q4_K_M") bring their own
// numbers.
std::vector<Case> CasesIn(const std::filesystem::path& models, const std::filesystem::path& gguf) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(models)) {
    names.insert(entry.path().filename().string());
  }
  for (const auto& entry : std::filesystem::directory_iterator(gguf)) {
    const std::string stem = entry.path().stem().string();
    if (stem.find("_wide-") != std::string::npos && !stem.ends_with("golden")) names.insert(stem);
  }
  std::vector<Case> cases;
  for (const std::string& name : names) {
    if (kFrontier.contains(name)) continue;
    const std::filesystem::path golden = models / name / "golden.safetensors";
    if (std::filesystem::exists(golden)) cases.push_back({name, models / name, golden});
    AddGguf(gguf, name, golden, cases);
  }
  return cases;
}

std::vector<Case> RepositoryCases() {
  const auto here = std::filesystem::path(TUTTI_SOURCE_DIR) / "tests/golden/models";
  return CasesIn(here, here / "gguf");
}

// All models, where the shared fixtures are there; none otherwise.
std::vector<Case> SharedCases() {
  const auto models = testing::SharedFixture("golden");
  const auto gguf = testing::SharedFixture("gguf");
  if (!std::filesystem::exists(models)) {
    std::fprintf(stderr, "SKIPPED: %s is not there; only the repository's models are tested\n",
                 models.c_str());
    return {};
  }
  std::vector<Case> cases = CasesIn(models, gguf);
  const auto golden = models / "qwen3_moe/golden.safetensors";
  cases.push_back({"qwen3_moe_v2", gguf / "qwen3_moe-v2.gguf", golden});
  cases.push_back({"qwen3_moe_split", gguf / "split/qwen3_moe-split-00001-of-00004.gguf", golden});
  return cases;
}

// A small chunk, so that prompts need several, and room for all prompts at once.
std::unique_ptr<Engine> LoadForAllPrompts(const Case& c, EngineOptions options) {
  options.prefill_chunk = 64;
  const auto one = testing::LoadEngine(c.model, options);
  if (one == nullptr) return nullptr;
  options.kv_budget_bytes = 4 * one->costs().kv_budget_bytes;
  return testing::LoadEngine(c.model, options);
}

class GoldenTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    golden_ = testing::ReadGolden(GetParam().golden);
    engine_ = LoadForAllPrompts(GetParam(), {.threads = 1, .exact = true});
    ASSERT_NE(engine_, nullptr);
  }
  void TearDown() override {
    if (engine_ == nullptr) return;
    EXPECT_EQ(engine_->CheckIntegrity(), "");
  }

  void CheckHiddenState() {
    if (golden_.hidden.empty()) return;
    const SequenceId sequence = *engine_->NewSequence();
    const auto result = engine_->Forward({{{.sequence = sequence,
                                            .tokens = golden_.prompts[1].ids,
                                            .logits = LogitsWanted::kHidden}}});
    ASSERT_TRUE(result.ok()) << result.status().message();
    engine_->EndSequence(sequence);
    EXPECT_EQ(result->rows, 0);
    ASSERT_EQ(result->hidden.size(), golden_.hidden.size());
    for (size_t i = 0; i < golden_.hidden.size(); ++i) {
      EXPECT_NEAR(result->hidden[i], golden_.hidden[i], 2e-4) << "of the hidden state at " << i;
    }
  }
  std::vector<float> Logits(const TokenIds& ids) { return testing::LogitsOf(*engine_, ids); }

  Golden golden_;
  std::unique_ptr<Engine> engine_;
};

TEST_P(GoldenTest, LogitsAndGreedyContinuation) {
  float worst = 0;
  for (const GoldenPrompt& prompt : golden_.prompts) {
    const float error = golden_.max_error(prompt, Logits(prompt.ids));
    EXPECT_LE(error, kTolerance) << prompt.ids.size() << " tokens";
    worst = std::max(worst, error);
  }
  if (engine_->spec().attention[0].kind == AttentionKind::kLatent) {
    // The prompts above took both forms; each form alone.
    for (const GoldenPrompt& prompt : golden_.prompts) {
      for (const size_t length : {size_t{0}, kFillsABlock}) {
        const auto logits = testing::LogitsOf(*engine_, prompt.ids, length);
        EXPECT_LE(golden_.max_error(prompt, logits), kTolerance)
            << prompt.ids.size() << " tokens of a prompt of " << length;
      }
    }
  }
  CheckHiddenState();
  const TokenIds greedy =
      testing::Greedy(*engine_, golden_.greedy_prompt, golden_.greedy_ids.size());
  EXPECT_EQ(greedy, golden_.greedy_ids);
  const auto same = std::mismatch(greedy.begin(), greedy.end(), golden_.greedy_ids.begin());
  std::printf("golden %-28s logits %.1e of range, greedy %zd of %zu\n", GetParam().name.c_str(),
              worst, same.first - greedy.begin(), golden_.greedy_ids.size());
}

// Both kinds of checkpoint give the same weights, so one of them is enough here.
struct BatchCase {
  Case model;
  const char* arithmetic;
  bool exact = false;
  std::optional<KvType> kv_type = {};
};

void PrintTo(const BatchCase& c, std::ostream* out) {
  *out << c.arithmetic << " " << c.model.model.string();
}

class BatchTest : public ::testing::TestWithParam<BatchCase> {
 protected:
  void SetUp() override {
    golden_ = testing::ReadGolden(GetParam().model.golden);
    engine_ = Load(2, GetParam().exact);
    ASSERT_NE(engine_, nullptr);
    const KvType type = engine_->costs().kv_type;
    EXPECT_EQ(type == KvType::kF32, GetParam().exact);
    EXPECT_EQ(type, GetParam().kv_type.value_or(type));
  }
  void TearDown() override {
    if (engine_ == nullptr) return;
    EXPECT_EQ(engine_->CheckIntegrity(), "");
  }
  static std::unique_ptr<Engine> Load(int threads, bool exact) {
    EngineOptions options{.threads = threads, .exact = exact};
    if (!exact) options.kv_type = GetParam().kv_type;
    return LoadForAllPrompts(GetParam().model, options);
  }
  bool latent() const { return engine_->spec().attention[0].kind == AttentionKind::kLatent; }

  // All logits of a prompt that comes in pieces.
  std::vector<float> LogitsOfPieces(const TokenIds& ids, size_t piece, size_t prompt_length) {
    const SequenceId sequence = *engine_->NewSequence();
    std::vector<float> logits;
    for (size_t at = 0; at < ids.size(); at += piece) {
      const auto tokens = std::span(ids).subspan(at, std::min(piece, ids.size() - at));
      const auto result =
          engine_->Forward({{{.sequence = sequence,
                              .tokens = tokens,
                              .logits = LogitsWanted::kAll,
                              .prompt_length = static_cast<int32_t>(prompt_length)}}});
      TUTTI_CHECK(result.ok(), result.status().message());
      logits.insert(logits.end(), result->logits.begin(), result->logits.end());
    }
    engine_->EndSequence(sequence);
    return logits;
  }

  Golden golden_;
  std::unique_ptr<Engine> engine_;
};

// A whole prompt on one thread, chunks of any size on two, one by one: the same bits. Prompts of
// latent attention must be longer, so that they have both forms; what counts as generated has one.
TEST_P(BatchTest, CutsOfThePromptAndThreadsChangeNoBit) {
  const TokenIds& ids = golden_.prompts[latent() ? 3 : 2].ids;
  const auto single = Load(1, GetParam().exact);
  ASSERT_NE(single, nullptr);
  for (const size_t length : {ids.size(), size_t{0}}) {
    const std::vector<float> whole = testing::LogitsOf(*single, ids, length);
    for (const size_t piece : {latent() ? size_t{101} : size_t{1}, size_t{7}, size_t{32}}) {
      EXPECT_EQ(LogitsOfPieces(ids, piece, length), whole)
          << "in pieces of " << piece << " of a prompt of " << length;
    }
    if (!latent()) break;  // the length says nothing
  }
}

// What holds for the reference is not shown of it again.
TEST_P(BatchTest, TheArithmeticIsTheOneAskedFor) {
  const auto exact = Load(1, true);
  ASSERT_NE(exact, nullptr);
  const TokenIds& ids = golden_.prompts[1].ids;
  EXPECT_EQ(testing::LogitsOf(*engine_, ids) == testing::LogitsOf(*exact, ids), GetParam().exact);
}

// Sequences of different lengths together, then one more token each: as one by one.
TEST_P(BatchTest, CompanyChangesNoBit) {
  std::vector<std::vector<float>> alone;
  std::vector<SequenceId> sequences;
  Batch batch;
  for (const GoldenPrompt& prompt : golden_.prompts) {
    alone.push_back(testing::LogitsOf(*engine_, prompt.ids));
    sequences.push_back(*engine_->NewSequence());
    const auto head = std::span(prompt.ids).first(prompt.ids.size() - 1);
    batch.entries.push_back({.sequence = sequences.back(),
                             .tokens = head,
                             .logits = LogitsWanted::kNone,
                             .prompt_length = static_cast<int32_t>(prompt.ids.size())});
  }
  auto result = engine_->Forward(batch);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->rows, 0);
  for (size_t i = 0; i < batch.entries.size(); ++i) {
    batch.entries[i].tokens = std::span(golden_.prompts[i].ids).last(1);
    batch.entries[i].logits = LogitsWanted::kLast;
  }
  result = engine_->Forward(batch);
  ASSERT_TRUE(result.ok()) << result.status().message();
  const auto vocab = static_cast<size_t>(engine_->spec().vocab_size);
  ASSERT_EQ(result->logits.size(), batch.entries.size() * vocab);
  for (size_t i = 0; i < batch.entries.size(); ++i) {
    EXPECT_TRUE(std::equal(alone[i].end() - static_cast<int64_t>(vocab), alone[i].end(),
                           result->logits.begin() + static_cast<int64_t>(i * vocab)))
        << "prompt " << i;
    engine_->EndSequence(sequences[i]);
  }
}

bool IsQuantised(const Case& c) { return c.name.find("_wide-") != std::string::npos; }

// The repository's in exact arithmetic and in what ships, there also the shared quantised ones: all
// kinds of products. The smallest keys and values with some, of either kind of attention.
std::vector<BatchCase> BatchCases() {
  const std::set<std::string> few = {"deepseek_v2", "kimi_k2_int4", "gpt_oss_mxfp4",
                                     "qwen3_moe_wide-Q4_K_M_gguf"};
  std::set<std::string> known;
  std::vector<BatchCase> cases;
  for (const Case& c : RepositoryCases()) {
    if (c.model.extension() == ".gguf" && !IsQuantised(c)) continue;
    known.insert(c.name);
    cases.push_back({c, "exact", true});
    cases.push_back({c, "default"});
    if (few.contains(c.name)) cases.push_back({c, "q8_0", false, KvType::kQ8_0});
  }
  for (const Case& c : SharedCases()) {
    if (IsQuantised(c) && !known.contains(c.name)) cases.push_back({c, "default"});
  }
  return cases;
}

std::string NameOf(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
std::string NameOfCase(const ::testing::TestParamInfo<Case>& param) {
  return NameOf(param.param.name);
}
std::string NameOfBatchCase(const ::testing::TestParamInfo<BatchCase>& param) {
  return NameOf(param.param.model.name) + "_" + param.param.arithmetic;
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenTest);
INSTANTIATE_TEST_SUITE_P(Repository, GoldenTest, ::testing::ValuesIn(RepositoryCases()),
                         NameOfCase);
INSTANTIATE_TEST_SUITE_P(Shared, GoldenTest, ::testing::ValuesIn(SharedCases()), NameOfCase);
INSTANTIATE_TEST_SUITE_P(All, BatchTest, ::testing::ValuesIn(BatchCases()), NameOfBatchCase);

}  // namespace
}  // namespace tutti
