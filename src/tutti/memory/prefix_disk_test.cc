#include "tutti/memory/prefix_disk.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include "tutti/base/rng.h"
#include "tutti/os/file.h"

namespace tutti::memory {
namespace {

constexpr PrefixHeader kHeader = {.fingerprint = 77, .page_bytes = 5000};
constexpr int64_t kSlot = 8192;

TokenIds Page(TokenId first) {
  TokenIds tokens(kPageTokens, 3);
  tokens[0] = first;
  return tokens;
}

std::vector<std::byte> Bytes(uint64_t seed) {
  Rng rng(seed);
  std::vector<std::byte> bytes(kHeader.page_bytes);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(rng.NextU64());
  return bytes;
}

class PrefixDiskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::path(::testing::TempDir()) /
            fmt::format("tutti_prefix_disk_{}", ::getpid());
    std::filesystem::remove(path_);
  }
  void TearDown() override {
    Close();
    std::filesystem::remove(path_);
  }

  void Open(int64_t slots = 100, const PrefixHeader& header = kHeader) {
    Close();
    auto disk = PrefixDisk::Open(path_, header, 4096 + slots * kSlot);
    ASSERT_TRUE(disk.ok()) << disk.status().message();
    disk_ = std::move(disk).value();
    EXPECT_EQ(disk_->CheckIntegrity(), "");
  }
  void Close() {
    if (disk_ != nullptr) {
      EXPECT_EQ(disk_->CheckIntegrity(), "");
    }
    disk_.reset();
  }
  PrefixDisk::Id Write(uint64_t tenant, PrefixDisk::Id parent, TokenId first) {
    const auto id = disk_->Write(tenant, parent, Page(first), Bytes(Seed(tenant, first)), true);
    EXPECT_EQ(disk_->CheckIntegrity(), "");
    return id;
  }
  // Whether the page is found and is what was written.
  bool Reads(uint64_t tenant, PrefixDisk::Id parent, TokenId first) {
    const PrefixDisk::Id id = disk_->Find(tenant, parent, Page(first));
    std::vector<std::byte> page(kHeader.page_bytes);
    const bool read = id != 0 && disk_->Read(id, page);
    EXPECT_EQ(disk_->CheckIntegrity(), "");
    if (read) {
      EXPECT_EQ(page, Bytes(Seed(tenant, first)));
    }
    return read;
  }
  static uint64_t Seed(uint64_t tenant, TokenId first) {
    return tenant * 1000 + static_cast<uint64_t>(first);
  }

  std::filesystem::path path_;
  std::unique_ptr<PrefixDisk> disk_;
};

TEST_F(PrefixDiskTest, IsFoundAtOnceAndAfterARestart) {
  Open();
  const auto a = Write(1, 0, 10);
  const auto b = Write(1, a, 20);
  Write(2, 0, 10);
  EXPECT_EQ(Write(1, a, 20), b) << "known already";
  for (int run = 0; run < 3; ++run) {
    const auto first = disk_->Find(1, 0, Page(10));
    EXPECT_TRUE(Reads(1, 0, 10));
    EXPECT_TRUE(Reads(1, first, 20));
    EXPECT_TRUE(Reads(2, 0, 10));
    EXPECT_FALSE(Reads(1, 0, 20)) << "stands elsewhere";
    EXPECT_FALSE(Reads(2, first, 20)) << "another tenant's";
    EXPECT_FALSE(Reads(3, 0, 10));
    EXPECT_EQ(disk_->use().pages, 3);
    EXPECT_EQ(disk_->use().hits, 3);
    EXPECT_EQ(disk_->use().bytes, 3 * kSlot);
    Open();
  }
  EXPECT_EQ(Write(2, disk_->Find(1, 0, Page(10)), 5), 0u) << "behind another tenant's page";
  EXPECT_EQ(Write(1, 1000, 5), 0u) << "behind nothing";
}

TEST_F(PrefixDiskTest, IsBegunAnewForOthers) {
  Open();
  Write(1, 0, 10);
  Open(100, {.fingerprint = 78, .page_bytes = 5000});
  EXPECT_EQ(disk_->use().pages, 0);
  Open();
  EXPECT_EQ(disk_->use().pages, 0);
  Close();
  std::ofstream(path_) << "something else that is long enough to look like a file of pages";
  Open();
  Write(1, 0, 10);
  Open();
  EXPECT_TRUE(Reads(1, 0, 10));
}

TEST_F(PrefixDiskTest, TheOldestGoesLeavesFirst) {
  Open(3);
  const auto a = Write(1, 0, 10);
  const auto b = Write(1, a, 20);
  Write(1, 0, 30);
  EXPECT_TRUE(Reads(1, a, 20));  // used now; its parent is no leaf
  Write(1, 0, 40);
  EXPECT_FALSE(Reads(1, 0, 30));
  EXPECT_TRUE(Reads(1, 0, 40));
  Write(1, 0, 50);
  EXPECT_FALSE(Reads(1, a, 20));
  EXPECT_TRUE(Reads(1, 0, 10));
  EXPECT_FALSE(disk_->Contains(b));
  EXPECT_EQ(disk_->use().pages, 3);
  // Never the page that the new one stands on.
  Open(1);
  EXPECT_LE(disk_->use().pages, 1);
  const auto only = Write(1, 0, 60);
  EXPECT_NE(only, 0u);
  EXPECT_EQ(Write(1, only, 70), 0u);
  EXPECT_TRUE(Reads(1, 0, 60));
  EXPECT_LE(std::filesystem::file_size(path_), 4096u + kSlot);
}

