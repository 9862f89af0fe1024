#include "tutti/cli/model_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace tutti::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ModelListTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::temp_directory_path() /
            ("tutti_model_list_" + std::to_string(reinterpret_cast<uintptr_t>(this)) + "_" +
             ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(root_);
  }
  void TearDown() override { fs::remove_all(root_); }

  fs::path Put(const std::string& name, const std::string& content) {
    const fs::path path = root_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << content;
    return path;
  }

  fs::path root_;
};

TEST_F(ModelListTest, FoldersHoldFilesSplitFilesAndModelFolders) {
  Put("f/small.gguf", "1234");
  Put("f/big-00001-of-00002.gguf", "12");
  Put("f/big-00002-of-00002.gguf", "345");
  Put("f/mmproj-small.gguf", "x");
  Put("f/notes.txt", "x");
  Put("f/Published/config.json", "{}");
  Put("f/Published/model.safetensors", "12345678");
  Put("f/Empty/config.json", "{}");
  const auto models = ListModels({.folders = {root_ / "f", root_ / "f", root_ / "missing"}});
  ASSERT_EQ(models.size(), 3u);
  EXPECT_EQ(models[0].name, "big");
  EXPECT_EQ(models[0].size_bytes, 5u);
  EXPECT_EQ(models[0].path.filename(), "big-00001-of-00002.gguf");
  EXPECT_EQ(models[1].name, "Published");
  EXPECT_EQ(models[1].format, "safetensors");
  EXPECT_EQ(models[1].size_bytes, 8u);
  EXPECT_EQ(models[2].name, "small");
}

TEST_F(ModelListTest, HuggingFaceTakesTheRevisionOfMain) {
  for (const std::string revision : {"aaa", "bbb", "ccc"}) {
    Put("hub/models--Org--Model-1/snapshots/" + revision + "/config.json", "{}");
    Put("hub/models--Org--Model-1/snapshots/" + revision + "/model.safetensors", revision);
  }
  Put("hub/models--Org--Model-1/refs/main", "bbb\n");
  Put("hub/models--Other--G-GGUF/snapshots/r/g-q4.gguf", "1");
  Put("hub/models--Other--G-GGUF/refs/main", "../../..");
  Put("hub/datasets--x--y/snapshots/r/z.gguf", "1");
  const auto models = ListModels({.hugging_face = {root_ / "hub"}});
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0].name, "Org/Model-1");
  EXPECT_EQ(models[0].path.filename(), "bbb");
  EXPECT_EQ(models[1].name, "Other/G-GGUF/g-q4");
}

TEST_F(ModelListTest, OllamaManifestsNameBlobs) {
  const std::string manifest =
      R"({"layers": [{"mediaType": "application/vnd.ollama.image.license", "digest": "sha256:11"},
                     {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:22"}]})";
  Put("o/manifests/registry.ollama.ai/library/qwen3/8b", manifest);
  Put("o/manifests/registry.ollama.ai/me/mine/latest", manifest);
  Put("o/manifests/registry.ollama.ai/library/bad/latest", "{]");
  Put("o/manifests/registry.ollama.ai/library/evil/latest",
      R"({"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "../../x"}]})");
  Put("o/blobs/sha256-22", "123456");
  const auto models = ListModels({.ollama = {root_ / "o"}});
  ASSERT_EQ(models.size(), 1u);  // the same blob once
  EXPECT_EQ(models[0].name, "qwen3:8b");
  EXPECT_EQ(models[0].path.filename(), "sha256-22");
  EXPECT_EQ(models[0].size_bytes, 6u);
}

TEST_F(ModelListTest, LmStudioAndLlamaCpp) {
  Put("lm/publisher/Model-GGUF/Model-Q4_K_M.gguf", "1");
  Put("lc/ggml-org_tiny.gguf", "1");
  const auto models = ListModels({.llama_cpp = {root_ / "lc"}, .lm_studio = {root_ / "lm"}});
  ASSERT_EQ(models.size(), 2u);
  EXPECT_EQ(models[0].name, "ggml-org_tiny");
  EXPECT_EQ(models[0].source, "llama.cpp");
  EXPECT_EQ(models[1].name, "publisher/Model-Q4_K_M");
}

TEST(FindModel, ExactThenUniquePartThenAnError) {
  const auto make = [](std::string name) { return ListedModel{std::move(name), "", "", "/x", 0}; };
  const std::vector<ListedModel> models = {make("Qwen/Qwen3-8B"), make("Qwen/Qwen3-8B-Base"),
                                           make("llama3:latest"), make("smollm2-135m")};
  EXPECT_EQ(FindModel(models, "qwen/qwen3-8b").value().name, "Qwen/Qwen3-8B");
  EXPECT_EQ(FindModel(models, "llama3").value().name, "llama3:latest");
  EXPECT_EQ(FindModel(models, "smol").value().name, "smollm2-135m");
  const auto several = FindModel(models, "qwen3");
  EXPECT_EQ(several.status().code(), StatusCode::kUsage);
  EXPECT_THAT(several.status().message(), HasSubstr("Qwen/Qwen3-8B-Base"));
  const auto none = FindModel(models, "smolm2-135m");
  EXPECT_EQ(none.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(none.status().message(), HasSubstr("smollm2-135m"));
}

}  // namespace
}  // namespace tutti::cli
