#include "tutti/format/hugging_face.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/shared_fixtures.h"
#include "tutti/format/safetensors.h"

namespace tutti::format {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// A folder of its own for every test, removed at the end.
class HuggingFaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(::testing::TempDir()) / fmt::format("tutti_hf_{}", info->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Write(const std::string& name, std::string_view text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  // A file of F32 tensors with four values each.
  void WriteTensors(const std::string& name, std::initializer_list<const char*> tensors) {
    static constexpr float kValues[] = {1, 2, 3, 4};
    tensor::TensorMap map;
    for (const char* tensor : tensors) {
      map[tensor] = {DType::kF32, {{2, 2}, 2}, reinterpret_cast<const std::byte*>(kValues), 16};
    }
    ASSERT_TRUE(WriteSafetensors(folder_ / name, map).ok());
  }
  Status Open() { return OpenHuggingFace(folder_).status(); }

  fs::path folder_;
};

Metadata Flat(std::string_view text) {
  Metadata metadata;
  const Status status = FlattenJson(text, "config.json", "", metadata);
  EXPECT_TRUE(status.ok()) << status.message();
  return metadata;
}

std::string FlattenError(std::string_view text) {
  Metadata metadata;
  const Status status = FlattenJson(text, "config.json", "", metadata);
  EXPECT_EQ(status.code(), StatusCode::kData) << text;
  return status.message();
}

TEST(FlattenJson, KeepsTheKinds) {
  const Metadata m = Flat(R"({"i": -3, "u": 18446744073709551615, "d": 1e-6, "b": true, "s": "x",
                              "n": null})");
  EXPECT_EQ(*m.Find("i"), MetadataValue(int64_t{-3}));
  EXPECT_EQ(*m.Find("u"), MetadataValue(uint64_t{18446744073709551615u}));
  EXPECT_EQ(*m.Find("d"), MetadataValue(1e-6));
  EXPECT_EQ(*m.Find("b"), MetadataValue(true));
  EXPECT_EQ(*m.Find("s"), MetadataValue(std::string("x")));
  EXPECT_FALSE(m.Has("n"));
}

TEST(FlattenJson, NestsWithDotsAndIndices) {
  const Metadata m = Flat(R"({
    "rope_scaling": {"factor": 8.0, "long": [1, 2.5]},
    "text_config": {"quantization_config": {"config_groups": {"group_0": {"weights":
        {"group_size": 32}}}}},
    "layers": [{"kind": "a"}, {"kind": "b"}], "eos": [1, 2], "names": ["x", "y"],
    "flags": [true, false], "empty": [], "mixed": [1, null, "z"]})");
  EXPECT_EQ(*m.Find("rope_scaling.factor"), MetadataValue(8.0));
  EXPECT_EQ(*m.Find("rope_scaling.long"), MetadataValue(std::vector<double>{1, 2.5}));
  EXPECT_EQ(*m.Find("text_config.quantization_config.config_groups.group_0.weights.group_size"),
            MetadataValue(int64_t{32}));
  EXPECT_EQ(*m.Find("layers.1.kind"), MetadataValue(std::string("b")));
  EXPECT_EQ(*m.Find("eos"), MetadataValue(std::vector<int64_t>{1, 2}));
  EXPECT_EQ(*m.Find("names"), MetadataValue(std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(*m.Find("flags"), MetadataValue(std::vector<bool>{true, false}));
  EXPECT_TRUE(m.Ints("empty").value()->empty());
  EXPECT_TRUE(m.Strings("empty").value()->empty());
  EXPECT_EQ(*m.Find("mixed.0"), MetadataValue(int64_t{1}));
  EXPECT_FALSE(m.Has("mixed.1"));
  EXPECT_EQ(*m.Find("mixed.2"), MetadataValue(std::string("z")));
}

TEST(FlattenJson, RefusesWhatItCannotMean) {
  EXPECT_THAT(FlattenError("[1]"), HasSubstr("a list, an object expected"));
  EXPECT_THAT(FlattenError(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(FlattenError("{\"a\": 1} x"), HasSubstr("not valid JSON"));
  EXPECT_THAT(FlattenError(R"({"a": 1, "a": 2})"), HasSubstr("\"a\" appears twice"));
  EXPECT_THAT(FlattenError(R"({"": 1, "": 2})"), HasSubstr("\"\" appears twice"));
  EXPECT_THAT(FlattenError(R"({"a.b": 1, "a": {"b": 2}})"), HasSubstr("a.b appears twice"));
  EXPECT_THAT(FlattenError(R"({"\u001b[31m": 1, "\u001b[31m": 2})"), HasSubstr("\\x1b[31m"));
  EXPECT_THAT(FlattenError(std::string(100000, '[')), HasSubstr("not valid JSON"));
  std::string deep = "{\"a\":";
  for (int i = 0; i < 70; ++i) deep += "{\"a\":";
  deep += "1" + std::string(71, '}');
  EXPECT_THAT(FlattenError(deep), HasSubstr("too deep"));
}

// Every leaf keeps its whole key: a long name over many leaves would be many times the file.
TEST(FlattenJson, BoundsTheLengthOfKeys) {
  const std::string longest(1022, 'k');
  EXPECT_TRUE(Flat("{\"" + longest + "\": {\"a\": 1}}").Has(longest + ".a"));
  EXPECT_THAT(FlattenError("{\"" + longest + "k\": {\"a\": 1}}"), HasSubstr("at most 1024"));
  EXPECT_THAT(FlattenError("{\"" + longest + "kk\": [1, \"x\"]}"), HasSubstr("at most 1024"));
  std::string many = "{\"" + std::string(1000, 'k') + "\": {";
  for (int i = 0; i < 100'000; ++i) many += fmt::format("\"{}\":1,", i);
  EXPECT_THAT(FlattenError(many + "\"\":1}}"), HasSubstr("take more than"));
}

TEST_F(HuggingFaceTest, ReadsOneFile) {
  Write("config.json", R"({"model_type": "llama", "hidden_size": 2})");
  Write("generation_config.json", R"({"eos_token_id": [2, 3]})");
  WriteTensors("model.safetensors", {"a", "b"});
  auto checkpoint = OpenHuggingFace(folder_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_EQ(checkpoint->kind, CheckpointKind::kHuggingFace);
  EXPECT_EQ(checkpoint->metadata.String("model_type").value(), "llama");
  EXPECT_EQ(checkpoint->metadata.Ints("generation.eos_token_id").value(),
            (std::vector<int64_t>{2, 3}));
  ASSERT_EQ(checkpoint->tensors.size(), 2u);
  EXPECT_EQ(checkpoint->Find("b")->shape, (tensor::Shape{{2, 2}, 2}));
}

TEST_F(HuggingFaceTest, ReadsShardsAsTheIndexSays) {
  Write("config.json", "{}");
  WriteTensors("s1.safetensors", {"a", "not_in_the_index"});
  WriteTensors("s2.safetensors", {"b", "c"});
  Write("model.safetensors.index.json", R"({"metadata": {"total_size": 48}, "weight_map":
      {"a": "s1.safetensors", "b": "s2.safetensors", "c": "s2.safetensors"}})");
  auto checkpoint = OpenHuggingFace(folder_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_EQ(checkpoint->tensors.size(), 3u);
  EXPECT_EQ(checkpoint->files.size(), 2u);
  EXPECT_NE(checkpoint->Find("c"), nullptr);
  EXPECT_EQ(checkpoint->Find("not_in_the_index"), nullptr);
}

TEST_F(HuggingFaceTest, SaysWhatIsMissing) {
  EXPECT_EQ(Open().code(), StatusCode::kNotFound);
  EXPECT_THAT(Open().message(), HasSubstr("config.json"));
  Write("config.json", "{}");
  EXPECT_EQ(Open().code(), StatusCode::kNotFound);
  EXPECT_THAT(Open().message(), HasSubstr("neither model.safetensors nor"));
  Write("pytorch_model.bin", "x");
  EXPECT_EQ(Open().code(), StatusCode::kUnsupported);
  WriteTensors("s1.safetensors", {"a"});
  Write("model.safetensors.index.json", R"({"weight_map": {"a": "s1.safetensors", "b": "s2"}})");
  EXPECT_EQ(Open().code(), StatusCode::kNotFound);
  EXPECT_THAT(Open().message(), HasSubstr("s2: this shard is missing"));
  Write("model.safetensors.index.json", R"({"weight_map": {"b": "s1.safetensors"}})");
  EXPECT_EQ(Open().code(), StatusCode::kData);
  EXPECT_THAT(Open().message(), HasSubstr("tensor b is not in it"));
}

TEST_F(HuggingFaceTest, RefusesBadIndices) {
  Write("config.json", "{}");
  const auto error = [&](std::string_view index) {
    Write("model.safetensors.index.json", index);
    const Status status = Open();
    EXPECT_EQ(status.code(), StatusCode::kData) << index;
    return status.message();
  };
  EXPECT_THAT(error("{}"), HasSubstr("weight_map"));
  EXPECT_THAT(error("[]"), HasSubstr("weight_map"));
  EXPECT_THAT(error(R"({"weight_map": []})"), HasSubstr("weight_map"));
  EXPECT_THAT(error(R"({"weight_map": {"a": 1}})"), HasSubstr("a string expected"));
  for (const char* name : {"../x", "/etc/passwd", "a/b", "a\\\\b", "", ".", "..", "a\\u0000b"}) {
    EXPECT_THAT(error(fmt::format(R"({{"weight_map": {{"t": "{}"}}}})", name)),
                HasSubstr("is not the name of a file in this folder"));
  }
}

TEST_F(HuggingFaceTest, RefusesBadConfigs) {
  WriteTensors("model.safetensors", {"a"});
  for (const char* text : {"", "{", "[]", "null", "{\"a\": nul}", "{'a': 1}"}) {
    Write("config.json", text);
    EXPECT_EQ(Open().code(), StatusCode::kData) << text;
  }
  Write("config.json", "{}");
  Write("generation_config.json", "{");
  EXPECT_EQ(Open().code(), StatusCode::kData);
  EXPECT_THAT(Open().message(), HasSubstr("generation_config.json"));
}

TEST(HuggingFaceShared, OpensEveryGoldenModel) {
  TUTTI_NEEDS_SHARED("golden");
  int models = 0;
  for (const auto& entry : fs::directory_iterator(testing::SharedFixture("golden"))) {
    if (!entry.is_directory()) continue;
    auto checkpoint = OpenHuggingFace(entry.path());
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    EXPECT_TRUE(checkpoint->metadata.String("model_type").value().has_value()) << entry.path();
    EXPECT_GT(checkpoint->tensors.size(), 10u) << entry.path();
    ++models;
  }
  EXPECT_EQ(models, 31);
}

}  // namespace
}  // namespace tutti::format
