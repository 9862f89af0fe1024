// Hand-made GGUF files, good and bad. The exhaustive lies are in gguf_corpus_test.cc.
#include "tutti/format/gguf_reader.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tutti/format/gguf_types.h"

namespace tutti::format {
namespace {

// Puts a file together field by field, with nothing checked.
class RawGguf {
 public:
  explicit RawGguf(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
    U32(kGgufMagic).U32(version).U64(tensors).U64(keys);
  }
  RawGguf& U8(uint8_t value) { return Put(value); }
  RawGguf& U32(uint32_t value) { return Put(value); }
  RawGguf& U64(uint64_t value) { return Put(value); }
  RawGguf& F32(float value) { return Put(value); }
  RawGguf& String(std::string_view text) {
    U64(text.size());
    bytes_ += text;
    return *this;
  }
  RawGguf& Type(GgufType type) { return U32(static_cast<uint32_t>(type)); }
  RawGguf& Key(std::string_view key, GgufType type) { return String(key).Type(type); }
  RawGguf& U32Key(std::string_view key, uint32_t value) {
    return Key(key, GgufType::kU32).U32(value);
  }
  RawGguf& Array(std::string_view key, GgufType element, uint64_t count) {
    return Key(key, GgufType::kArray).Type(element).U64(count);
  }
  RawGguf& Strings(std::string_view key, const std::vector<std::string_view>& list) {
    Array(key, GgufType::kString, list.size());
    for (const std::string_view text : list) String(text);
    return *this;
  }
  // `dims` innermost first, as in the file.
  RawGguf& Tensor(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type,
                  uint64_t offset) {
    String(name).U32(static_cast<uint32_t>(dims.size()));
    for (const uint64_t size : dims) U64(size);
    return U32(type).U64(offset);
  }
  // Aligns and appends `size` bytes of data.
  RawGguf& Data(size_t size, size_t alignment = 32) {
    while (bytes_.size() % alignment != 0) bytes_ += '\0';
    bytes_.append(size, 'd');
    return *this;
  }
  std::string_view bytes() const { return bytes_; }

