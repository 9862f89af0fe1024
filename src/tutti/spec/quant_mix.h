// Which number format each tensor of a quantised file gets.
//
// A file called Q4_K_M is a mixture: most matrices Q4_K, the sensitive ones finer. The rules here
// are those of llama.cpp's llama-quantize (src/llama-quant.cpp, read in 2026), so that a file made
// by Tutti weighs and computes like the files people know.
//
// Pure functions of names and counts.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "tutti/spec/dtype.h"

namespace tutti {

struct QuantMix {
  std::string_view name;  // as users type it: "q4_k_m"
  DType base;             // of most matrices
  int32_t file_type;      // general.file_type in GGUF
};

// All mixtures, in the order in which help lists them.
std::span<const QuantMix> KnownQuantMixes();
std::optional<QuantMix> FindQuantMix(std::string_view name);  // case does not matter

// What the rules need to know of the model besides a tensor's name.
struct QuantMixModel {
  int32_t layers = 0;
  int32_t experts = 0;
  int32_t heads_per_kv_head = 1;
  bool tied_embedding = false;
  bool importance = false;  // the matrices are fitted with an importance matrix
};

// The format of the matrix `name` (its GGUF name: "blk.3.ffn_down.weight"). `columns` is the inner
// dimension: where the wanted format's blocks do not divide it, the next finer one that fits is
// taken, and F16 where none does. Routers stay F32; vectors are not for this function.
DType TypeInMix(const QuantMix& mix, std::string_view name, int64_t columns,
                const QuantMixModel& model);

}  // namespace tutti
