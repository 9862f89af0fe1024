#include "tutti/os/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "tutti/os/mmap.h"

namespace tutti::os {
namespace {

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::path(::testing::TempDir()) /
                 ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::filesystem::path directory_;
};

TEST_F(FileTest, WrittenFilesAreReadBackAndMapped) {
  const std::string content("a\0b\n", 4);
  const auto path = directory_ / "file";
  ASSERT_TRUE(WriteFile(path, content).ok());
  EXPECT_EQ(*ReadFile(path, 4), content);
  const auto mapped = MmapFile::Open(path);
  ASSERT_TRUE(mapped.ok());
  EXPECT_EQ(mapped->bytes().size(), 4u);
  EXPECT_EQ(mapped->bytes()[2], std::byte{'b'});
}

TEST_F(FileTest, AFileOverTheLimitIsRefused) {
  const auto path = directory_ / "file";
  ASSERT_TRUE(WriteFile(path, "12345").ok());
  const auto result = ReadFile(path, 4);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kResource);
}

TEST_F(FileTest, MissingFilesAndFoldersAreErrors) {
  EXPECT_EQ(ReadFile(directory_ / "absent", 10).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(MmapFile::Open(directory_ / "absent").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(MmapFile::Open(directory_).status().code(), StatusCode::kIo);
  EXPECT_FALSE(ReadFile(directory_, 10).ok());
}

TEST_F(FileTest, AnEmptyFileMapsToNothing) {
  ASSERT_TRUE(WriteFile(directory_ / "empty", "").ok());
  const auto mapped = MmapFile::Open(directory_ / "empty");
  ASSERT_TRUE(mapped.ok());
  EXPECT_TRUE(mapped->bytes().empty());
}

TEST_F(FileTest, AFailedWriteKeepsTheOldFileAndLeavesNoTemporary) {
  const auto path = directory_ / "folder";
  std::filesystem::create_directories(path / "inside");  // rename onto a full folder fails
  EXPECT_FALSE(WriteFile(path, "new").ok());
  size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory_))
    ++entries;
  EXPECT_EQ(entries, 1u);
  EXPECT_TRUE(std::filesystem::exists(path / "inside"));
}

TEST_F(FileTest, AnAbandonedWriterLeavesNothingAndTwoDoNotMeet) {
  const auto path = directory_ / "file";
  {
    auto first = FileWriter::Create(path);
    auto second = FileWriter::Create(path);
    ASSERT_TRUE(first.ok() && second.ok());
    ASSERT_TRUE(first->Append("fir").ok() && second->Append("second").ok());
    ASSERT_TRUE(first->Append("st").ok());
    EXPECT_FALSE(std::filesystem::exists(path));
    ASSERT_TRUE(first->Commit().ok());
  }
  EXPECT_EQ(*ReadFile(path, 10), "first");
  const std::filesystem::directory_iterator entries(directory_);
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST_F(FileTest, WhatAKilledWriterLeftIsReplaced) {
  const auto path = directory_ / "file";
  const pid_t child = ::fork();
  if (child == 0) {
    auto file = FileWriter::Create(path);
    (void)file->Append("half of something long");
    std::raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(std::filesystem::exists(path));
  const auto entries = [&] {
    return std::distance(std::filesystem::directory_iterator(directory_), {});
  };
  EXPECT_EQ(entries(), 1);
  ASSERT_TRUE(WriteFile(path, "whole").ok());
  EXPECT_EQ(*ReadFile(path, 100), "whole");
  EXPECT_EQ(entries(), 1);
}

TEST_F(FileTest, ATemporaryNameThatIsALinkIsNotFollowed) {
  ASSERT_TRUE(WriteFile(directory_ / "precious", "old").ok());
  std::filesystem::create_symlink("precious", directory_ / "file.tutti-tmp");
  ASSERT_TRUE(WriteFile(directory_ / "file", "new").ok());
  EXPECT_EQ(*ReadFile(directory_ / "precious", 100), "old");
  EXPECT_EQ(*ReadFile(directory_ / "file", 100), "new");
}

TEST_F(FileTest, DevicesAreWrittenToAndNeverReplaced) {
  EXPECT_TRUE(WriteFile("/dev/null", "gone").ok());
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  if (std::filesystem::is_character_file("/dev/full")) {
    EXPECT_EQ(WriteFile("/dev/full", "no room").code(), StatusCode::kIo);
    EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
  }
}

TEST_F(FileTest, AFileLargerThanTheDiskHasNoRoom) {
  EXPECT_TRUE(CheckRoom(directory_ / "new", 1).ok());
  ASSERT_TRUE(WriteFile(directory_ / "old", "old").ok());
  for (const char* name : {"new", "old"}) {
    const Status status = CheckRoom(directory_ / name, uint64_t{1} << 62);
    EXPECT_EQ(status.code(), StatusCode::kIo);
    EXPECT_NE(status.message().find("MiB free"), std::string::npos) << status.message();
  }
  EXPECT_TRUE(CheckRoom("/dev/null", uint64_t{1} << 62).ok());
  EXPECT_TRUE(CheckRoom(directory_ / "no" / "folder", 1).ok());  // writing says what is wrong
}

TEST_F(FileTest, APrivateFileStaysPrivate) {
  const auto path = directory_ / "keys";
  for (const mode_t mode : {mode_t{0600}, mode_t{0664}}) {
    ASSERT_TRUE(WriteFile(path, "old").ok());
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    ASSERT_TRUE(WriteFile(path, "new").ok());
    struct stat now {};
    ASSERT_EQ(::stat(path.c_str(), &now), 0);
    EXPECT_EQ(now.st_mode & 07777, mode);
  }
}

TEST_F(FileTest, ATemporaryNameThatIsAPipeIsNotWaitedFor) {
  const auto pipe = directory_ / "file.tutti-tmp";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  ASSERT_TRUE(WriteFile(directory_ / "file", "new").ok());
  EXPECT_EQ(*ReadFile(directory_ / "file", 100), "new");
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
}

TEST_F(FileTest, WhatCannotBeWrittenIsToldBefore) {
  const auto entries = [&] {
    return std::distance(std::filesystem::directory_iterator(directory_), {});
  };
  EXPECT_TRUE(CheckWritable(directory_ / "new").ok());
  EXPECT_EQ(entries(), 0);
  ASSERT_TRUE(WriteFile(directory_ / "old", "old").ok());
  EXPECT_TRUE(CheckWritable(directory_ / "old").ok());
  EXPECT_EQ(*ReadFile(directory_ / "old", 100), "old");
  ASSERT_EQ(::mkfifo((directory_ / "pipe").c_str(), 0600), 0);
  EXPECT_TRUE(CheckWritable(directory_ / "pipe").ok()) << "and nobody was waited for";
  EXPECT_EQ(CheckWritable(directory_ / "no" / "folder").code(), StatusCode::kNotFound);
  EXPECT_EQ(CheckWritable(directory_).code(), StatusCode::kIo);
  EXPECT_EQ(entries(), 2);
}

TEST_F(FileTest, ALinkStaysALink) {
  ASSERT_TRUE(WriteFile(directory_ / "target", "old").ok());
  std::filesystem::create_symlink("target", directory_ / "link");
  ASSERT_TRUE(WriteFile(directory_ / "link", "new").ok());
  EXPECT_TRUE(std::filesystem::is_symlink(directory_ / "link"));
  EXPECT_EQ(ReadFile(directory_ / "target", 100).value(), "new");
}

}  // namespace
}  // namespace tutti::os
