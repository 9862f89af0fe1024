// On which memory node pages lie, and moving them to another.
//
// A page of a mapped file is one page for all processes (the page cache): where it lies was decided
// by whoever read it first. Pages that nobody has read yet come to the node of the thread that
// touches them first, so only those that are already in memory need a push. Nothing is copied into
// memory of our own.
//
// A page belongs to the range that its first byte is in, so ranges side by side share none.
// Threads: any; ranges apart may be worked on at the same time. Errors: what the system refuses
// (containers often forbid move_pages) leaves pages where they are; the counts say so.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/os/thread_pool.h"

namespace tutti::os {

// The system's calls, so that tests can describe any machine. Addresses are those of pages.
struct PageSystem {
  size_t page_bytes = 4096;
  // One entry per page: is it in memory, so that touching it reads no disk? False also where only
  // other processes have it there and the system does not tell; empty: not known at all.
  std::function<std::vector<bool>(const std::byte* first, size_t pages)> in_memory;
  // The node of each page, negative where it is not mapped; empty: not known.
  std::function<std::vector<int>(std::span<const std::byte* const> pages)> nodes_of;
  // Wants them on `node`.
  std::function<void(std::span<const std::byte* const> pages, int node)> move;
};

// Linux: mincore(2), move_pages(2), for what is mapped when this is called.
PageSystem RealPageSystem();

// The ranges that mincore(2) says nothing about: of files that are neither ours nor writable it
// calls every page resident. `maps` is the text of /proc/self/maps, `is_told` whether it tells of
// the file of that name.
std::vector<std::span<const std::byte>> UntoldRanges(
    std::string_view maps, const std::function<bool(const std::string& path)>& is_told);

struct PageCounts {
  int64_t in_memory = 0;  // pages that were looked at and are in memory
  int64_t near = 0;       // of these, on the wanted node
  int64_t moved = 0;      // of these, brought there
  bool known = true;      // false: the system does not tell, and the others say nothing
  PageCounts& operator+=(const PageCounts& other);
};

// Counts the pages of `range` on `node`, every `every`-th of those in memory.
PageCounts CountPages(const PageSystem& system, std::span<const std::byte> range, int node,
                      size_t every = 1);
// Moves the pages of `range` that are in memory on another node to `node`.
PageCounts MovePages(const PageSystem& system, std::span<const std::byte> range, int node);

// Every member of the pool touches some new pages: are they on its node? Not known, too, in a team
// of one node: its members are bound to none.
PageCounts CheckFirstTouch(const PageSystem& system, ThreadPool& pool);

}  // namespace tutti::os
