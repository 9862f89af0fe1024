#include "tutti/engine/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <fstream>
#include <iterator>

#include "tutti/base/rng.h"
#include "tutti/engine/size_label.h"
#include "tutti/engine/spec_difference.h"
#include "tutti/format/gguf_reader.h"
#include "tutti/format/hugging_face.h"
#include "tutti/format/safetensors.h"
#include "tutti/tensor/decode.h"
#include "tutti/tensor/weight_lookup.h"

namespace tutti::engine {
namespace {

namespace fs = std::filesystem;
using tensor::WeightView;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kVocab = 40, kDim = 64, kHeads = 4, kKvHeads = 2, kHeadDim = 16, kExperts = 4,
                  kExpertDim = 32;

std::string ReadWhole(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<float> Row(const WeightView& w, int64_t row) {
  std::vector<float> out(static_cast<size_t>(w.cols));
  DecodeRow(w, row, out);
  return out;
}

// A folder with a model of two layers and random F32 weights.
class ConvertTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::path(::testing::TempDir()) / fmt::format("tutti_convert_{}", info->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    out_ = folder_ / "out.gguf";
  }
  void TearDown() override { fs::remove_all(folder_); }

  void Add(const std::string& name, std::initializer_list<int64_t> dims) {
    tensor::TensorView view;
    for (const int64_t dim : dims) view.shape.dims[static_cast<size_t>(view.shape.rank++)] = dim;
    std::vector<float>& values = values_.emplace_back(static_cast<size_t>(view.shape.elements()));
    for (float& value : values) value = static_cast<float>(rng_.NextDouble() - 0.5);
    view.data = reinterpret_cast<const std::byte*>(values.data());
    view.size_bytes = values.size() * sizeof(float);
    tensors_[name] = view;
  }
  void AddLayers(bool experts) {
    Add("model.embed_tokens.weight", {kVocab, kDim});
    Add("model.norm.weight", {kDim});
    for (int layer = 0; layer < 2; ++layer) {
      const std::string in = fmt::format("model.layers.{}.", layer);
      Add(in + "input_layernorm.weight", {kDim});
      Add(in + "post_attention_layernorm.weight", {kDim});
      Add(in + "self_attn.q_proj.weight", {kHeads * kHeadDim, kDim});
      Add(in + "self_attn.k_proj.weight", {kKvHeads * kHeadDim, kDim});
      Add(in + "self_attn.v_proj.weight", {kKvHeads * kHeadDim, kDim});
      Add(in + "self_attn.o_proj.weight", {kDim, kHeads * kHeadDim});
      if (experts) {
        Add(in + "self_attn.q_norm.weight", {kHeadDim});
        Add(in + "self_attn.k_norm.weight", {kHeadDim});
        Add(in + "mlp.gate.weight", {kExperts, kDim});
        for (int64_t e = 0; e < kExperts; ++e)
          AddFeedForward(fmt::format("{}mlp.experts.{}.", in, e));
      } else {
        AddFeedForward(in + "mlp.");
      }
    }
  }
  void AddFeedForward(const std::string& in) {
    Add(in + "gate_proj.weight", {kExpertDim, kDim});
    Add(in + "up_proj.weight", {kExpertDim, kDim});
    Add(in + "down_proj.weight", {kDim, kExpertDim});
  }
  void WriteFolder(std::string_view config) {
    std::ofstream(folder_ / "config.json") << config;
    ASSERT_TRUE(format::WriteSafetensors(folder_ / "model.safetensors", tensors_).ok());
  }
  void WriteQwen3Moe() {
    AddLayers(true);
    WriteFolder(R"({"model_type": "qwen3_moe", "hidden_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 40,
        "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
        "intermediate_size": 32, "norm_topk_prob": true, "tie_word_embeddings": true,
        "max_position_embeddings": 128, "rope_theta": 10000.0, "rms_norm_eps": 1e-6})");
  }
  void WriteLlama(std::string_view more) {
    AddLayers(false);
    WriteFolder(fmt::format(R"({{"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 40,
        "intermediate_size": 32, "tie_word_embeddings": true, "max_position_embeddings": 128{}}})",
                            more));
  }
  format::Checkpoint Published() {
    auto checkpoint = format::OpenHuggingFace(folder_);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    return std::move(checkpoint).value();
  }
  format::Checkpoint Converted(std::string_view mix, const VocabSpec* vocab = nullptr) {
    auto report = ConvertToGguf(Published(), vocab, {.mix = *FindQuantMix(mix)}, out_);
    EXPECT_TRUE(report.ok()) << report.status().message();
    if (report.ok()) report_ = *report;
    auto checkpoint = format::OpenGguf(out_);
    EXPECT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    return std::move(checkpoint).value();
  }

  fs::path folder_;
  fs::path out_;
  Rng rng_{7};
  std::deque<std::vector<float>> values_;
  tensor::TensorMap tensors_;
  ConvertReport report_;
};

