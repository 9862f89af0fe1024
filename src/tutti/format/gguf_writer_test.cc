#include "tutti/format/gguf_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>

#include "tests/gguf_example.h"
#include "tutti/format/gguf_reader.h"
#include "tutti/os/file.h"

namespace tutti::format {
namespace {

namespace fs = std::filesystem;

class GgufWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) /
              fmt::format("gguf_writer.{}",
                          ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  fs::path folder_;
};

template <typename T>
T ValueIn(const Checkpoint& checkpoint, std::string_view key) {
  const MetadataValue* value = checkpoint.metadata.Find(key);
  const T* held = value == nullptr ? nullptr : std::get_if<T>(value);
  EXPECT_NE(held, nullptr) << key;
  return held == nullptr ? T() : *held;
}

TEST_F(GgufWriterTest, EveryKindOfValueIsReadBack) {
  const fs::path path = folder_ / "example.gguf";
  ASSERT_TRUE(testing::ExampleGguf()->Write(path).ok());
  const Result<Checkpoint> opened = OpenGguf(path);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const Checkpoint& c = *opened;
  EXPECT_EQ(c.path, path);
  EXPECT_EQ(ValueIn<std::string>(c, "general.architecture"), "example");
  EXPECT_EQ(ValueIn<int64_t>(c, "example.u8"), 255);
  EXPECT_EQ(ValueIn<int64_t>(c, "example.i8"), -128);
  EXPECT_EQ(ValueIn<int64_t>(c, "example.u16"), 65535);
  EXPECT_EQ(ValueIn<int64_t>(c, "example.i16"), -32768);
  EXPECT_EQ(ValueIn<int64_t>(c, "example.u32"), 4294967295);
  EXPECT_EQ(ValueIn<int64_t>(c, "example.i32"), -2147483648);
  EXPECT_EQ(ValueIn<double>(c, "example.f32"), static_cast<double>(0.1f));
  EXPECT_EQ(ValueIn<bool>(c, "example.bool"), true);
  EXPECT_EQ(ValueIn<std::string>(c, "example.string"), "tutti: \xE2\x99\xAB\n");
  EXPECT_EQ(ValueIn<uint64_t>(c, "example.u64"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(ValueIn<int64_t>(c, "example.i64"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(ValueIn<double>(c, "example.f64"), 0.1);
  using Ints = std::vector<int64_t>;
  EXPECT_EQ(ValueIn<Ints>(c, "example.list.u8"), (Ints{0, 255}));
  EXPECT_EQ(ValueIn<Ints>(c, "example.list.i8"), (Ints{-128, 127}));
  EXPECT_EQ(ValueIn<Ints>(c, "example.list.u16"), (Ints{0, 65535}));
  EXPECT_EQ(ValueIn<Ints>(c, "example.list.i16"), (Ints{-32768, 32767}));
  EXPECT_EQ(ValueIn<Ints>(c, "example.list.u32"), (Ints{0, 4294967295}));
  EXPECT_EQ(ValueIn<Ints>(c, "example.list.i32"), (Ints{-1, 2147483647}));
  EXPECT_EQ(ValueIn<Ints>(c, "example.list.u64"), (Ints{0, 1ll << 62}));
  EXPECT_EQ(ValueIn<Ints>(c, "example.list.i64"), (Ints{-1, 1ll << 62}));
  EXPECT_EQ(ValueIn<std::vector<double>>(c, "example.list.f32"),
            (std::vector<double>{0.5, static_cast<double>(-0.1f)}));
  EXPECT_EQ(ValueIn<std::vector<double>>(c, "example.list.f64"),
            (std::vector<double>{0.1, -1e300}));
  EXPECT_EQ(ValueIn<std::vector<bool>>(c, "example.list.bool"),
            (std::vector<bool>{true, false, true}));
  EXPECT_EQ(ValueIn<std::vector<std::string>>(c, "example.list.string"),
            (std::vector<std::string>{"", "two", "\xE2\x99\xAB"}));
}

TEST_F(GgufWriterTest, EveryTensorIsReadBack) {
  const fs::path path = folder_ / "example.gguf";
  ASSERT_TRUE(testing::ExampleGguf()->Write(path).ok());
  const Result<Checkpoint> opened = OpenGguf(path);
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  const auto tensors = testing::ExampleTensors();
  ASSERT_EQ(opened->tensors.size(), tensors.size());
  for (size_t k = 0; k < tensors.size(); ++k) {
    const tensor::TensorView* view = opened->Find(tensors[k].name);
    ASSERT_NE(view, nullptr) << tensors[k].name;
    EXPECT_EQ(view->dtype, tensors[k].dtype);
    EXPECT_EQ(view->shape, tensors[k].shape);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(view->data) % 32, 0u);
    const std::string expected = testing::ExampleBytes(view->size_bytes, k);
    EXPECT_EQ(std::memcmp(view->data, expected.data(), expected.size()), 0) << tensors[k].name;
  }
  EXPECT_EQ(opened->Find("mxfp4.weight")->size_bytes, 4u * 17);
}

TEST_F(GgufWriterTest, TheFileEqualsTheBytes) {
  const fs::path path = folder_ / "example.gguf";
  const Result<GgufWriter> writer = testing::ExampleGguf();
  ASSERT_TRUE(writer->Write(path).ok());
  EXPECT_EQ(*os::ReadFile(path, 1 << 20), *writer->ToBytes());
}

TEST_F(GgufWriterTest, SettingAKeyAgainReplacesItsValue) {
  GgufWriter writer;
  writer.Set("key", uint32_t{1});
  writer.Set("key", std::string("two"));
  const fs::path path = folder_ / "file.gguf";
  ASSERT_TRUE(writer.Write(path).ok());
  EXPECT_EQ(ValueIn<std::string>(*OpenGguf(path), "key"), "two");
}

TEST_F(GgufWriterTest, MetadataTakesTheNarrowestUsualKind) {
  EXPECT_EQ(GgufValueOf(MetadataValue(int64_t{7})), GgufValue(uint32_t{7}));
  EXPECT_EQ(GgufValueOf(MetadataValue(int64_t{-7})), GgufValue(int32_t{-7}));
  EXPECT_EQ(GgufValueOf(MetadataValue(int64_t{1} << 40)), GgufValue(int64_t{1} << 40));
  EXPECT_EQ(GgufValueOf(MetadataValue(~uint64_t{0})), GgufValue(~uint64_t{0}));
  EXPECT_EQ(GgufValueOf(MetadataValue(0.5)), GgufValue(0.5f));
  EXPECT_EQ(GgufValueOf(MetadataValue(0.1)), GgufValue(0.1));
  EXPECT_EQ(GgufValueOf(MetadataValue(1e300)), GgufValue(1e300));
  EXPECT_EQ(GgufValueOf(MetadataValue(std::numeric_limits<double>::infinity())),
            GgufValue(std::numeric_limits<float>::infinity()));
  EXPECT_EQ(GgufValueOf(MetadataValue(std::vector<int64_t>{1, -1})),
            GgufValue(std::vector<int32_t>{1, -1}));
  EXPECT_EQ(GgufValueOf(MetadataValue(std::vector<int64_t>{1, 1ll << 32})),
            GgufValue(std::vector<int64_t>{1, 1ll << 32}));
  EXPECT_EQ(GgufValueOf(MetadataValue(std::vector<double>{0.1})),
            GgufValue(std::vector<double>{0.1}));
}

TEST_F(GgufWriterTest, TensorsThatNoReaderCouldTakeAreRefused) {
  GgufWriter writer;
  const std::string bytes(64, '\0');
  const std::span<const std::byte> b(reinterpret_cast<const std::byte*>(bytes.data()), 64);
  const auto code = [&](std::string_view name, DType dtype, const tensor::Shape& shape) {
    return writer.AddTensor(name, dtype, shape, b).code();
  };
  EXPECT_EQ(code("a", DType::kF32, {{16}, 1}), StatusCode::kOk);
  EXPECT_EQ(code("a", DType::kF32, {{16}, 1}), StatusCode::kUsage);  // again
  EXPECT_EQ(code("b", DType::kF32, {{15}, 1}), StatusCode::kUsage);  // 60 bytes
  EXPECT_EQ(code("b", DType::kF32, {{0}, 1}), StatusCode::kUsage);
  EXPECT_EQ(code("b", DType::kF32, {{-16}, 1}), StatusCode::kUsage);
  EXPECT_EQ(code("b", DType::kF32, {{}, 0}), StatusCode::kUsage);
  EXPECT_EQ(code("b", DType::kF32, {{1ll << 40, 1ll << 40}, 2}), StatusCode::kUsage);
  EXPECT_EQ(code("b", DType::kQ8_0, {{16}, 1}), StatusCode::kUsage);  // half a block
  EXPECT_EQ(code("b", DType::kF8E4M3, {{64}, 1}), StatusCode::kUnsupported);
  EXPECT_EQ(code("", DType::kF32, {{16}, 1}), StatusCode::kUsage);
  EXPECT_EQ(code(std::string(64, 'n'), DType::kF32, {{16}, 1}), StatusCode::kUsage);
  EXPECT_EQ(code(std::string(63, 'n'), DType::kF32, {{16}, 1}), StatusCode::kOk);
}

TEST_F(GgufWriterTest, AProducerThatFailsOrMiscountsLeavesNothing) {
  for (const size_t size : {size_t{0}, size_t{63}, size_t{65}}) {
    GgufWriter writer;
    ASSERT_TRUE(writer
                    .AddTensor("t", DType::kF32, {{16}, 1},
                               [&](const GgufWriter::Append& append) {
                                 return append(std::string(size, 'x'));
                               })
                    .ok());
    const Status status = writer.Write(folder_ / "file.gguf");
    EXPECT_EQ(status.code(), StatusCode::kUsage);
    EXPECT_NE(status.message().find(fmt::format("{} bytes were produced", size)),
              std::string::npos);
    EXPECT_TRUE(Names().empty());
  }
  GgufWriter writer;
  ASSERT_TRUE(writer
                  .AddTensor("t", DType::kF32, {{16}, 1},
                             [](const GgufWriter::Append&) { return DataError("no such row"); })
                  .ok());
  EXPECT_EQ(writer.Write(folder_ / "file.gguf").message(), "tensor t: no such row");
  EXPECT_TRUE(Names().empty());
}

// A file size limit fails the write in the middle, as a full disk does.
TEST_F(GgufWriterTest, AFullDiskIsAClearErrorAndTheOldFileStays) {
  const fs::path path = folder_ / "file.gguf";
  ASSERT_TRUE(os::WriteFile(path, "old").ok());
  GgufWriter writer;
  ASSERT_TRUE(writer
                  .AddTensor("t", DType::kI8, {{1 << 20}, 1},
                             [](const GgufWriter::Append& append) {
                               return append(std::string(1 << 20, 'x'));
                             })
                  .ok());
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const rlimit small{1 << 16, old_limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = writer.Write(path);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(status.code(), StatusCode::kIo);
  EXPECT_NE(status.message().find("cannot write"), std::string::npos) << status.message();
  EXPECT_EQ(Names(), std::vector<std::string>{"file.gguf"});
  EXPECT_EQ(*os::ReadFile(path, 100), "old");
}

}  // namespace
}  // namespace tutti::format
