#include "tutti/memory/prefix_file.h"

#include <bit>
#include <cstring>

#include "tutti/base/checked_math.h"

namespace tutti::memory {
namespace {

static_assert(std::endian::native == std::endian::little, "the file's numbers are little-endian");

constexpr uint64_t kFileMagic = 0x3153454741504b54;    // "TKPAGES1", the version included
constexpr uint64_t kRecordMagic = 0x314547415044524b;  // "KRDPAGE1"

class Writer {
 public:
  explicit Writer(std::span<std::byte> bytes) : bytes_(bytes) {}
  template <typename T>
  void Put(T value) {
    std::memcpy(bytes_.data() + at_, &value, sizeof value);
    at_ += sizeof value;
  }
  // Of all before it.
  void Seal() { Put(PrefixChecksum(bytes_.first(at_))); }

 private:
  std::span<std::byte> bytes_;
  size_t at_ = 0;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  template <typename T>
  T Get() {
    T value{};
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  bool Sealed() {
    const uint64_t expected = PrefixChecksum(bytes_.first(at_));
    return Get<uint64_t>() == expected;
  }

 private:
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

uint64_t Mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 32);
}

}  // namespace

uint64_t PrefixSlotBytes(uint64_t page_bytes) {
  return RoundUp<uint64_t>(kPrefixRecord + page_bytes, kPrefixBlock);
}

// Four lanes, so that a multiplication need not wait for the one before.
uint64_t PrefixChecksum(std::span<const std::byte> bytes) {
  std::array<uint64_t, 4> lanes = {1, 2, 3, 4};
  size_t at = 0;
  for (; bytes.size() - at >= 32; at += 32) {
    std::array<uint64_t, 4> words;
    std::memcpy(words.data(), bytes.data() + at, 32);
    for (size_t i = 0; i < 4; ++i) lanes[i] = Mix(lanes[i], words[i]);
  }
  uint64_t hash = bytes.size();
  for (const uint64_t lane : lanes) hash = Mix(hash, lane);
  for (; at < bytes.size(); ++at) hash = Mix(hash, static_cast<uint64_t>(bytes[at]));
  return hash;
}

std::array<std::byte, kPrefixBlock> WritePrefixHeader(const PrefixHeader& header) {
  std::array<std::byte, kPrefixBlock> bytes = {};
  Writer writer(bytes);
  writer.Put(kFileMagic);
  writer.Put(uint64_t{kPageTokens});
  writer.Put(header.fingerprint);
  writer.Put(header.page_bytes);
  writer.Seal();
  return bytes;
}

std::optional<PrefixHeader> ReadPrefixHeader(std::span<const std::byte> bytes) {
  if (bytes.size() < kPrefixBlock) return std::nullopt;
  Reader reader(bytes);
  const bool ours = reader.Get<uint64_t>() == kFileMagic;
  const bool same_tokens = reader.Get<uint64_t>() == uint64_t{kPageTokens};
  PrefixHeader header;
  header.fingerprint = reader.Get<uint64_t>();
  header.page_bytes = reader.Get<uint64_t>();
  if (!reader.Sealed() || !ours || !same_tokens) return std::nullopt;
  return header;
}

std::array<std::byte, kPrefixRecord> WritePrefixRecord(const PrefixRecord& record) {
  std::array<std::byte, kPrefixRecord> bytes = {};
  Writer writer(bytes);
  writer.Put(kRecordMagic);
  writer.Put(record.id);
  writer.Put(record.parent);
  writer.Put(record.tenant);
  writer.Put(record.page_checksum);
  for (const TokenId token : record.tokens) writer.Put(token);
  writer.Seal();
  return bytes;
}

std::optional<PrefixRecord> ReadPrefixRecord(std::span<const std::byte> bytes) {
  if (bytes.size() < kPrefixRecord) return std::nullopt;
  Reader reader(bytes);
  const bool ours = reader.Get<uint64_t>() == kRecordMagic;
  PrefixRecord record;
  record.id = reader.Get<uint64_t>();
  record.parent = reader.Get<uint64_t>();
  record.tenant = reader.Get<uint64_t>();
  record.page_checksum = reader.Get<uint64_t>();
  for (TokenId& token : record.tokens) token = reader.Get<TokenId>();
  if (!reader.Sealed() || !ours) return std::nullopt;
  if (record.parent >= record.id || record.id > kMaxPrefixId) return std::nullopt;
  return record;
}

}  // namespace tutti::memory
