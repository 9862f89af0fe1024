#include "tutti/spec/quant_mix.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace tutti {
namespace {

constexpr std::array kMixes = {
    QuantMix{"f32", DType::kF32, 0},        QuantMix{"f16", DType::kF16, 1},
    QuantMix{"bf16", DType::kBF16, 32},     QuantMix{"q8_0", DType::kQ8_0, 7},
    QuantMix{"q6_k", DType::kQ6_K, 18},     QuantMix{"q5_k_m", DType::kQ5_K, 17},
    QuantMix{"q5_0", DType::kQ5_0, 8},      QuantMix{"q5_1", DType::kQ5_1, 9},
    QuantMix{"q4_k_m", DType::kQ4_K, 15},   QuantMix{"q4_0", DType::kQ4_0, 2},
    QuantMix{"q4_1", DType::kQ4_1, 3},      QuantMix{"iq4_nl", DType::kIQ4_NL, 25},
    QuantMix{"iq4_xs", DType::kIQ4_XS, 30}, QuantMix{"q3_k_m", DType::kQ3_K, 12},
    QuantMix{"q2_k", DType::kQ2_K, 10},     QuantMix{"mxfp4", DType::kMXFP4, 38},
};

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The layer in "blk.12.attn_v.weight", -1 outside layers.
int32_t LayerOf(std::string_view name) {
  constexpr std::string_view kPrefix = "blk.";
  if (name.substr(0, kPrefix.size()) != kPrefix) return -1;
  int32_t layer = -1;
  std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
  return layer;
}

// The layers where errors hurt most: the first and last eighth, and every third between.
bool UsesMoreBits(int32_t layer, int32_t layers) {
  return layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
}

bool IsFloat(DType dtype) { return InfoOf(dtype).block_size == 1; }

DType ValueProjection(const QuantMix& mix, int32_t layer, const QuantMixModel& model) {
  if (model.experts == 8) return DType::kQ8_0;  // small beside eight experts
  if (mix.name == "q2_k") return model.heads_per_kv_head >= 4 ? DType::kQ4_K : DType::kQ3_K;
  if (mix.name == "q3_k_m") return layer < 2 ? DType::kQ5_K : DType::kQ4_K;
  if (mix.name == "iq4_nl" || mix.name == "iq4_xs") {
    return model.heads_per_kv_head >= 4 ? DType::kQ5_K : mix.base;
  }
  if (mix.name == "q4_k_m" || mix.name == "q5_k_m") {
    return UsesMoreBits(layer, model.layers) ? DType::kQ6_K : mix.base;
  }
  return mix.base;
}

DType DownProjection(const QuantMix& mix, int32_t layer, const QuantMixModel& model) {
  if (mix.name == "q2_k") return DType::kQ3_K;
  if (mix.name == "q3_k_m") return layer < model.layers / 16 ? DType::kQ5_K : DType::kQ4_K;
  if (mix.name == "iq4_nl" || mix.name == "iq4_xs") {
    return layer < model.layers / 8 && !model.importance ? DType::kQ5_K : mix.base;
  }
  // The first layers have outliers that an importance matrix makes worse.
  if (model.importance && layer < model.layers / 8) {
    if (mix.base == DType::kQ4_0) return DType::kQ4_1;
    if (mix.base == DType::kQ5_0) return DType::kQ5_1;
  }
  if (mix.name == "q4_k_m" || mix.name == "q5_k_m") {
    return UsesMoreBits(layer, model.layers) ? DType::kQ6_K : mix.base;
  }
  return mix.base;
}

DType AttentionOutput(const QuantMix& mix, const QuantMixModel& model) {
  if (model.experts == 8 && (mix.name == "q2_k" || mix.name == "q3_k_m" || mix.name == "q4_k_m" ||
                             mix.name == "iq4_nl" || mix.name == "iq4_xs")) {
    return DType::kQ5_K;
  }
  if (mix.name == "q2_k") return DType::kQ3_K;
  if (mix.name == "q3_k_m") return DType::kQ4_K;
  return mix.base;
}

DType Wanted(const QuantMix& mix, std::string_view name, const QuantMixModel& model) {
  if (Contains(name, "ffn_gate_inp")) return DType::kF32;
  if (IsFloat(mix.base)) return mix.base;
  if (mix.name == "mxfp4") return Contains(name, "_exps.") ? DType::kMXFP4 : DType::kQ8_0;
  if (name == "output.weight" || (name == "token_embd.weight" && model.tied_embedding)) {
    return mix.base == DType::kQ8_0 ? DType::kQ8_0 : DType::kQ6_K;
  }
  const int32_t layer = LayerOf(name);
  if (Contains(name, "attn_v.") || Contains(name, "attn_kv_b.")) {
    return ValueProjection(mix, layer, model);
  }
  if (Contains(name, "attn_k.") && model.experts == 8) return DType::kQ8_0;
  if (Contains(name, "ffn_down")) return DownProjection(mix, layer, model);
  if (Contains(name, "attn_output.")) return AttentionOutput(mix, model);
  return mix.base;
}

// The next finer format with blocks of 32 for those with blocks of 256.
DType Narrower(DType dtype) {
  switch (dtype) {
    case DType::kQ2_K:
    case DType::kQ3_K:
    case DType::kIQ4_XS:
      return DType::kIQ4_NL;
    case DType::kQ4_K:
      return DType::kQ5_0;
    case DType::kQ5_K:
      return DType::kQ5_1;
    default:
      return DType::kQ8_0;
  }
}

}  // namespace

std::span<const QuantMix> KnownQuantMixes() { return kMixes; }

std::optional<QuantMix> FindQuantMix(std::string_view name) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  };
  for (const QuantMix& mix : kMixes) {
    if (std::equal(mix.name.begin(), mix.name.end(), name.begin(), name.end(), same)) return mix;
  }
  return std::nullopt;
}

DType TypeInMix(const QuantMix& mix, std::string_view name, int64_t columns,
                const QuantMixModel& model) {
  DType dtype = Wanted(mix, name, model);
  if (columns % InfoOf(dtype).block_size != 0) dtype = Narrower(dtype);
  if (columns % InfoOf(dtype).block_size != 0) dtype = DType::kF16;
  return dtype;
}

}  // namespace tutti
