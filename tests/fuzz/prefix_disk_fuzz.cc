// The file of remembered pages: whatever it holds, opening it gives an index that is consistent,
// stays so whatever is read and written, and a page that can be read is one that was written.
//
// Input: a byte that says how many slots the file has; a slot is nine bytes: how its record or page
// is damaged, its numbers and what fills it, because a fuzzer cannot guess checksums. The rest are
// reads and writes. Inputs that begin with 0 are the file itself behind a right header, and 255 is
// the file without one.
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tutti/base/check.h"
#include "tutti/memory/prefix_disk.h"

namespace {

using namespace tutti;
using namespace tutti::memory;

constexpr PrefixHeader kHeader = {.fingerprint = 5, .page_bytes = 64};
constexpr int64_t kSlots = 24;  // that the disk may take; a file may have more
constexpr int kOperations = 96;
const int64_t kSlotBytes = static_cast<int64_t>(PrefixSlotBytes(kHeader.page_bytes));
const int64_t kLimitBytes = static_cast<int64_t>(kPrefixBlock) + kSlots * kSlotBytes;

// Bytes of the input one after the other; zeros behind its end.
class Input {
 public:
  explicit Input(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  uint8_t Next() {
    if (bytes_.empty()) return 0;
    const uint8_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte;
  }
  // Small ones, and those at the end of the range.
  uint64_t NextNumber() {
    const uint8_t byte = Next();
    return byte < 240 ? byte % 40u : ~uint64_t{0} - (255u - byte);
  }
  std::span<const uint8_t> Rest() const { return bytes_; }

 private:
  std::span<const uint8_t> bytes_;
};

// In memory where the system has such a place: a fuzzer writes thousands of them.
std::string Path() {
  const std::filesystem::path memory = "/dev/shm";
  const auto folder =
      std::filesystem::exists(memory) ? memory : std::filesystem::temp_directory_path();
  return (folder / ("tutti_prefix_fuzz_" + std::to_string(::getpid()))).string();
}

void Put(os::LockedFile& file, int64_t offset, std::span<const std::byte> bytes) {
  const Status status = file.WriteAt(offset, bytes);
  TUTTI_CHECK(status.ok(), status.message());
}

void PutSlot(os::LockedFile& file, int64_t slot, Input& input) {
  const uint8_t damage = input.Next();
  const uint8_t where = input.Next();
  PrefixRecord record{.id = input.NextNumber(),
                      .parent = input.NextNumber(),
                      .tenant = input.Next() % 3u,
                      .page_checksum = 0,
                      .tokens = {}};
  record.tokens.fill(input.Next() % 4);
  std::vector<std::byte> page(kHeader.page_bytes, std::byte{input.Next()});
  record.page_checksum = PrefixChecksum(page);
  auto bytes = WritePrefixRecord(record);
  if (damage % 8 == 1) bytes[where] ^= std::byte{1};
  if (damage % 8 == 2) page[where % page.size()] ^= std::byte{1};
  const int64_t offset = static_cast<int64_t>(kPrefixBlock) + slot * kSlotBytes;
  Put(file, offset, bytes);
  if (damage % 8 != 3) Put(file, offset + static_cast<int64_t>(bytes.size()), page);
}

// What the input says: true where all whole pages in it are of one byte each.
bool MakeFile(const std::string& path, Input& input) {
  auto opened = os::LockedFile::Open(path);
  TUTTI_CHECK(opened.ok(), opened.status().message());
  os::LockedFile& file = *opened;
  TUTTI_CHECK(file.Resize(0).ok(), "a file for the fuzzer");
  const uint8_t kind = input.Next();
  if (kind != 255) Put(file, 0, WritePrefixHeader(kHeader));
  if (kind == 0 || kind == 255) {
    Put(file, kind == 0 ? static_cast<int64_t>(kPrefixBlock) : 0, std::as_bytes(input.Rest()));
    return false;
  }
  for (int64_t slot = 0; slot < kind % (kSlots + 8); ++slot) PutSlot(file, slot, input);
  return true;
}

std::unique_ptr<PrefixDisk> Open(const std::string& path) {
  auto opened = PrefixDisk::Open(path, kHeader, kLimitBytes);
  TUTTI_CHECK(opened.ok(), opened.status().message());
  return std::move(*opened);
}

void Check(const PrefixDisk& disk) {
  const std::string wrong = disk.CheckIntegrity();
  TUTTI_CHECK(wrong.empty(), wrong);
}

// What each page that was written holds.
using Written = std::map<PrefixDisk::Id, std::byte>;

void Read(PrefixDisk& disk, PrefixDisk::Id id, const Written& written, bool uniform) {
  std::vector<std::byte> page(kHeader.page_bytes);
  if (!disk.Read(id, page)) return;
  const auto known = written.find(id);
  for (const std::byte byte : page) {
    TUTTI_CHECK(!uniform || byte == page[0], "a damaged page is read");
    TUTTI_CHECK(known == written.end() || byte == known->second, "another page is read");
  }
}

void Write(PrefixDisk& disk, Input& input, Written& written) {
  const uint64_t tenant = input.Next() % 3u;
  const PrefixDisk::Id parent = input.NextNumber();
  const TokenIds tokens(kPageTokens, input.Next() % 8);
  const std::byte fill{input.Next()};
  const bool known = disk.Find(tenant, parent, tokens) != 0;
  const PrefixDisk::Id id =
      disk.Write(tenant, parent, tokens, std::vector<std::byte>(kHeader.page_bytes, fill), true);
  if (id == 0) return;
  TUTTI_CHECK(disk.Contains(id) && disk.Find(tenant, parent, tokens) == id, "not found again");
  if (!known) {
    TUTTI_CHECK(written.emplace(id, fill).second, "a number is given twice");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 4096) return 0;
  static const std::string path = Path();
  Input input({data, size});
  const bool uniform = MakeFile(path, input);
  auto disk = Open(path);
  Check(*disk);
  Written written;
  for (int i = 0; i < kOperations && !input.empty(); ++i) {
    if (input.Next() % 2 == 0) {
      Read(*disk, input.NextNumber(), written, uniform);
    } else {
      Write(*disk, input, written);
    }
    Check(*disk);
  }
  disk.reset();  // writes what waits
  disk = Open(path);
  Check(*disk);
  for (PrefixDisk::Id id = 1; id < 64; ++id) Read(*disk, id, written, uniform);
  Check(*disk);
  disk.reset();
  std::filesystem::remove(path);
  return 0;
}
