// Checkpoints that parse and do not make sense: every key of the metadata bent in a dozen ways,
// every tensor removed or of another shape. Loading gives an answer or an error, and never a crash;
// what loads also computes. The bytes themselves are the readers' affair (format/).
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tutti/engine/model_engine.h"
#include "tutti/format/checkpoint.h"

namespace tutti::engine {
namespace {

using format::Checkpoint;

// The smallest of the repository's golden models; between them all of the description's parts.
const char* const kModels[] = {"gguf/deepseek_v3.gguf",
                               "gguf/gpt_oss_mxfp4.gguf",
                               "gguf/glm4_moe.gguf",
                               "gguf/llama3_rope.gguf",
                               "deepseek_v2",
                               "hunyuan_odd",
                               "ernie4_5_moe",
                               "gpt_oss_mxfp4",
                               "qwen2_moe",
                               "llama3_rope",
                               "minimax_m2_odd",
                               "mistral_window"};

Checkpoint Open(const std::string& name) {
  auto checkpoint = format::OpenCheckpoint(std::filesystem::path(TUTTI_SOURCE_DIR) /
                                           "tests/golden/models" / name);
  TUTTI_CHECK(checkpoint.ok(), checkpoint.status().message());
  return std::move(checkpoint).value();
}

Result<std::unique_ptr<Engine>> Load(Checkpoint checkpoint) {
  os::Topology machine;
  machine.available_memory_bytes = int64_t{1} << 30;
  return ModelEngine::Create(std::move(checkpoint), {.threads = 1, .exact = true}, machine);
}

// Computes a few tokens; the numbers may be anything.
void Compute(Engine& engine) {
  TokenIds tokens;
  for (int i = 0; i < 6; ++i) tokens.push_back(i % engine.spec().vocab_size);
  const auto id = engine.NewSequence();
  const auto result = engine.Forward({{{.sequence = *id, .tokens = tokens}}});
  if (!result.ok()) {
    EXPECT_EQ(result.status().code(), StatusCode::kResource);
    return;
  }
  EXPECT_EQ(std::ssize(result->logits), engine.spec().vocab_size);
}

void ExpectUsefulError(const Status& status, const std::string& what) {
  const std::set<StatusCode> expected = {StatusCode::kData, StatusCode::kUnsupported,
                                         StatusCode::kUsage, StatusCode::kResource};
  EXPECT_TRUE(expected.contains(status.code())) << what << ": " << status.message();
  EXPECT_FALSE(status.message().empty()) << what;
}

TEST(HostileCheckpointTest, BentMetadataNeverCrashes) {
  const std::vector<MetadataValue> bends = {int64_t{0},
                                            int64_t{-1},
                                            int64_t{1},
                                            int64_t{3},
                                            int64_t{1} << 31,
                                            INT64_MAX,
                                            int64_t{INT32_MAX},
                                            0.0,
                                            -1.5,
                                            1e300,
                                            NAN,
                                            true,
                                            "text",
                                            std::vector<int64_t>{},
                                            std::vector<double>{1, 2}};
  int loaded = 0;
  int refused = 0;
  for (const std::string name : kModels) {
    const Checkpoint original = Open(name);
    for (const auto& [key, value] : original.metadata.values()) {
      for (size_t i = 0; i < bends.size(); ++i) {
        Checkpoint checkpoint = Open(name);
        checkpoint.metadata.Set(key, bends[i]);
        const auto engine = Load(std::move(checkpoint));
        if (engine.ok()) {
          ++loaded;
          Compute(**engine);
        } else {
          ++refused;
          ExpectUsefulError(engine.status(), name + " " + key);
        }
      }
    }
  }
  EXPECT_GT(loaded, 1000);
  EXPECT_GT(refused, 1000);
  std::printf("bent metadata: %d loaded, %d refused\n", loaded, refused);
}

// A dense model that calls itself a mixture of experts: what it says of experts is nobody's.
TEST(HostileCheckpointTest, ExpertsThatNoLayerHasNeverCrash) {
  Checkpoint checkpoint = Open("qwen3_odd");
  checkpoint.metadata.Set("model_type", "qwen3_moe");
  checkpoint.metadata.Set("num_experts", int64_t{64});
  checkpoint.metadata.Set("num_experts_per_tok", int64_t{0});
  checkpoint.metadata.Set("moe_intermediate_size", int64_t{32});
  checkpoint.metadata.Set("norm_topk_prob", true);
  checkpoint.metadata.Set("decoder_sparse_step", int64_t{1});
  checkpoint.metadata.Set("mlp_only_layers", std::vector<int64_t>{0, 1, 2});
  const auto engine = Load(std::move(checkpoint));
  ASSERT_TRUE(engine.ok()) << engine.status().message();
  EXPECT_EQ((*engine)->spec().moe.experts, 64);
  Compute(**engine);
}

TEST(HostileCheckpointTest, AbsentMetadataNeverCrashes) {
  for (const std::string name : kModels) {
    const Checkpoint original = Open(name);
    for (const auto& [key, value] : original.metadata.values()) {
      Checkpoint checkpoint = Open(name);
      checkpoint.metadata = Metadata();
      for (const auto& [other, kept] : original.metadata.values()) {
        if (other != key) checkpoint.metadata.Set(other, kept);
      }
      const auto engine = Load(std::move(checkpoint));
      if (engine.ok()) {
        Compute(**engine);
      } else {
        ExpectUsefulError(engine.status(), name + " " + key);
      }
    }
  }
}

// Tensors that a complete checkpoint may lack: without them it is another valid one.
bool MayBeMissing(const std::string& name) {
  return name == "rope_freqs.weight" || name == "output.weight" || name.ends_with("_shape") ||
         // With it the whole group of names goes, and another form is looked for.
         name.ends_with("attn_k_b.weight");
}

TEST(HostileCheckpointTest, EveryMissingTensorIsNamed) {
  int missing = 0;
  for (const std::string name : kModels) {
    for (const auto& [tensor, view] : Open(name).tensors) {
      Checkpoint checkpoint = Open(name);
      checkpoint.tensors.erase(tensor);
      const auto engine = Load(std::move(checkpoint));
      if (MayBeMissing(tensor)) continue;
      ASSERT_FALSE(engine.ok()) << name << " without " << tensor;
      ExpectUsefulError(engine.status(), name + " " + tensor);
      ++missing;
    }
  }
  std::printf("missing tensors: %d, all noticed\n", missing);
  EXPECT_GT(missing, 500);
}

TEST(HostileCheckpointTest, MissingTensorMessage) {
  Checkpoint checkpoint = Open("qwen2_moe");
  checkpoint.tensors.erase("model.layers.2.mlp.experts.5.up_proj.weight");
  const Status status = Load(std::move(checkpoint)).status();
  EXPECT_EQ(status.code(), StatusCode::kData);
  EXPECT_NE(status.message().find("missing tensor model.layers.2.mlp.experts.5.up_proj; is the "
                                  "checkpoint complete?"),
            std::string::npos)
      << status.message();
}

// One row or column less: the views stay inside the file, the shapes do not fit.
TEST(HostileCheckpointTest, EveryWrongShapeIsNoticed) {
  for (const std::string name : kModels) {
    for (const auto& [tensor, view] : Open(name).tensors) {
      for (int dim = 0; dim < view.shape.rank; ++dim) {
        Checkpoint checkpoint = Open(name);
        tensor::TensorView& changed = checkpoint.tensors[tensor];
        if (changed.shape.dims[static_cast<size_t>(dim)] <= 1) continue;
        changed.shape.dims[static_cast<size_t>(dim)] -= 1;
        const auto engine = Load(std::move(checkpoint));
        EXPECT_FALSE(engine.ok()) << name << " " << tensor << " " << view.shape.ToString();
        if (!engine.ok()) ExpectUsefulError(engine.status(), name + " " + tensor);
      }
    }
  }
}

TEST(HostileCheckpointTest, WrongShapeMessage) {
  Checkpoint checkpoint = Open("mistral_window");
  checkpoint.tensors["model.layers.1.mlp.up_proj.weight"].shape.dims[0] = 100;
  const Status status = Load(std::move(checkpoint)).status();
  EXPECT_EQ(status.code(), StatusCode::kData);
  EXPECT_NE(status.message().find("tensor model.layers.1.mlp.up_proj is [100, 64], the model's "
                                  "description wants [176, 64]"),
            std::string::npos)
      << status.message();
}

TEST(HostileCheckpointTest, UnknownTensorInALayerIsNotIgnored) {
  Checkpoint checkpoint = Open("llama3_rope");
  checkpoint.tensors["model.layers.1.self_attn.novel_gate.weight"] =
      checkpoint.tensors["model.norm.weight"];
  const Status status = Load(std::move(checkpoint)).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("model.layers.1.self_attn.novel_gate.weight"), std::string::npos);
}

TEST(HostileCheckpointTest, LayersThatPredictAheadAreLeftOut) {
  Checkpoint checkpoint = Open("deepseek_v2");
  checkpoint.tensors["model.layers.3.eh_proj.weight"] = checkpoint.tensors["model.norm.weight"];
  EXPECT_TRUE(Load(std::move(checkpoint)).ok());
}

TEST(HostileCheckpointTest, UnknownArchitectureIsNamedWithTheKnownOnes) {
  Checkpoint checkpoint = Open("llama3_rope");
  checkpoint.metadata.Set("model_type", std::string("novel_net"));
  const Status status = Load(std::move(checkpoint)).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_NE(status.message().find("\"novel_net\" is not supported yet (known: "),
            std::string::npos);
  EXPECT_NE(status.message().find("qwen3_moe"), std::string::npos);
}

}  // namespace
}  // namespace tutti::engine
