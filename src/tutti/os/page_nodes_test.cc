#include "tutti/os/page_nodes.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <thread>

#include "tutti/os/file.h"
#include "tutti/os/mmap.h"
#include "tutti/os/reserved_memory.h"

namespace tutti::os {
namespace {

constexpr size_t kPage = 64;  // small ones will do: nothing is asked of the real system

// A machine whose pages lie where `nodes` says.
struct FakeMemory {
  alignas(kPage) std::byte bytes[16 * kPage] = {};
  std::map<size_t, int> nodes;         // page: node; others are not in memory
  std::map<size_t, bool> pinned = {};  // pages that do not move

  size_t IndexOf(const std::byte* page) const {
    EXPECT_EQ((page - bytes) % static_cast<std::ptrdiff_t>(kPage), 0);
    return static_cast<size_t>(page - bytes) / kPage;
  }
  PageSystem System() {
    return {kPage,
            [this](const std::byte* first, size_t pages) {
              std::vector<bool> in_memory;
              for (size_t i = 0; i < pages; ++i) {
                in_memory.push_back(nodes.contains(IndexOf(first) + i));
              }
              return in_memory;
            },
            [this](std::span<const std::byte* const> pages) {
              std::vector<int> of;
              for (const std::byte* page : pages) of.push_back(nodes.at(IndexOf(page)));
              return of;
            },
            [this](std::span<const std::byte* const> pages, int node) {
              for (const std::byte* page : pages) {
                if (!pinned[IndexOf(page)]) nodes.at(IndexOf(page)) = node;
              }
            }};
  }
};

TEST(PageNodesTest, PagesInMemoryMoveAndOthersAreLeftAlone) {
  FakeMemory memory;
  memory.nodes = {{0, 0}, {1, 0}, {2, 1}, {3, 0}, {4, 0}, {6, 1}};
  memory.pinned[3] = true;
  // From the middle of page 0 to the middle of page 4: pages 1 to 4 begin in it.
  const std::span<const std::byte> range(memory.bytes + kPage / 2, 4 * kPage);
  const PageCounts before = CountPages(memory.System(), range, 1);
  EXPECT_EQ(before.in_memory, 4);
  EXPECT_EQ(before.near, 1);
  const PageCounts moved = MovePages(memory.System(), range, 1);
  EXPECT_EQ(moved.in_memory, 4);
  EXPECT_EQ(moved.moved, 2);
  EXPECT_EQ(moved.near, 3) << "page 3 does not move";
  EXPECT_EQ(memory.nodes, (std::map<size_t, int>{{0, 0}, {1, 1}, {2, 1}, {3, 0}, {4, 1}, {6, 1}}));
  EXPECT_EQ(MovePages(memory.System(), range, 1).moved, 0);
}

TEST(PageNodesTest, RangesSideBySideShareNoPage) {
  FakeMemory memory;
  for (size_t i = 0; i < 16; ++i) memory.nodes[i] = 0;
  for (size_t cut = 0; cut <= sizeof(memory.bytes); cut += 24) {
    const std::span<const std::byte> all(memory.bytes);
    EXPECT_EQ(CountPages(memory.System(), all.first(cut), 0).in_memory +
                  CountPages(memory.System(), all.subspan(cut), 0).in_memory,
              16);
  }
}

TEST(PageNodesTest, ASampleIsASample) {
  FakeMemory memory;
  for (size_t i = 0; i < 16; ++i) memory.nodes[i] = static_cast<int>(i % 2);
  const PageCounts counts = CountPages(memory.System(), memory.bytes, 0, 4);
  EXPECT_EQ(counts.in_memory, 4);
  EXPECT_EQ(counts.near, 4);
}

TEST(PageNodesTest, ASystemThatDoesNotTellIsNotTakenForGood) {
  FakeMemory memory;
  memory.nodes = {{0, 0}, {1, 1}};
  PageSystem system = memory.System();
  system.nodes_of = [](std::span<const std::byte* const>) { return std::vector<int>(); };
  system.move = [](std::span<const std::byte* const>, int) { FAIL() << "moved blindly"; };
  EXPECT_FALSE(CountPages(system, memory.bytes, 0).known);
  EXPECT_FALSE(MovePages(system, memory.bytes, 0).known);
  EXPECT_EQ(MovePages(system, memory.bytes, 0).near, 0);
}

TEST(PageNodesTest, PagesThatMayBeOnDiskAreNotTouched) {
  FakeMemory memory;
  for (size_t i = 0; i < 16; ++i) memory.nodes[i] = 0;
  PageSystem system = memory.System();
  system.in_memory = [](const std::byte*, size_t) { return std::vector<bool>(); };
  system.nodes_of = [](std::span<const std::byte* const>) -> std::vector<int> {
    ADD_FAILURE() << "asked for the nodes of pages that may be anywhere";
    return {};
  };
  system.move = [](std::span<const std::byte* const>, int) { FAIL() << "moved blindly"; };
  for (const PageCounts& counts :
       {CountPages(system, memory.bytes, 0), MovePages(system, memory.bytes, 1)}) {
    EXPECT_FALSE(counts.known);
    EXPECT_EQ(counts.in_memory, 0);
  }
}

TEST(PageNodesTest, FilesOfOthersAreUntold) {
  const std::string maps =
      "1000-3000 r--s 00000000 fe:00 17                      /models/own model.gguf\n"
      "4000-6000 r--s 00000000 fe:00 18                      /models/of another.gguf\n"
      "6000-7000 r--s 00002000 fe:00 19                      /models/gone.gguf (deleted)\n"
      "7000-8000 rw-p 00000000 00:00 0                       [heap]\n"
      "9000-a000 rw-p 00000000 00:00 0 \n"
      "something else\n";
  const auto ranges =
      UntoldRanges(maps, [](const std::string& path) { return path == "/models/own model.gguf"; });
  ASSERT_EQ(ranges.size(), 2u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(ranges[0].data()), 0x4000u);
  EXPECT_EQ(ranges[0].size(), 0x2000u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(ranges[1].data()), 0x6000u);
}

// The machine that this runs on, whatever it is: where it has one node, it counts twice.
TEST(PageNodesTest, TouchedPagesLieWhereTheirThreadRuns) {
  const PageSystem system = RealPageSystem();
  const Topology topology = ReadTopology(RealSystemFiles());
  const MemoryNode &first = topology.nodes.front(), &last = topology.nodes.back();
  ThreadPool pool(Team{{{first.id, first.cpus, 0, 1}, {last.id, last.cpus, 1, 1}}});
  const PageCounts counts = CheckFirstTouch(system, pool);
  EXPECT_EQ(counts.in_memory, 128);
  if (!counts.known) GTEST_SKIP() << "the system does not tell on which node pages lie";
  EXPECT_EQ(counts.near, 128);
}

// mincore calls all of them resident.
TEST(PageNodesTest, AFileOfAnotherUserIsNotRead) {
  if (::geteuid() != 0) {
    const auto of_root = MmapFile::Open("/bin/sh");  // and in memory as a rule
    ASSERT_TRUE(of_root.ok());
    EXPECT_EQ(CountPages(RealPageSystem(), of_root->bytes(), 0).in_memory, 0);
    return;
  }
  const auto path = std::filesystem::path(::testing::TempDir()) / "tutti_page_nodes";
  const size_t page_bytes = RealPageSystem().page_bytes;
  ASSERT_TRUE(WriteFile(path, std::string(64 * page_bytes, 'x')).ok());
  const auto file = MmapFile::Open(path);
  ASSERT_TRUE(file.ok());
  std::thread([&] {
    // For this thread alone, which the C library's setuid would not be.
    constexpr uid_t kNobody = 65534;
    ASSERT_EQ(::syscall(SYS_setresuid, -1, kNobody, -1), 0);
    EXPECT_EQ(CountPages(RealPageSystem(), file->bytes(), 0).in_memory, 0);
  }).join();
  std::filesystem::remove(path);
}

TEST(PageNodesTest, WhoIsBoundToNoNodeHasNoneToBeNear) {
  ThreadPool pool(2);
  EXPECT_FALSE(CheckFirstTouch(RealPageSystem(), pool).known);
}

TEST(PageNodesTest, UntouchedPagesAreNotCounted) {
  const PageSystem system = RealPageSystem();
  const auto memory = ReservedMemory::Reserve(8 * system.page_bytes);
  ASSERT_TRUE(memory.ok());
  memory->data()[2 * system.page_bytes] = std::byte{1};
  EXPECT_EQ(CountPages(system, {memory->data(), memory->size_bytes()}, 0).in_memory, 1);
}

}  // namespace
}  // namespace tutti::os
