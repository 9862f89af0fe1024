#include "tutti/format/checkpoint.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tutti/format/gguf_split.h"
#include "tutti/format/gguf_writer.h"
#include "tutti/os/file.h"

namespace tutti::format {
namespace {

namespace fs = std::filesystem;

class CheckpointTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) /
              fmt::format("checkpoint.{}",
                          ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  // A model with one tensor [1] per name.
  void Write(const std::string& file, const std::vector<std::string>& tensors,
             const std::vector<std::pair<std::string, int32_t>>& keys = {}) {
    static const std::array<std::byte, 4> kValue = {};
    GgufWriter writer;
    writer.Set("general.name", std::string("model"));
    for (const auto& [key, value] : keys) writer.Set(key, value);
    for (const std::string& name : tensors) {
      ASSERT_TRUE(writer.AddTensor(name, DType::kF32, {{1}, 1}, kValue).ok());
    }
    const Status status = writer.Write(folder_ / file);
    ASSERT_TRUE(status.ok()) << status.message();
  }
  void WritePart(int part, int parts, const std::vector<std::string>& tensors, int sum,
                 const std::string& prefix = "m") {
    Write(SplitName{prefix, part, parts}.ToString(), tensors,
          {{"split.no", part - 1}, {"split.count", parts}, {"split.tensors.count", sum}});
  }
  void ExpectError(const std::string& file, StatusCode code, std::string_view part) {
    const Result<Checkpoint> opened = OpenCheckpoint(folder_ / file);
    ASSERT_FALSE(opened.ok()) << part;
    EXPECT_EQ(opened.status().code(), code) << opened.status().message();
    EXPECT_NE(opened.status().message().find(part), std::string::npos) << opened.status().message();
  }
  fs::path folder_;
};

TEST_F(CheckpointTest, AFileOpensUnderAnyName) {
  Write("sha256-0123", {"a"});
  const Result<Checkpoint> opened = OpenCheckpoint(folder_ / "sha256-0123");
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  EXPECT_EQ(opened->kind, CheckpointKind::kGguf);
  EXPECT_EQ(opened->tensors.size(), 1u);
  EXPECT_EQ(opened->files.size(), 1u);
}

TEST_F(CheckpointTest, AFolderWithOneModelOpens) {
  Write("model.gguf", {"a"});
  Write("mmproj-model.gguf", {"b"});
  std::ofstream(folder_ / "config.json") << "{}";
  std::ofstream(folder_ / "README.md") << "model";
  const Result<Checkpoint> opened = OpenCheckpoint(folder_);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  EXPECT_NE(opened->Find("a"), nullptr);
  EXPECT_EQ(opened->path, folder_);
}

TEST_F(CheckpointTest, AFolderWithSeveralModelsAsksWhich) {
  Write("q4.gguf", {"a"});
  Write("q8.gguf", {"a"});
  ExpectError("", StatusCode::kUsage, "2 GGUF models here, name one of them: q4.gguf, q8.gguf");
}

TEST_F(CheckpointTest, NothingThereIsNotFound) {
  ExpectError("absent.gguf", StatusCode::kNotFound, "absent.gguf");
  ExpectError("", StatusCode::kNotFound, "no model here");
}

TEST_F(CheckpointTest, AnotherKindOfFileIsRefused) {
  std::ofstream(folder_ / "text.gguf") << "Once upon a time";
  ExpectError("text.gguf", StatusCode::kData, "text.gguf: not a GGUF file");
  std::ofstream(folder_ / "empty.gguf");
  ExpectError("empty.gguf", StatusCode::kData, "only 0 are left");
}

TEST_F(CheckpointTest, ASplitModelIsOneModelFromAnyPartAndFromItsFolder) {
  WritePart(1, 3, {"a", "b"}, 4);
  WritePart(2, 3, {}, 4);
  WritePart(3, 3, {"c", "d"}, 4);
  for (const char* file :
       {"m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf", ""}) {
    const Result<Checkpoint> opened = OpenCheckpoint(folder_ / file);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    EXPECT_EQ(opened->tensors.size(), 4u);
    EXPECT_EQ(opened->files.size(), 3u);
    EXPECT_FALSE(opened->metadata.Has("split.count"));
    EXPECT_TRUE(opened->metadata.Has("general.name"));
  }
}

TEST_F(CheckpointTest, MissingAndForeignPartsAreNamed) {
  WritePart(1, 3, {"a"}, 3);
  WritePart(3, 3, {"c"}, 3);
  ExpectError("m-00001-of-00003.gguf", StatusCode::kNotFound, "m-00002-of-00003.gguf");
  ExpectError("m-00001-of-00003.gguf", StatusCode::kNotFound, "part 2 of 3");
  WritePart(2, 3, {"a"}, 3);
  ExpectError("m-00001-of-00003.gguf", StatusCode::kData, "tensor a is in an earlier part");
  WritePart(2, 3, {"b"}, 4);
  ExpectError("m-00003-of-00003.gguf", StatusCode::kData, "split.tensors.count is 4, but 3");
  WritePart(2, 3, {"b", "b2"}, 3);
  ExpectError("m-00001-of-00003.gguf", StatusCode::kData, "but the parts have 4 tensors");
  fs::copy_file(folder_ / "m-00003-of-00003.gguf", folder_ / "m-00002-of-00003.gguf",
                fs::copy_options::overwrite_existing);
  ExpectError("m-00001-of-00003.gguf", StatusCode::kData, "the file name says part 2 of 3");
  WritePart(2, 3, {"b"}, 3);
  EXPECT_TRUE(OpenCheckpoint(folder_ / "m-00001-of-00003.gguf").ok());
}

TEST_F(CheckpointTest, RenamedPartsAreExplained) {
  WritePart(2, 3, {"a"}, 3);
  fs::rename(folder_ / "m-00002-of-00003.gguf", folder_ / "model.gguf");
  ExpectError("model.gguf", StatusCode::kData, "give it back its name NAME-00002-of-00003.gguf");
  Write("x-00001-of-00002.gguf", {"a"});
  ExpectError("x-00001-of-00002.gguf", StatusCode::kData, "say 1 of 1");
}

TEST(SplitNameTest, OnlyTheExactFormIsAPart) {
  const auto name = ParseSplitName("dir-00002-of-00010.gguf");
  ASSERT_TRUE(name.has_value());
  EXPECT_EQ(name->prefix, "dir");
  EXPECT_EQ(name->part, 2);
  EXPECT_EQ(name->parts, 10);
  EXPECT_EQ(name->ToString(), "dir-00002-of-00010.gguf");
  EXPECT_TRUE(ParseSplitName("-00001-of-00001.gguf").has_value());
  for (const char* other :
       {"", "m.gguf", "m-0002-of-00010.gguf", "m-00000-of-00010.gguf", "m-00011-of-00010.gguf",
        "m-00002-of-00010.GGUF", "m-0000x-of-00010.gguf", "m-+0002-of-00010.gguf",
        "m-00002_of-00010.gguf", "m00002-of-00010.gguf", "m-00002-of-00010.gguf.part"}) {
    EXPECT_FALSE(ParseSplitName(other).has_value()) << other;
  }
}

}  // namespace
}  // namespace tutti::format