 private:
  template <typename T>
  RawGguf& Put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  std::string bytes_;
};

constexpr uint32_t kF32 = 0;
constexpr uint32_t kQ8_0 = 8;

// Aligned bytes that live as long as the checkpoint.
struct Opened {
  std::unique_ptr<uint64_t[]> memory;
  Result<Checkpoint> checkpoint = Status(StatusCode::kInternal, "not opened");
};

Opened Open(std::string_view bytes) {
  Opened opened;
  opened.memory = std::make_unique<uint64_t[]>(bytes.size() / 8 + 1);
  std::memcpy(opened.memory.get(), bytes.data(), bytes.size());
  opened.checkpoint = OpenGgufBytes(
      {reinterpret_cast<const std::byte*>(opened.memory.get()), bytes.size()}, "file");
  return opened;
}
Opened Open(const RawGguf& raw) { return Open(raw.bytes()); }

void ExpectError(std::string_view bytes, StatusCode code, std::string_view part) {
  const Opened opened = Open(bytes);
  ASSERT_FALSE(opened.checkpoint.ok()) << part;
  const Status& status = opened.checkpoint.status();
  EXPECT_EQ(status.code(), code) << status.message();
  EXPECT_TRUE(status.message().starts_with("file: ")) << status.message();
  EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  EXPECT_EQ(status.message().find('\n'), std::string::npos) << status.message();
}
void ExpectError(const RawGguf& raw, StatusCode code, std::string_view part) {
  ExpectError(raw.bytes(), code, part);
}
void ExpectBad(const RawGguf& raw, std::string_view part) {
  ExpectError(raw, StatusCode::kData, part);
}

TEST(GgufReaderTest, ShapesAreOutermostFirst) {
  const Opened opened = Open(
      RawGguf(2, 0).Tensor("a", {32, 3, 2}, kQ8_0, 0).Tensor("scalar", {}, kF32, 224).Data(228));
  ASSERT_TRUE(opened.checkpoint.ok()) << opened.checkpoint.status().message();
  const tensor::TensorView* a = opened.checkpoint->Find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->shape, (tensor::Shape{{2, 3, 32}, 3}));
  EXPECT_EQ(a->size_bytes, 6u * 34);
  EXPECT_EQ(static_cast<char>(a->data[0]), 'd');
  EXPECT_EQ(opened.checkpoint->Find("scalar")->shape, (tensor::Shape{{1}, 1}));
  EXPECT_EQ(opened.checkpoint->vocab, nullptr);
}

TEST(GgufReaderTest, TensorsMayStandInAnyOrderAndLeaveGaps) {
  const Opened opened =
      Open(RawGguf(2, 0).Tensor("late", {1}, kF32, 128).Tensor("early", {1}, kF32, 32).Data(132));
  ASSERT_TRUE(opened.checkpoint.ok()) << opened.checkpoint.status().message();
  EXPECT_EQ(opened.checkpoint->Find("late")->data - opened.checkpoint->Find("early")->data, 96);
}

TEST(GgufReaderTest, OtherAlignmentsAreRead) {
  for (const uint32_t alignment : {8u, 64u, 4096u}) {
    const Opened opened = Open(RawGguf(1, 1)
                                   .U32Key("general.alignment", alignment)
                                   .Tensor("t", {2}, kF32, alignment)
                                   .Data(alignment + 8, alignment));
    ASSERT_TRUE(opened.checkpoint.ok()) << opened.checkpoint.status().message();
  }
}

TEST(GgufReaderTest, OtherFilesAreRefusedByName) {
  ExpectError("", StatusCode::kData, "GGUF magic at byte 0 takes 4 bytes, only 0 are left");
  ExpectError("GGU", StatusCode::kData, "only 3 are left");
  ExpectError("{\"a\": 1}", StatusCode::kData,
              "not a GGUF file: begins with the bytes 7b 22 61 22");
  ExpectBad(RawGguf(0, 0, 0), "version 0");
  ExpectError(RawGguf(0, 0, 1), StatusCode::kUnsupported, "version 1");
  ExpectError(RawGguf(0, 0, 4), StatusCode::kUnsupported, "version 4 is not supported");
  ExpectError(RawGguf(0, 0, 0x03000000), StatusCode::kUnsupported, "big-endian");
  EXPECT_TRUE(Open(RawGguf(0, 0, 2)).checkpoint.ok());
  EXPECT_TRUE(Open(RawGguf(0, 0, 3)).checkpoint.ok());
}

TEST(GgufReaderTest, MisalignedMemoryIsAUsageError) {
  alignas(8) std::byte bytes[40] = {};
  EXPECT_EQ(OpenGgufBytes(std::span(bytes).subspan(4), "file").status().code(), StatusCode::kUsage);
}

TEST(GgufReaderTest, LyingCountsFailBeforeAnythingIsReserved) {
  for (const uint64_t lie : {uint64_t{1}, uint64_t{1} << 31, uint64_t{1} << 60, ~uint64_t{0}}) {
    ExpectBad(RawGguf(lie, 0), "tensors are announced");
    ExpectBad(RawGguf(0, lie), "metadata keys are announced");
    if (lie == 1) continue;
    ExpectBad(RawGguf(0, 1).U64(lie).U64(0), "metadata key at byte 32 takes");
    ExpectBad(RawGguf(0, 1).Key("s", GgufType::kString).U64(lie), "metadata key s: string at byte");
    for (uint32_t type = 0; type < kGgufTypeCount; ++type) {
      if (static_cast<GgufType>(type) == GgufType::kArray) continue;
      ExpectBad(RawGguf(0, 1).Array("a", static_cast<GgufType>(type), lie).U64(0),
                "elements is announced at byte");
    }
    ExpectBad(RawGguf(1, 0).U64(lie).Data(64), "tensor name at byte 32 takes");
  }
  ExpectBad(RawGguf(0, 1).Array("a", GgufType::kString, 2).String("x").U64(9),
            "string in an array");
}

TEST(GgufReaderTest, BadKeysAreRefused) {
  ExpectBad(RawGguf(0, 2).U32Key("twice", 1).U32Key("twice", 2), "metadata key twice at byte 45");
  ExpectBad(
      RawGguf(0, 2).Strings("tokenizer.ggml.tokens", {"a"}).Strings("tokenizer.ggml.tokens", {"a"}),
      "appears twice");
  ExpectBad(RawGguf(0, 1).U32Key("", 1), "has 0 bytes, 1 to 65535 are possible");
  ExpectBad(RawGguf(0, 1).U32Key(std::string(65536, 'k'), 1), "has 65536 bytes");
  for (const char* key : {"\xff", "a\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x99"}) {
    ExpectBad(RawGguf(0, 1).U32Key(key, 1), "is not UTF-8");
  }
  ExpectBad(RawGguf(0, 1).U32Key("new\nline\xff", 1), "\"new\\x0aline\\xff\"");
}

TEST(GgufReaderTest, BadValuesAreRefused) {
  ExpectBad(RawGguf(0, 1).String("key").U32(13).U64(0), "metadata key key: unknown value type 13");
  ExpectBad(RawGguf(0, 1).Key("key", GgufType::kArray).U32(99).U64(0), "unknown value type 99");
  ExpectError(RawGguf(0, 1).Array("key", GgufType::kArray, 1).U32(0).U64(0),
              StatusCode::kUnsupported, "array of arrays");
  ExpectBad(RawGguf(0, 1).Key("key", GgufType::kBool).U8(2).U64(0), "is 2, not 0 or 1");
  ExpectBad(RawGguf(0, 1).Array("key", GgufType::kBool, 2).U8(1).U8(3), "is 3, not 0 or 1");
  ExpectError(RawGguf(0, 1).Array("key", GgufType::kU64, 1).U64(1ull << 63),
              StatusCode::kUnsupported, "above 2^63 - 1");
}

TEST(GgufReaderTest, LimitsOnMetadataHold) {
  RawGguf raw(0, 1);
  raw.Array("key", GgufType::kU8, (1 << 24) + 1);
  ExpectError(std::string(raw.bytes()) + std::string((1 << 24) + 1, '\0'), StatusCode::kResource,
              "more than 16777216 array elements");
  RawGguf keys(0, 65537);
  keys.Data(65537 * 14);
  ExpectError(keys, StatusCode::kResource, "65537 metadata keys, at most 65536");
}

TEST(GgufReaderTest, BadAlignmentsAreRefused) {
  for (const uint32_t alignment : {0u, 1u, 4u, 12u, 33u, 1u << 25, 1u << 31, ~0u}) {
    ExpectBad(RawGguf(0, 1).U32Key("general.alignment", alignment),
              fmt::format("general.alignment is {}", alignment));
  }
  ExpectBad(RawGguf(0, 1).Key("general.alignment", GgufType::kString).String("32"),
            "an integer expected");
}

TEST(GgufReaderTest, BadTensorsAreRefused) {
  const auto one = [](const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
    return RawGguf(1, 0).Tensor("t", dims, type, offset).Data(256);
  };
  ExpectBad(one({1, 1, 1, 1, 1}, kF32, 0), "tensor t: 5 dimensions at byte 33, at most 4");
  ExpectBad(one({0}, kF32, 0), "tensor t: dimension 0");
  ExpectBad(one({4, 0}, kF32, 0), "dimension 0");
  ExpectBad(one({1ull << 63}, kF32, 0), "dimension -9223372036854775808");
  ExpectBad(one({~0ull}, kF32, 0), "dimension -1");
  ExpectBad(one({1ull << 32, 1ull << 32}, kF32, 0), "overflow");
  ExpectBad(one({1ull << 31, 1ull << 31}, kF32, 0), "overflows");
  ExpectBad(one({33}, kQ8_0, 0), "rows of 33 values are not whole blocks of 32 (Q8_0)");
  ExpectBad(one({16, 2}, kQ8_0, 0), "rows of 16 values");
  ExpectBad(one({4}, kF32, 4), "begins at data byte 4, not a multiple of 32");
  ExpectBad(one({64}, kF32, 32), "needs 256 bytes at data byte 32 (file byte 96)");
  ExpectBad(one({1}, kF32, ~0ull - 31), "data byte 18446744073709551584");
  ExpectBad(one({1ull << 40}, kF32, 0), "is the download complete?");
  ExpectBad(RawGguf(1, 0).Tensor("", {1}, kF32, 0).Data(32), "tensor name \"\" at byte 24");
  ExpectBad(RawGguf(1, 0).Tensor("a\xff", {1}, kF32, 0).Data(32), "\"a\\xff\"");
  ExpectBad(RawGguf(2, 0).Tensor("t", {1}, kF32, 0).Tensor("t", {1}, kF32, 32).Data(64),
            "tensor t appears twice");
  ExpectBad(RawGguf(2, 0).Tensor("t", {9}, kF32, 0).Tensor("u", {1}, kF32, 32).Data(64),
            "tensors t and u overlap at data byte 32");
  ExpectBad(RawGguf(2, 0).Tensor("t", {1}, kF32, 0).Tensor("u", {1}, kF32, 0).Data(64), "overlap");
}

TEST(GgufReaderTest, UnknownTensorTypesAreNamed) {
  for (const uint32_t type : {4u, 5u, 9u, 15u, 31u, 36u, 37u, 38u, 41u, 1u << 31, ~0u}) {
    ExpectError(RawGguf(1, 0).Tensor("blk.0.x", {256}, type, 0).Data(4096),
                StatusCode::kUnsupported,
                fmt::format("not supported yet: TYPE {} in tensor blk.0.x", type));
  }
}

TEST(GgufReaderTest, PartsOfASplitModelNeedTheirFiles) {
  ExpectBad(RawGguf(0, 2).U32Key("split.no", 1).U32Key("split.count", 3),
            "the keys split.no and split.count say 2 of 3");
  ExpectBad(RawGguf(0, 2).U32Key("split.no", 3).U32Key("split.count", 3), "which cannot be");
  ExpectBad(RawGguf(0, 1).Key("split.no", GgufType::kI64).U64(1ull << 63), "which cannot be");
  ExpectBad(RawGguf(0, 1).Key("split.count", GgufType::kU64).U64(1ull << 62), "which cannot be");
  EXPECT_TRUE(Open(RawGguf(0, 1).U32Key("split.count", 0)).checkpoint.ok());
}

RawGguf Vocabulary(uint64_t more_keys, const char* model = "gpt2") {
  RawGguf raw(0, 2 + more_keys);
  raw.Key("tokenizer.ggml.model", GgufType::kString).String(model);
  raw.Strings("tokenizer.ggml.tokens", {"<s>", "a", "b", "a b"});
  return raw;
}

TEST(GgufReaderTest, ContradictingVocabulariesAreRefused) {
  ExpectBad(RawGguf(0, 1).Key("tokenizer.ggml.model", GgufType::kString).String("gpt2"),
            "tokenizer.ggml.tokens is missing or empty");
  ExpectBad(RawGguf(0, 2)
                .Key("tokenizer.ggml.model", GgufType::kString)
                .String("gpt2")
                .U32Key("tokenizer.ggml.tokens", 5),
            "tokenizer.ggml.tokens is not an array");
  ExpectBad(RawGguf(0, 2)
                .Key("tokenizer.ggml.model", GgufType::kString)
                .String("gpt2")
                .Array("tokenizer.ggml.tokens", GgufType::kU8, 1)
                .U8(1),
            "is an array of type 0, 8 expected");
  ExpectBad(Vocabulary(1).Array("tokenizer.ggml.scores", GgufType::kF32, 1).F32(0),
            "scores has 1 elements for 4 tokens");
  ExpectBad(Vocabulary(1).Array("tokenizer.ggml.token_type", GgufType::kI32, 1).U32(1),
            "token_type has 1 elements for 4 tokens");
  ExpectBad(Vocabulary(1)
                .Array("tokenizer.ggml.token_type", GgufType::kI32, 4)
                .U32(1)
                .U32(1)
                .U32(7)
                .U32(1),
            "token 2 has the unknown type 7");
  for (const char* merge : {"", " ", "a", "ab ", " b"}) {
    ExpectBad(Vocabulary(1).Strings("tokenizer.ggml.merges", {"a b", merge}), "merge 1 is");
  }
  ExpectBad(Vocabulary(1).U32Key("tokenizer.ggml.eos_token_id", 4),
            "tokenizer.ggml.eos_token_id is 4, the vocabulary has 4 tokens");
  ExpectBad(Vocabulary(1).Key("tokenizer.ggml.add_bos_token", GgufType::kString).String("yes"),
            "true or false expected");
}

}  // namespace
}  // namespace tutti::format
