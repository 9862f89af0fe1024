// The decoder: tokens in, logits out. It reads like the papers because everything in which they
// differ is in the ModelSpec; the parts of a layer are in layer_*.cc.
//
// Shapes: see Forward. Ownership: keeps references to spec, weights and pool, which must outlive
// it, and its own scratch memory, which grows to the largest step and stays. Threads: one step at a
// time. Errors: none; what can be wrong was refused at loading or by the engine (token ids in
// range, room in the page tables).
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "tutti/kernels/context.h"
#include "tutti/memory/kv_pool.h"
#include "tutti/model/layer.h"
#include "tutti/model/step.h"
#include "tutti/model/weights.h"
#include "tutti/spec/model_spec.h"

namespace tutti::model {

class Transformer {
 public:
  // `pool` was made for BytesPerToken(spec, kv_type).
  Transformer(const ModelSpec& spec, const Weights& weights, const memory::KvPool& pool,
              KvType kv_type);

  // Computes the step's tokens and stores what the layers remember of them; the page tables'
  // lengths are the caller's to advance. Writes logits [step.wanted.size(), vocab_size] and hidden
  // states behind the last norm [step.hidden.size(), dim].
  void Forward(const Step& step, float* logits, float* hidden, kernels::KernelContext& kernels);
  // Writes random keys and values where the layers would remember the tokens from `begin` on; there
  // is room for them. For measuring speed only.
  void RememberNoise(const memory::PageTable& table, int32_t begin, int32_t tokens,
                     os::ThreadPool& pool) const;

  // Tokens given to each expert since the start, [layers][experts]. From any thread.
  std::vector<std::vector<int64_t>> ExpertTokens() const;

 private:
  void Embed(const Step& step);
  void FillRotaryTables(const Step& step);
  void Layer(size_t index, const Step& step, kernels::KernelContext& kernels);
  void Logits(const Step& step, float* logits, kernels::KernelContext& kernels);
  // states = norm(residual_) of some rows, by the last norm.
  void FinalNorm(std::span<const int32_t> rows, float* states, kernels::KernelContext& kernels);
  // normed_ = norm(residual_)
  void Norm(const std::vector<float>& weight, int64_t rows, kernels::KernelContext& kernels);
  // residual_ += branch_
  void AddBranch(int64_t rows, kernels::KernelContext& kernels);

  const ModelSpec& spec_;
  const Weights& weights_;
  std::vector<LayerStore> stores_;         // [layers]
  std::vector<kernels::RopeTable> ropes_;  // [spec.rope]
  os::StepFloats residual_;                // [rows, dim]
  os::StepFloats normed_;                  // [rows, dim]
  os::StepFloats branch_;                  // [rows, dim]
  Scratch scratch_;
  // [layers][experts], empty where a layer has none; read by other threads.
  mutable std::vector<std::vector<int64_t>> expert_tokens_;
};

}  // namespace tutti::model
