#include "tutti/cli/output_file.h"

#include <gtest/gtest.h>

#include "tutti/os/file.h"

namespace tutti::cli {
namespace {

namespace fs = std::filesystem;

class OutputFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / "tutti_output_file";
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "model");
    choice_.path = folder_ / "model";
    for (const char* name :
         {"config.json", "tokenizer.json", "merges.txt", "weights", "old.gguf"}) {
      ASSERT_TRUE(os::WriteFile(choice_.path / name, "content").ok());
    }
    auto mapped = os::MmapFile::Open(choice_.path / "weights");
    ASSERT_TRUE(mapped.ok());
    checkpoint_.files.push_back(std::move(mapped).value());
    ASSERT_TRUE(os::WriteFile(folder_ / "text", "content").ok());
  }
  void TearDown() override { fs::remove_all(folder_); }
  Status Check(const fs::path& out) {
    return CheckOutput(out, choice_, checkpoint_, {folder_ / "text", ""});
  }

  fs::path folder_;
  ModelChoice choice_;
  format::Checkpoint checkpoint_;
};

TEST_F(OutputFileTest, NothingThatIsReadIsReplaced) {
  for (const fs::path& input :
       {choice_.path / "config.json", choice_.path / "tokenizer.json", choice_.path / "merges.txt",
        choice_.path / "weights", folder_ / "text"}) {
    fs::create_hard_link(input, folder_ / "hard");
    fs::create_symlink(input, folder_ / "soft");
    for (const fs::path& out : {input, folder_ / "model" / ".." / input.lexically_relative(folder_),
                                folder_ / "hard", folder_ / "soft"}) {
      const Status status = Check(out);
      EXPECT_EQ(status.code(), StatusCode::kUsage) << out;
      EXPECT_NE(status.message().find(input.string()), std::string::npos) << status.message();
    }
    fs::remove(folder_ / "hard");
    fs::remove(folder_ / "soft");
  }
}

TEST_F(OutputFileTest, OthersMayBe) {
  EXPECT_TRUE(Check(folder_ / "new").ok());
  EXPECT_TRUE(Check(choice_.path / "new.gguf").ok());
  EXPECT_TRUE(Check(choice_.path / "old.gguf").ok()) << "an earlier result beside the model";
  EXPECT_TRUE(Check("/dev/null").ok());
  EXPECT_EQ(Check(folder_ / "nowhere" / "new").code(), StatusCode::kNotFound);
}

TEST_F(OutputFileTest, TheEmbeddedModelHasNoFiles) {
  const ModelChoice embedded{true, {}, "story"};
  EXPECT_TRUE(CheckOutput(folder_ / "new", embedded, {}).ok());
}

}  // namespace
}  // namespace tutti::cli
