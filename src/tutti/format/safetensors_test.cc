#include "tutti/format/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "tests/shared_fixtures.h"
#include "tutti/os/mmap.h"

namespace tutti::format {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// `length` is what the file says of its header; the truth unless given.
std::string FileOf(std::string_view header, std::string_view data,
                   std::optional<uint64_t> length = std::nullopt) {
  const uint64_t n = length.value_or(header.size());
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(n >> (8 * i) & 0xff);
  file += header;
  file += data;
  return file;
}

// Reads a copy of exactly that size, so that the address sanitizer sees a step beyond it.
Result<Safetensors> Open(std::string_view file) {
  const auto* begin = reinterpret_cast<const std::byte*>(file.data());
  const std::vector<std::byte> exact(begin, begin + file.size());
  auto result = OpenSafetensorsBytes(exact, "f");
  if (result.ok()) {
    for (const auto& [name, view] : result->tensors) {
      EXPECT_GE(view.data, exact.data());
      EXPECT_LE(view.data + view.size_bytes, exact.data() + exact.size());
    }
  }
  return result;
}

std::string ErrorOf(std::string_view header, std::string_view data = "",
                    StatusCode code = StatusCode::kData) {
  const auto result = Open(FileOf(header, data));
  EXPECT_EQ(result.status().code(), code) << header << "\n" << result.status().message();
  EXPECT_EQ(result.status().message().find('\n'), std::string::npos);
  return result.status().message();
}

constexpr std::string_view kTwo =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,1],"data_offsets":[8,12]},)"
    R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}   )";

TEST(Safetensors, Reads) {
  const std::string file = FileOf(kTwo, "0123456789ab");
  const auto* bytes = reinterpret_cast<const std::byte*>(file.data());
  const auto result = OpenSafetensorsBytes({bytes, file.size()}, "f");
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->metadata.at("format"), "pt");
  ASSERT_EQ(result->tensors.size(), 2u);
  const tensor::TensorView& b = result->tensors.at("b");
  EXPECT_EQ(b.dtype, DType::kBF16);
  EXPECT_EQ(b.shape, (tensor::Shape{{2, 1}, 2}));
  EXPECT_EQ(b.size_bytes, 4u);
  EXPECT_EQ(std::memcmp(b.data, "89ab", 4), 0);
}

TEST(Safetensors, ReadsScalarsAndEmptyTensors) {
  const auto result = Open(FileOf(
      R"({"z":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},
          "s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},
          "e":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
      "1234"));
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->tensors.at("s").shape.elements(), 1);
  EXPECT_EQ(result->tensors.at("z").size_bytes, 0u);
  EXPECT_TRUE(Open(FileOf("{}", "")).ok());
}

TEST(Safetensors, RefusesEveryTruncation) {
  const std::string file = FileOf(kTwo, "0123456789ab");
  ASSERT_TRUE(Open(file).ok());
  for (size_t n = 0; n < file.size(); ++n) {
    EXPECT_EQ(Open(file.substr(0, n)).status().code(), StatusCode::kData) << n;
  }
  EXPECT_EQ(Open(file + "x").status().code(), StatusCode::kData);
}

TEST(Safetensors, SurvivesEveryChangedByte) {
  const std::string file = FileOf(kTwo, "0123456789ab");
  int refused = 0;
  for (size_t i = 0; i < file.size(); ++i) {
    for (const int change : {0x01, 0x04, 0x10, 0x80, 0xff}) {
      std::string bad = file;
      bad[i] = static_cast<char>(bad[i] ^ change);
      const auto result = Open(bad);
      if (!result.ok()) ++refused;
    }
  }
  EXPECT_GT(refused, 500);
}

TEST(Safetensors, RefusesLyingLengths) {
  for (const uint64_t n : {uint64_t{0}, uint64_t{1}, uint64_t{3}, uint64_t{1} << 32,
                           uint64_t{1} << 63, ~uint64_t{0} - 7, ~uint64_t{0}}) {
    EXPECT_EQ(Open(FileOf("{}", "", n)).status().code(), StatusCode::kData) << n;
  }
  EXPECT_THAT(Open(FileOf("{}", "", ~uint64_t{0})).status().message(),
              HasSubstr("18446744073709551615, but only 2 bytes follow"));
  std::string large = FileOf("", "", kMaxSafetensorsHeaderBytes + 1);
  large.resize(8 + kMaxSafetensorsHeaderBytes + 1, ' ');
  EXPECT_THAT(Open(large).status().message(), HasSubstr("100000001 bytes is beyond the limit"));
  EXPECT_THAT(Open("1234567").status().message(), HasSubstr("7 bytes are too few"));
}

