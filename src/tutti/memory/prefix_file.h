// The bytes of a file of remembered pages (docs/formats/prefix_disk.md).
//
//   [header: kPrefixBlock] [slot 0] [slot 1] ...     slot: [record: kPrefixRecord] [page] padding
//
// A slot begins with a record that says which text the page stands for: the 32 tokens of the page
// and the record of the page before it, so that a chain of records is a whole text. Every part has
// a checksum; what does not match is as if it were not there.
//
// Pure functions on bytes. Errors: nullopt for anything that is not what this version writes.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "tutti/base/ids.h"
#include "tutti/memory/kv_pool.h"

namespace tutti::memory {

inline constexpr size_t kPrefixBlock = 4096;  // of the header; slots are multiples of it
inline constexpr size_t kPrefixRecord = 256;
inline constexpr uint64_t kMaxPrefixId = uint64_t{1} << 62;  // in a file; leaves room to count on

// Who wrote the file and may read it.
struct PrefixHeader {
  uint64_t fingerprint = 0;  // of the model, its arithmetic and the type of keys and values
  uint64_t page_bytes = 0;
};

struct PrefixRecord {
  uint64_t id = 0;      // counts from 1; grows from page to page of a text
  uint64_t parent = 0;  // 0: the first page of a text
  uint64_t tenant = 0;
  uint64_t page_checksum = 0;
  std::array<TokenId, kPageTokens> tokens = {};
};

uint64_t PrefixSlotBytes(uint64_t page_bytes);

// Finds errors, not forgeries.
uint64_t PrefixChecksum(std::span<const std::byte> bytes);

std::array<std::byte, kPrefixBlock> WritePrefixHeader(const PrefixHeader& header);
std::optional<PrefixHeader> ReadPrefixHeader(std::span<const std::byte> bytes);
std::array<std::byte, kPrefixRecord> WritePrefixRecord(const PrefixRecord& record);
std::optional<PrefixRecord> ReadPrefixRecord(std::span<const std::byte> bytes);

}  // namespace tutti::memory
