#include "tutti/os/page_nodes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "tutti/os/reserved_memory.h"
#include "tutti/os/team.h"

namespace tutti::os {
namespace {

constexpr size_t kBatch = 4096;   // pages in a call
constexpr int kMoveOwn = 1 << 1;  // MPOL_MF_MOVE: pages that other processes map stay

// The kernel's own condition (can_do_mincore): the owner of a file and those who may write it.
bool IsTold(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return false;
  return file.st_uid == ::geteuid() || ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0;
}

// What mincore does not tell of now. Where the system does not show the mappings: everything.
std::vector<std::span<const std::byte>> UntoldNow() {
  std::ifstream file("/proc/self/maps");
  const std::string maps(std::istreambuf_iterator<char>(file), {});
  if (!maps.empty()) return UntoldRanges(maps, IsTold);
  return {std::span(reinterpret_cast<const std::byte*>(1), size_t{PTRDIFF_MAX})};
}

std::vector<bool> Resident(const std::byte* first, size_t pages, size_t page_bytes) {
  std::vector<unsigned char> bits(pages);
  if (::mincore(const_cast<std::byte*>(first), pages * page_bytes, bits.data()) != 0) return {};
  std::vector<bool> in_memory(pages);
  for (size_t i = 0; i < pages; ++i) in_memory[i] = (bits[i] & 1) != 0;
  return in_memory;
}

long RealMovePages(std::span<const std::byte* const> pages, const int* nodes, int* status) {
  return ::syscall(SYS_move_pages, 0, pages.size(), pages.data(), nodes, status, kMoveOwn);
}

// The pages that this process has touched: asking for their nodes touches none.
std::vector<bool> MappedHere(const std::byte* first, size_t pages, size_t page_bytes) {
  std::vector<const std::byte*> asked(pages);
  for (size_t i = 0; i < pages; ++i) asked[i] = first + i * page_bytes;
  std::vector<int> nodes(pages, -1);
  if (RealMovePages(asked, nullptr, nodes.data()) != 0) return {};
  std::vector<bool> in_memory(pages);
  for (size_t i = 0; i < pages; ++i) in_memory[i] = nodes[i] >= 0;
  return in_memory;
}

// Pages of `range` that are in memory, and now mapped, in batches. False: some are not known.
template <typename Body>
bool ForEachBatch(const PageSystem& system, std::span<const std::byte> range, size_t every,
                  const Body& body) {
  const auto round_up = [&](const std::byte* p) {
    const size_t over = reinterpret_cast<uintptr_t>(p) % system.page_bytes;
    return over == 0 ? p : p + (system.page_bytes - over);
  };
  const std::byte* const end = range.data() + range.size();
  std::vector<const std::byte*> pages;
  bool known = true;
  for (const std::byte* at = round_up(range.data()); at < end;) {
    const size_t left = (static_cast<size_t>(end - at) + system.page_bytes - 1) / system.page_bytes;
    const size_t count = std::min(kBatch, left);
    const std::vector<bool> in_memory = system.in_memory(at, count);
    known = known && in_memory.size() == count;
    pages.clear();
    for (size_t i = 0; i < in_memory.size(); i += every) {
      if (!in_memory[i]) continue;
      pages.push_back(at + i * system.page_bytes);
      // The system moves, and tells of, what this process has mapped: touched.
      static_cast<void>(*static_cast<const volatile std::byte*>(pages.back()));
    }
    if (!pages.empty()) body(std::span<const std::byte* const>(pages));
    at += count * system.page_bytes;
  }
  return known;
}

int64_t CountOn(const std::vector<int>& nodes, int node) {
  return std::count(nodes.begin(), nodes.end(), node);
}

}  // namespace

PageSystem RealPageSystem() {
  PageSystem system;
  system.page_bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  system.in_memory = [page_bytes = system.page_bytes, untold = UntoldNow()](const std::byte* first,
                                                                            size_t pages) {
    const std::byte* const end = first + pages * page_bytes;
    const bool told = std::none_of(untold.begin(), untold.end(), [&](const auto& range) {
      return first < range.data() + range.size() && range.data() < end;
    });
    return told ? Resident(first, pages, page_bytes) : MappedHere(first, pages, page_bytes);
  };
  system.nodes_of = [](std::span<const std::byte* const> pages) {
    std::vector<int> nodes(pages.size(), -1);
    if (RealMovePages(pages, nullptr, nodes.data()) != 0) nodes.clear();
    return nodes;
  };
  system.move = [](std::span<const std::byte* const> pages, int node) {
    const std::vector<int> wanted(pages.size(), node);
    std::vector<int> status(pages.size());
    static_cast<void>(RealMovePages(pages, wanted.data(), status.data()));
  };
  return system;
}

std::vector<std::span<const std::byte>> UntoldRanges(
    std::string_view maps, const std::function<bool(const std::string& path)>& is_told) {
  std::vector<std::span<const std::byte>> untold;
  std::istringstream lines{std::string(maps)};
  for (std::string line; std::getline(lines, line);) {
    // begin-end mode offset device inode path
    uintptr_t begin = 0;
    uintptr_t end = 0;
    unsigned long inode = 0;
    int path = 0;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %lu %n", &begin, &end,
                    &inode, &path) != 3 ||
        inode == 0 || is_told(line.substr(static_cast<size_t>(path)))) {
      continue;
    }
    untold.emplace_back(reinterpret_cast<const std::byte*>(begin), end - begin);
  }
  return untold;
}