TEST(Safetensors, RefusesBadJson) {
  ErrorOf("");
  ErrorOf("   ");
  ErrorOf("{");
  ErrorOf("{} {}");
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("a list, an object expected"));
  EXPECT_THAT(ErrorOf("null"), HasSubstr("null"));
  ErrorOf(std::string_view("{}\0\0", 4));
  EXPECT_THAT(ErrorOf(std::string(1'000'000, '[')), HasSubstr("deep"));
  ErrorOf("{\"a\xff\": 1}");
  EXPECT_THAT(ErrorOf(R"({"a\u001b":{}, "a\u001b":{}})"), HasSubstr("\"a\\x1b\" appears twice"));
  EXPECT_THAT(ErrorOf(R"({"__metadata__":[]})"), HasSubstr("__metadata__ is a list"));
  EXPECT_THAT(ErrorOf(R"({"__metadata__":{"k":1}})"), HasSubstr("__metadata__.k is an integer"));
}

std::string Entry(std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return fmt::format(R"({{"t":{{"dtype":{},"shape":{},"data_offsets":{}}}}})", dtype, shape,
                     offsets);
}

TEST(Safetensors, RefusesBadEntries) {
  EXPECT_THAT(ErrorOf(R"({"t":1})"), HasSubstr("f: tensor t: an integer"));
  EXPECT_THAT(ErrorOf(R"({"t":{}})"), HasSubstr("\"dtype\" is missing"));
  EXPECT_THAT(ErrorOf(R"({"t":{"dtype":"F32"}})"), HasSubstr("\"shape\" is missing"));
  EXPECT_THAT(ErrorOf(R"({"t":{"dtype":"F32","shape":[]}})"),
              HasSubstr("\"data_offsets\" is missing"));
  ErrorOf(Entry("1", "[]", "[0,0]"));
  ErrorOf(Entry("\"F32\"", "{}", "[0,0]"));
  ErrorOf(Entry("\"F32\"", "[\"1\"]", "[0,4]"), "1234");
  EXPECT_THAT(ErrorOf(Entry("\"F32\"", "[1.0]", "[0,4]"), "1234"), HasSubstr("a number"));
  EXPECT_THAT(ErrorOf(Entry("\"F32\"", "[-1]", "[0,4]"), "1234"), HasSubstr("is negative: -1"));
  ErrorOf(Entry("\"F32\"", "[1]", "[0]"), "1234");
  ErrorOf(Entry("\"F32\"", "[1]", "[0,4,4]"), "1234");
  ErrorOf(Entry("\"F32\"", "[1]", "[0,\"4\"]"), "1234");
  EXPECT_THAT(ErrorOf(Entry("\"F32\"", "[1]", "[4,0]"), "1234"), HasSubstr("reversed"));
  EXPECT_THAT(ErrorOf(Entry("\"F32\"", "[1]", "[0,8]"), "1234"), HasSubstr("beyond the file"));
  EXPECT_THAT(ErrorOf(Entry("\"F32\"", "[1]", "[0,18446744073709551615]"), "1234"),
              HasSubstr("beyond the file"));
  EXPECT_THAT(ErrorOf(Entry("\"F32\"", "[2]", "[0,4]"), "1234"),
              HasSubstr("F32 [2] takes 8 bytes, but data_offsets [0, 4] hold 4"));
}

TEST(Safetensors, RefusesOverflowingShapes) {
  EXPECT_THAT(ErrorOf(Entry("\"F32\"", "[4611686018427387904,4]", "[0,0]")),
              HasSubstr("overflows"));
  EXPECT_THAT(ErrorOf(Entry("\"F32\"", "[4294967296,4294967296]", "[0,0]")),
              HasSubstr("overflows"));
  EXPECT_THAT(ErrorOf(Entry("\"U8\"", "[9223372036854775808]", "[0,0]")),
              HasSubstr("not possible"));
  EXPECT_THAT(ErrorOf(Entry("\"U8\"", "[4294967296,4294967296,0]", "[0,0]")),
              HasSubstr("overflows"));
}

