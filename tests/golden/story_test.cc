// The model inside the program: published, converted, quantised.
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <vector>

#include "tests/golden/golden_model.h"
#include "tests/shared_fixtures.h"
#include "tutti/engine/convert.h"
#include "tutti/format/checkpoint.h"

namespace tutti {
namespace {

namespace fs = std::filesystem;
using testing::Golden;
using testing::SharedFixture;

constexpr float kTolerance = 1e-4f;  // of the logits' range

struct Recorded {
  Golden golden;                 // the prompts
  std::vector<TokenIds> greedy;  // how each goes on
};

Recorded ReadRecorded(const fs::path& path) {
  const auto file = os::MmapFile::Open(path);
  TUTTI_CHECK(file.ok(), file.status().message());
  const auto content = format::OpenSafetensorsBytes(file->bytes(), path.string());
  TUTTI_CHECK(content.ok(), content.status().message());
  Recorded recorded;
  for (int i = 0; i < 3; ++i) {
    const std::string prompt = fmt::format("prompt.{}", i);
    const std::string greedy = fmt::format("greedy.{}", i);
    const int64_t size = content->tensors.at(prompt + ".logits").shape.elements();
    recorded.golden.prompts.push_back(
        {testing::ReadIds(content->tensors, prompt + ".ids"), 0,
         *tensor::FindVector(content->tensors, prompt + ".logits", size)});
    recorded.greedy.push_back(testing::ReadIds(content->tensors, greedy + ".ids"));
  }
  const auto& longest = recorded.golden.prompts.back().logits;
  const auto [low, high] = std::minmax_element(longest.begin(), longest.end());
  recorded.golden.range = *high - *low;
  return recorded;
}

void ExpectRecorded(const fs::path& model, const Recorded& recorded) {
  const auto engine = testing::LoadEngine(model, {.threads = 2, .exact = true});
  ASSERT_NE(engine, nullptr);
  float worst = 0;
  for (size_t i = 0; i < recorded.greedy.size(); ++i) {
    const testing::GoldenPrompt& prompt = recorded.golden.prompts[i];
    const float error = recorded.golden.max_error(prompt, testing::LogitsOf(*engine, prompt.ids));
    EXPECT_LE(error, kTolerance) << model << " prompt " << i;
    worst = std::max(worst, error);
    const TokenIds& greedy = recorded.greedy[i];
    EXPECT_EQ(testing::Greedy(*engine, prompt.ids, greedy.size()), greedy) << model;
  }
  std::printf("story %-20s logits %.1e of range\n", model.filename().c_str(), worst);
}

TEST(StoryModel, AsPublishedAndConverted) {
  TUTTI_NEEDS_SHARED("models/story_moe");
  const fs::path folder = SharedFixture("models/story_moe");
  const Recorded recorded = ReadRecorded(folder / "golden.safetensors");
  ExpectRecorded(folder, recorded);
  const auto published = format::OpenCheckpoint(folder);
  ASSERT_TRUE(published.ok()) << published.status().message();
  for (const char* mix : {"f32", "bf16"}) {
    const fs::path path = fs::path(::testing::TempDir()) / fmt::format("tutti_story_{}.gguf", mix);
    const auto report =
        engine::ConvertToGguf(*published, nullptr, {.mix = *FindQuantMix(mix)}, path);
    ASSERT_TRUE(report.ok()) << report.status().message();
    ExpectRecorded(path, recorded);
    fs::remove(path);
  }
}

// Recorded by tests/golden/story/record.py: NumPy on the weights as the gguf package decodes them.
TEST(StoryModel, EmbeddedInEightBits) {
  const fs::path source = TUTTI_SOURCE_DIR;
  ExpectRecorded(source / "models/story-moe-q8_0.gguf",
                 ReadRecorded(source / "tests/golden/story/story-moe-q8_0.safetensors"));
}

}  // namespace
}  // namespace tutti
