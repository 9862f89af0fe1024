#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/shared_fixtures.h"
#include "tutti/cli/command.h"
#include "tutti/format/checkpoint.h"

namespace tutti::cli {
namespace {

namespace fs = std::filesystem;

const fs::path kEmbedded = fs::path(TUTTI_SOURCE_DIR) / "models" / "story-moe-q8_0.gguf";

std::string ReadWhole(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(CommandConvert, TheEmbeddedModelIsWhole) {
  const auto model = format::OpenCheckpoint(kEmbedded);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ(model->metadata.String("general.architecture").value(), "qwen3moe");
  EXPECT_EQ(model->tensors.size(), 50u);
  int64_t parameters = 0;
  for (const auto& [name, view] : model->tensors) parameters += view.shape.elements();
  EXPECT_EQ(parameters, 2823552);
  ASSERT_NE(model->vocab, nullptr);
  EXPECT_EQ(model->vocab->tokens.size(), 2048u);
  EXPECT_EQ(model->vocab->tokens[0], "<|endoftext|>");
  EXPECT_TRUE(model->vocab->add_bos);
}

TEST(CommandConvert, MakesTheEmbeddedModelFromThePublishedOne) {
  TUTTI_NEEDS_SHARED("models/story_moe");
  const std::string in = testing::SharedFixture("models/story_moe").string();
  const std::string out = (fs::path(::testing::TempDir()) / "tutti_embedded.gguf").string();
  const char* const argv[] = {"tutti", "convert", in.c_str(), out.c_str(), "--name", "Story MoE"};
  EXPECT_EQ(Main(6, argv), 0);
  EXPECT_TRUE(ReadWhole(out) == ReadWhole(kEmbedded));
  fs::remove(out);
}

TEST(CommandConvert, SaysWhatIsWrong) {
  const char* const type[] = {"tutti", "convert", "a", "b", "--type", "q9"};
  EXPECT_EQ(Main(6, type), 64);
  const char* const missing[] = {"tutti", "convert", "/nonexistent", "b"};
  EXPECT_EQ(Main(4, missing), 66);
}

}  // namespace
}  // namespace tutti::cli
