// A small valid file, damaged in every place in turn: each must give an error or a valid model
// whose every byte can be read, never a crash (the asan preset sees what a plain build does not).
#include <gtest/gtest.h>

#include <cstring>

#include "tests/gguf_example.h"
#include "tutti/format/gguf_reader.h"

namespace tutti::format {
namespace {

// Sum of all bytes that the views cover.
uint64_t Touch(const Checkpoint& checkpoint) {
  uint64_t sum = 0;
  for (const auto& [name, view] : checkpoint.tensors) {
    for (size_t i = 0; i < view.size_bytes; ++i) sum += static_cast<uint8_t>(view.data[i]);
  }
  return sum;
}

// Opens a copy in memory of exactly this size, so that reading past the end is noticed.
Status Open(std::string_view bytes) {
  const auto* begin = reinterpret_cast<const std::byte*>(bytes.data());
  const std::vector<std::byte> memory(begin, begin + bytes.size());
  const Result<Checkpoint> opened = OpenGgufBytes(memory, "file");
  if (opened.ok()) {
    Touch(*opened);
    return Status();
  }
  const Status& status = opened.status();
  EXPECT_TRUE(status.code() == StatusCode::kData || status.code() == StatusCode::kUnsupported ||
              status.code() == StatusCode::kResource)
      << status.message();
  EXPECT_TRUE(status.message().starts_with("file: ") && status.message().size() > 12 &&
              status.message().find('\n') == std::string::npos)
      << status.message();
  return status;
}

struct Example {
  std::string bytes;
  size_t header_bytes = 0;
  size_t last_tensor_end = 0;
};

Example MakeExample() {
  Example example;
  const Result<GgufWriter> writer = testing::ExampleGguf();
  EXPECT_TRUE(writer.ok());
  example.bytes = *writer->ToBytes();
  const auto* data = reinterpret_cast<const std::byte*>(example.bytes.data());
  const Result<Checkpoint> opened = OpenGgufBytes({data, example.bytes.size()}, "example");
  EXPECT_TRUE(opened.ok()) << opened.status().message();
  example.header_bytes = example.bytes.size();
  for (const auto& [name, view] : opened->tensors) {
    const auto begin = static_cast<size_t>(view.data - data);
    example.header_bytes = std::min(example.header_bytes, begin);
    example.last_tensor_end = std::max(example.last_tensor_end, begin + view.size_bytes);
  }
  return example;
}

TEST(GgufCorpusTest, TheUndamagedFileOpens) {
  const Example example = MakeExample();
  EXPECT_GT(example.header_bytes, 1000u);
  EXPECT_TRUE(Open(example.bytes).ok());
}

TEST(GgufCorpusTest, EveryTruncationIsAnError) {
  const Example example = MakeExample();
  for (size_t size = 0; size < example.last_tensor_end; ++size) {
    ASSERT_FALSE(Open(std::string_view(example.bytes).substr(0, size)).ok()) << size;
  }
  // Behind it there is only padding.
  for (size_t size = example.last_tensor_end; size < example.bytes.size(); ++size) {
    ASSERT_TRUE(Open(std::string_view(example.bytes).substr(0, size)).ok()) << size;
  }
}

// Whatever length, count, size, type or offset stands at a place is overwritten this way.
TEST(GgufCorpusTest, LiesAtEveryByteOfTheHeaderNeverCrash) {
  const Example example = MakeExample();
  size_t errors = 0;
  size_t opened = 0;
  for (const uint64_t lie : {uint64_t{0}, uint64_t{1}, (uint64_t{1} << 31) - 1, uint64_t{1} << 31,
                             (uint64_t{1} << 32) - 1, uint64_t{1} << 60, uint64_t{1} << 63,
                             ~uint64_t{0} - 31, ~uint64_t{0}}) {
    for (const size_t width : {sizeof(uint32_t), sizeof(uint64_t)}) {
      if (width == sizeof(uint32_t) && lie > ~uint32_t{0}) continue;
      for (size_t at = 0; at + width <= example.header_bytes; ++at) {
        std::string damaged = example.bytes;
        std::memcpy(damaged.data() + at, &lie, width);
        (Open(damaged).ok() ? opened : errors) += 1;
      }
    }
  }
  // Values and names may be anything; lengths and sizes may not.
  EXPECT_GT(errors, 10000u);
  EXPECT_GT(opened, 100u);
}

TEST(GgufCorpusTest, EveryFlippedBitIsSurvived) {
  const Example example = MakeExample();
  for (size_t at = 0; at < example.header_bytes; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = example.bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      const Status status = Open(damaged);
      // Magic, version (3 with a bit flipped may be 2) and counts are checked for what they are.
      const bool checked = at < 24 && at != 4;
      ASSERT_FALSE(checked && status.ok()) << at << " bit " << bit;
    }
  }
}

// A length that is wrong by a little shifts everything behind it.
TEST(GgufCorpusTest, BytesLeftOutOrDoubledAreSurvived) {
  const Example example = MakeExample();
  for (size_t at = 0; at < example.header_bytes; ++at) {
    for (const size_t length : {1, 8}) {
      std::string shorter = example.bytes;
      shorter.erase(at, length);
      Open(shorter).code();
      std::string longer = example.bytes;
      longer.insert(at, example.bytes, at, length);
      Open(longer).code();
    }
  }
}

}  // namespace
}  // namespace tutti::format
