// The file of remembered pages: whatever it holds, opening it gives an index that is consistent,
// and a page that can be read is one that was written.
//
// Input: the bytes are taken as a list of slots. A slot's first byte says whether its record is
// sealed with right checksums (a fuzzer cannot guess them) and whether its page is damaged; the
// others are its numbers and tokens. Inputs that begin with 0 are the file itself.
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tutti/base/check.h"
#include "tutti/memory/prefix_disk.h"

namespace {

using namespace tutti;
using namespace tutti::memory;

constexpr PrefixHeader kHeader = {.fingerprint = 5, .page_bytes = 64};

std::string MakeFile(const uint8_t* data, size_t size) {
  const auto header = WritePrefixHeader(kHeader);
  std::string file(reinterpret_cast<const char*>(header.data()), header.size());
  const size_t slot_bytes = PrefixSlotBytes(kHeader.page_bytes);
  for (size_t at = 0; at + 6 <= size; at += 6) {
    PrefixRecord record{.id = data[at + 1],
                        .parent = data[at + 2],
                        .tenant = data[at + 3] % 3u,
                        .page_checksum = 0,
                        .tokens = {}};
    record.tokens.fill(data[at + 4] % 4);
    std::vector<std::byte> page(kHeader.page_bytes, std::byte{data[at + 5]});
    record.page_checksum = PrefixChecksum(page);
    auto bytes = WritePrefixRecord(record);
    if (data[at] % 8 == 1) bytes[data[at + 4]] ^= std::byte{1};
    if (data[at] % 8 == 2) page[data[at + 4] % 64] ^= std::byte{1};
    std::string slot(slot_bytes, '\0');
    std::memcpy(slot.data(), bytes.data(), bytes.size());
    std::memcpy(slot.data() + bytes.size(), page.data(), page.size());
    file += slot;
  }
  return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 4096) return 0;
  static const std::string path =
      (std::filesystem::temp_directory_path() / ("tutti_prefix_fuzz_" + std::to_string(::getpid())))
          .string();
  const std::string content = data[0] == 0
                                  ? std::string(reinterpret_cast<const char*>(data) + 1, size - 1)
                                  : MakeFile(data + 1, size - 1);
  const bool written = static_cast<bool>(std::ofstream(path, std::ios::binary) << content);
  TUTTI_CHECK(written, "a file for the fuzzer");
  auto opened = PrefixDisk::Open(path, kHeader, 200 * 4096);
  std::filesystem::remove(path);
  if (!opened.ok()) return 0;
  PrefixDisk& disk = **opened;
  const auto check = [&] { TUTTI_CHECK(disk.CheckIntegrity().empty(), disk.CheckIntegrity()); };
  check();
  std::vector<std::byte> page(kHeader.page_bytes);
  for (PrefixDisk::Id id = 0; id < 256; ++id) {
    if (!disk.Read(id, page)) continue;
    for (const std::byte byte : page) {
      TUTTI_CHECK(byte == page[0] || data[0] == 0, "a damaged page is read");
    }
  }
  check();
  const TokenIds tokens(kPageTokens, 2);
  PrefixDisk::Id parent = 0;
  for (int i = 0; i < 5; ++i) {
    parent = disk.Write(1, parent, tokens, page, true);
    check();
    if (parent == 0 || !disk.Read(parent, page)) break;
  }
  return 0;
}