PageCounts& PageCounts::operator+=(const PageCounts& other) {
  in_memory += other.in_memory;
  near += other.near;
  moved += other.moved;
  known = known && other.known;
  return *this;
}

PageCounts CountPages(const PageSystem& system, std::span<const std::byte> range, int node,
                      size_t every) {
  PageCounts counts;
  const auto count = [&](std::span<const std::byte* const> pages) {
    const std::vector<int> nodes = system.nodes_of(pages);
    counts += {std::ssize(pages), CountOn(nodes, node), 0, !nodes.empty()};
  };
  if (!ForEachBatch(system, range, every, count)) counts.known = false;
  return counts;
}

PageCounts MovePages(const PageSystem& system, std::span<const std::byte> range, int node) {
  PageCounts counts;
  const auto move = [&](std::span<const std::byte* const> pages) {
    const std::vector<int> nodes = system.nodes_of(pages);
    PageCounts batch{std::ssize(pages), CountOn(nodes, node), 0, !nodes.empty()};
    std::vector<const std::byte*> far;
    for (size_t i = 0; i < nodes.size(); ++i) {
      if (nodes[i] >= 0 && nodes[i] != node) far.push_back(pages[i]);
    }
    if (!far.empty()) {
      system.move(far, node);
      batch.moved = CountOn(system.nodes_of(far), node);
      batch.near += batch.moved;
    }
    counts += batch;
  };
  if (!ForEachBatch(system, range, 1, move)) counts.known = false;
  return counts;
}

PageCounts CheckFirstTouch(const PageSystem& system, ThreadPool& pool) {
  constexpr size_t kPages = 64;
  const Team& team = pool.team();
  if (team.nodes.size() == 1) return {.known = false};
  const BindToNode bound(team, 0);
  std::vector<PageCounts> counts(static_cast<size_t>(pool.size()));
  pool.Run([&](int member) {
    const auto memory = ReservedMemory::Reserve(kPages * system.page_bytes);
    if (!memory.ok()) return;
    const std::span<std::byte> all(memory->data(), memory->size_bytes());
    std::fill(all.begin(), all.end(), std::byte{1});
    counts[static_cast<size_t>(member)] =
        CountPages(system, all, team.nodes[static_cast<size_t>(team.NodeOf(member))].id);
  });
  PageCounts sum;
  for (const PageCounts& count : counts) sum += count;
  return sum;
}

}  // namespace tutti::os