TEST(Safetensors, SaysWhatIsNotSupportedYet) {
  for (const char* dtype : {"F4", "C64", "Q4_0", "INT4_PACKED", "", "f32"}) {
    EXPECT_THAT(ErrorOf(Entry(fmt::format("\"{}\"", dtype), "[1]", "[0,4]"), "1234",
                        StatusCode::kUnsupported),
                HasSubstr(fmt::format("f: tensor t: dtype {} is not supported yet", dtype)));
  }
  std::string dims = "1";
  for (int i = 0; i < tensor::kMaxDims; ++i) dims += ",1";
  EXPECT_THAT(
      ErrorOf(Entry("\"F32\"", "[" + dims + "]", "[0,4]"), "1234", StatusCode::kUnsupported),
      HasSubstr("dimensions are not supported yet"));
}

TEST(Safetensors, RefusesHolesAndOverlaps) {
  const auto two = [](const char* a, const char* b) {
    return fmt::format(R"({{"a":{{"dtype":"U8","shape":[4],"data_offsets":{}}},)"
                       R"("b":{{"dtype":"U8","shape":[4],"data_offsets":{}}}}})",
                       a, b);
  };
  EXPECT_TRUE(Open(FileOf(two("[4,8]", "[0,4]"), "12345678")).ok());
  EXPECT_THAT(ErrorOf(two("[0,4]", "[2,6]"), "123456"), HasSubstr("tensor b: its bytes overlap"));
  EXPECT_THAT(ErrorOf(two("[0,4]", "[0,4]"), "1234"), HasSubstr("overlap"));
  EXPECT_THAT(ErrorOf(two("[0,4]", "[6,10]"), "1234567890"),
              HasSubstr("tensor b: the 2 bytes before it belong to no tensor"));
  EXPECT_THAT(ErrorOf(two("[1,5]", "[5,9]"), "123456789"), HasSubstr("tensor a: the 1 bytes"));
  EXPECT_THAT(ErrorOf(two("[0,4]", "[4,8]"), "123456789"), HasSubstr("the last 1 bytes"));
  EXPECT_THAT(ErrorOf("{}", "1"), HasSubstr("the last 1 bytes"));
}

TEST(Safetensors, WritesWhatItReads) {
  const fs::path path = fs::path(::testing::TempDir()) / "tutti_safetensors_written";
  const std::vector<float> logits = {1.5f, -2, 3, 4, 5, 6};
  const std::vector<int32_t> ids = {7};
  tensor::TensorMap map;
  map["logits \"quoted\""] = {
      DType::kF32, {{2, 3}, 2}, reinterpret_cast<const std::byte*>(logits.data()), 24};
  map["ids"] = {DType::kI32, {{1}, 1}, reinterpret_cast<const std::byte*>(ids.data()), 4};
  ASSERT_TRUE(WriteSafetensors(path, map, {{"written_by", "tutti"}}).ok());
  const auto file = os::MmapFile::Open(path);
  ASSERT_TRUE(file.ok());
  const auto back = OpenSafetensorsBytes(file->bytes(), "back");
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(back->metadata.at("written_by"), "tutti");
  ASSERT_EQ(back->tensors.size(), 2u);
  for (const auto& [name, view] : map) {
    const tensor::TensorView& read = back->tensors.at(name);
    EXPECT_EQ(read.dtype, view.dtype);
    EXPECT_EQ(read.shape, view.shape);
    ASSERT_EQ(read.size_bytes, view.size_bytes);
    EXPECT_EQ(std::memcmp(read.data, view.data, view.size_bytes), 0);
  }
  fs::remove(path);
  EXPECT_FALSE(WriteSafetensors("/nonexistent/folder/x", map).ok());
}

TEST(SafetensorsShared, OpensEveryRecordedFile) {
  TUTTI_NEEDS_SHARED("quants");
  int files = 0;
  for (const char* folder : {"quants", "golden", "gguf", "models", "train"}) {
    for (const auto& entry : fs::recursive_directory_iterator(testing::SharedFixture(folder))) {
      if (entry.path().extension() != ".safetensors") continue;
      const auto file = os::MmapFile::Open(entry.path());
      ASSERT_TRUE(file.ok());
      const auto result = OpenSafetensorsBytes(file->bytes(), entry.path().filename().string());
      EXPECT_TRUE(result.ok()) << result.status().message();
      ++files;
    }
  }
  EXPECT_GT(files, 90);
}

}  // namespace
}  // namespace tutti::format