VocabSpec SmallVocab(size_t size) {
  VocabSpec vocab;
  vocab.pretokenizer = "qwen2";
  for (size_t i = 0; i < size; ++i) vocab.tokens.push_back(fmt::format("t{}", i));
  vocab.kinds.assign(size, TokenKind::kNormal);
  vocab.merges.emplace_back("t", "1");
  vocab.eos = 1;
  vocab.end_of_generation = {1};
  vocab.chat_template = "{{ messages[0].content }}";
  return vocab;
}

TEST_F(ConvertTest, ExpertsAreStackedAndQuantised) {
  WriteQwen3Moe();
  const VocabSpec vocab = SmallVocab(38);
  const format::Checkpoint file = Converted("q8_0", &vocab);
  EXPECT_THAT(report_.losses, ElementsAre());
  EXPECT_EQ(report_.tensors, std::ssize(file.tensors));
  EXPECT_EQ(file.tensors.size(), 2u + 2 * 12);
  EXPECT_EQ(file.Find("blk.0.attn_norm.weight")->dtype, DType::kF32);
  EXPECT_EQ(file.Find("blk.0.ffn_gate_inp.weight")->dtype, DType::kF32);
  EXPECT_EQ(file.Find("token_embd.weight")->dtype, DType::kQ8_0);
  const tensor::TensorView* down = file.Find("blk.1.ffn_down_exps.weight");
  ASSERT_NE(down, nullptr);
  EXPECT_EQ(down->dtype, DType::kQ8_0);
  EXPECT_EQ(down->shape, (tensor::Shape{{kExperts, kDim, kExpertDim}, 3}));
  const format::Checkpoint published = Published();
  for (int64_t e = 0; e < kExperts; ++e) {
    const auto from =
        FindMatrix(published.tensors, fmt::format("model.layers.1.mlp.experts.{}.down_proj", e));
    const WeightView to = MatrixOfStack(*down, e);
    for (int64_t r = 0; r < kDim; ++r) {
      // Half a step of 127 of the largest magnitude, and a float16 scale.
      EXPECT_THAT(Row(to, r), ::testing::Pointwise(::testing::FloatNear(0.0023f), Row(*from, r)));
    }
  }
  EXPECT_EQ(file.metadata.String("general.architecture").value(), "qwen3moe");
  EXPECT_EQ(file.metadata.Int("general.file_type").value(), 7);
  EXPECT_EQ(file.metadata.Int("qwen3moe.expert_used_count").value(), 2);
  EXPECT_EQ(file.metadata.String("general.name").value(), folder_.stem().string());
  ASSERT_NE(file.vocab, nullptr);
  EXPECT_EQ(file.vocab->tokens.size(), 40u);
  EXPECT_EQ(file.vocab->tokens[39], "[PAD39]");
  EXPECT_EQ(file.vocab->kinds[39], TokenKind::kUnused);
  EXPECT_EQ(file.vocab->chat_template, vocab.chat_template);
}

TEST_F(ConvertTest, RowsOfRotaryPairsComeTogether) {
  WriteLlama("");
  const format::Checkpoint file = Converted("f32");
  const format::Checkpoint published = Published();
  for (const auto& [from_name, to_name] :
       {std::pair("q_proj", "attn_q"), std::pair("k_proj", "attn_k")}) {
    const auto from =
        FindMatrix(published.tensors, fmt::format("model.layers.0.self_attn.{}", from_name));
    const auto to = FindMatrix(file.tensors, fmt::format("blk.0.{}", to_name));
    for (int64_t head = 0; head < to->rows / kHeadDim; ++head) {
      for (int64_t i = 0; i < kHeadDim / 2; ++i) {
        const int64_t base = head * kHeadDim;
        EXPECT_EQ(Row(*to, base + 2 * i), Row(*from, base + i));
        EXPECT_EQ(Row(*to, base + 2 * i + 1), Row(*from, base + i + kHeadDim / 2));
      }
    }
  }
  EXPECT_EQ(Row(*FindMatrix(file.tensors, "blk.0.attn_v"), 5),
            Row(*FindMatrix(published.tensors, "model.layers.0.self_attn.v_proj"), 5));
}

TEST_F(ConvertTest, Llama3ScalingBecomesDivisors) {
  WriteLlama(R"(, "rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3", "factor": 8.0,
      "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64})");
  const format::Checkpoint file = Converted("f32");
  EXPECT_THAT(report_.losses, ElementsAre());
  const auto divisors = FindVector(file.tensors, "rope_freqs", kHeadDim / 2);
  ASSERT_TRUE(divisors.ok()) << divisors.status().message();
  EXPECT_FLOAT_EQ(divisors->front(), 1);
  EXPECT_FLOAT_EQ(divisors->back(), 8);
}