// What a killed program leaves: whatever was written before the cut is found, and nothing wrong.
TEST_F(PrefixDiskTest, AFileCutAnywhereKeepsWhatWasBefore) {
  Open();
  const auto a = Write(1, 0, 10);
  Write(2, 0, 11);
  Write(1, a, 12);
  Close();
  const std::string whole = os::ReadFile(path_, 1 << 20).value();
  ASSERT_EQ(whole.size(), 4096u + 3 * kSlot);
  // Every byte where something begins or ends, and some between.
  for (size_t size = 0; size < whole.size(); ++size) {
    const size_t in_slot = size < 4096 ? size + 320 : (size - 4096) % kSlot;
    if (in_slot > 300 && in_slot < 5200 && size % 97 != 0) continue;
    if (in_slot > 5300 && size % 97 != 0) continue;
    ASSERT_TRUE(
        std::ofstream(path_, std::ios::binary).write(whole.data(), static_cast<int64_t>(size)));
    Open();
    const auto complete = [&](size_t slot) {
      return size >= 4096 + slot * kSlot + kPrefixRecord + kHeader.page_bytes;
    };
    ASSERT_EQ(Reads(1, 0, 10), complete(0)) << size;
    ASSERT_EQ(Reads(2, 0, 11), complete(1)) << size;
    ASSERT_EQ(Reads(1, disk_->Find(1, 0, Page(10)), 12), complete(2)) << size;
    // And it goes on.
    const auto next = Write(3, 0, 13);
    ASSERT_NE(next, 0u);
    Open();
    ASSERT_TRUE(Reads(3, 0, 13)) << size;
  }
}

TEST_F(PrefixDiskTest, AFlippedBitIsNeverRead) {
  Open();
  const auto a = Write(1, 0, 10);
  Write(1, a, 12);
  Close();
  const std::string whole = os::ReadFile(path_, 1 << 20).value();
  Rng rng(3);
  for (int round = 0; round < 400; ++round) {
    std::string damaged = whole;
    // Of the header, or of the first record or its page.
    const size_t at = round % 4 == 0 ? rng.NextU64() % 40
                                     : 4096 + rng.NextU64() % (kPrefixRecord + kHeader.page_bytes);
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (rng.NextU64() % 8)));
    ASSERT_TRUE(std::ofstream(path_, std::ios::binary)
                    .write(damaged.data(), static_cast<int64_t>(damaged.size())));
    Open();
    const bool padding = at >= 4096 + 8 * 6 + 4 * kPageTokens && at < 4096 + kPrefixRecord;
    const PrefixDisk::Id first = disk_->Find(1, 0, Page(10));
    ASSERT_EQ(Reads(1, 0, 10), padding) << at;
    if (!padding) {
      EXPECT_FALSE(first != 0 && Reads(1, first, 12)) << "what stands on it";
    }
  }
}

// A number that nothing can be counted on from would give 0 and the numbers of other pages.
TEST_F(PrefixDiskTest, NumbersAtTheEndOfTheRangeAreNotRead) {
  for (const uint64_t id : {kMaxPrefixId, kMaxPrefixId + 1, ~uint64_t{0}}) {
    const PrefixRecord record{.id = id, .parent = 0, .tenant = 1, .page_checksum = 0, .tokens = {}};
    EXPECT_EQ(ReadPrefixRecord(WritePrefixRecord(record)).has_value(), id == kMaxPrefixId);
  }
}

TEST_F(PrefixDiskTest, OneProgramAtATime) {
  Open();
  const auto other = PrefixDisk::Open(path_, kHeader, 1 << 20);
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.status().code(), StatusCode::kResource);
  EXPECT_NE(other.status().message().find("another program"), std::string::npos);
  const auto small = PrefixDisk::Open(path_, kHeader, 5000);
  EXPECT_EQ(small.status().code(), StatusCode::kResource);
  const auto nowhere = PrefixDisk::Open("/nonexistent/file", kHeader, 1 << 20);
  EXPECT_EQ(nowhere.status().code(), StatusCode::kIo);
}

TEST_F(PrefixDiskTest, AFullDiskSwitchesItOff) {
  Open();
  Write(1, 0, 10);
  Open();
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{.rlim_cur = 4096 + kSlot + 100, .rlim_max = old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  Write(1, 0, 20);
  while (disk_->use().error.empty()) std::this_thread::yield();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(disk_->use().error.find("cannot write"), std::string::npos) << disk_->use().error;
  EXPECT_EQ(Write(1, 0, 30), 0u);
  EXPECT_FALSE(Reads(1, 0, 10));
  Open();
  EXPECT_TRUE(Reads(1, 0, 10));
  EXPECT_FALSE(Reads(1, 0, 20));
}

// Pages come and go at random through restarts, against plain lists.
TEST_F(PrefixDiskTest, RandomUseFindsOnlyWhatWasWritten) {
  Rng rng(17);
  Open(12);
  int found = 0;
  for (int round = 0; round < 1500; ++round) {
    if (rng.NextU64() % 100 == 0) Open(8 + static_cast<int64_t>(rng.NextU64() % 8));
    const uint64_t tenant = rng.NextU64() % 3;
    PrefixDisk::Id parent = 0;
    for (uint64_t depth = 0; depth < 3; ++depth) {
      const TokenId token = static_cast<TokenId>(rng.NextU64() % 3 + depth * 10);
      if (Reads(tenant, parent, token)) {
        ++found;
      } else if (Write(tenant, parent, token) == 0) {
        break;
      }
      parent = disk_->Find(tenant, parent, Page(token));
      if (parent == 0) break;
    }
    EXPECT_LE(disk_->use().pages, disk_->slots());
  }
  EXPECT_GT(found, 500);
}

}  // namespace
}  // namespace tutti::memory