TEST_F(ConvertTest, SaysWhatTheFileCannotSay) {
  AddLayers(false);
  WriteFolder(R"({"model_type": "mistral", "hidden_size": 64, "num_hidden_layers": 2,
      "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 40, "sliding_window": 24,
      "intermediate_size": 32, "tie_word_embeddings": true, "max_position_embeddings": 128})");
  Converted("f32");
  EXPECT_THAT(report_.losses, ElementsAre("sliding window of layer 0: 24 becomes 0"));
}

TEST_F(ConvertTest, WhatHasItsFormatIsCopied) {
  WriteQwen3Moe();
  const VocabSpec vocab = SmallVocab(40);
  Converted("q8_0", &vocab);
  const fs::path again = folder_ / "again.gguf";
  const auto file = format::OpenGguf(out_);
  ASSERT_TRUE(file.ok());
  const auto report =
      ConvertToGguf(*file, file->vocab.get(), {.mix = *FindQuantMix("q8_0")}, again);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(ReadWhole(again), ReadWhole(out_));
}

TEST_F(ConvertTest, ReportsProgressToTheEnd) {
  WriteQwen3Moe();
  int64_t last = 0;
  ConvertOptions options = {.mix = *FindQuantMix("bf16"), .name = "a name"};
  options.progress = [&](int64_t done, int64_t total) {
    EXPECT_GT(done, last);
    EXPECT_LE(done, total);
    last = done;
    return Status();
  };
  const auto report = ConvertToGguf(Published(), nullptr, options, out_);
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(last, report->bytes);
  EXPECT_EQ(format::OpenGguf(out_)->metadata.String("general.name").value(), "a name");
}

TEST_F(ConvertTest, StopsWhereProgressSaysSo) {
  WriteQwen3Moe();
  ConvertOptions options = {.mix = *FindQuantMix("bf16")};
  int calls = 0;
  options.progress = [&](int64_t, int64_t) {
    return ++calls < 5 ? Status() : Error(StatusCode::kCancelled, "enough");
  };
  const auto report = ConvertToGguf(Published(), nullptr, options, out_);
  EXPECT_EQ(report.status().code(), StatusCode::kCancelled);
  EXPECT_EQ(calls, 5);
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(ConvertTest, RefusesAndLeavesNothing) {
  WriteQwen3Moe();
  const VocabSpec large = SmallVocab(41);
  auto report = ConvertToGguf(Published(), &large, {.mix = *FindQuantMix("q8_0")}, out_);
  EXPECT_EQ(report.status().code(), StatusCode::kData);
  EXPECT_THAT(report.status().message(), HasSubstr("41 tokens"));
  EXPECT_FALSE(fs::exists(out_));
  report = ConvertToGguf(Published(), nullptr, {.mix = *FindQuantMix("q8_0")},
                         folder_ / "nowhere" / "x.gguf");
  EXPECT_FALSE(report.ok());
  tensors_.erase("model.layers.1.mlp.experts.3.up_proj.weight");
  ASSERT_TRUE(format::WriteSafetensors(folder_ / "model.safetensors", tensors_).ok());
  report = ConvertToGguf(Published(), nullptr, {.mix = *FindQuantMix("q8_0")}, out_);
  EXPECT_THAT(report.status().message(), HasSubstr("model.layers.1.mlp.experts.3.up_proj"));
  EXPECT_FALSE(fs::exists(out_));
}

TEST(SizeLabel, AsOtherConvertersWriteIt) {
  const auto label = [](std::initializer_list<int64_t> dims, const char* name = "a") {
    tensor::Shape shape;
    for (const int64_t dim : dims) shape.dims[static_cast<size_t>(shape.rank++)] = dim;
    return SizeLabel({{name, shape}});
  };
  EXPECT_EQ(label({1'100'000'000}), "1.1B");
  EXPECT_EQ(label({7'241'732'096}), "7.2B");
  EXPECT_EQ(label({134'515'008}), "135M");
  EXPECT_EQ(label({9'960'000}), "10M");
  EXPECT_EQ(label({420}), "0.42K");
  EXPECT_EQ(label({16, 1000, 198}, "blk.0.ffn_up_exps.weight"), "16x198K");
}

TEST(Differences, NamesWhatWouldBeComputedDifferently) {
  ModelSpec a;
  a.attention.resize(1);
  a.rope.resize(1);
  a.rope[0].dim = 4;
  a.layers.resize(3);
  ModelSpec b = a;
  b.name = "another";
  b.norm_epsilon *= 1 + 1e-7f;
  b.rope[0].pairing = RopePairing::kInterleaved;
  EXPECT_THAT(Differences(a, b), ElementsAre());
  b.layers[1].window = b.layers[2].window = 8;
  b.rope[0].theta = 20000;
  b.moe.experts = 4;  // no layer uses them
  EXPECT_THAT(Differences(a, b),
              ElementsAre(HasSubstr("a frequency of the rotary embedding of layer 0: 0.01 becomes"),
                          "sliding window of layer 1: 0 becomes 8"));
}

}  // namespace
}  // namespace tutti::engine
