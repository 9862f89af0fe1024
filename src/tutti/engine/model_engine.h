// The Engine of engine.h on this machine: a checkpoint, its weights, the memory of the sequences
// and the threads, held together.
//
// Ownership: owns all of it; members are declared in the order in which they need each other.
// Threads: one call at a time. Errors: see engine.h.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tutti/engine.h"
#include "tutti/engine/sequences.h"
#include "tutti/format/checkpoint.h"
#include "tutti/kernels/context.h"
#include "tutti/kernels/profile.h"
#include "tutti/memory/kv_pool.h"
#include "tutti/model/transformer.h"
#include "tutti/model/weights.h"
#include "tutti/os/thread_pool.h"
#include "tutti/os/topology.h"

namespace tutti::engine {

class ModelEngine : public Engine {
  struct Private {};  // only Create can name it

 public:
  static Result<std::unique_ptr<Engine>> Create(format::Checkpoint checkpoint,
                                                const EngineOptions& options,
                                                const os::Topology& topology);
  explicit ModelEngine(Private) {}

  const ModelSpec& spec() const override { return spec_; }
  const Metadata& metadata() const override { return checkpoint_.metadata; }
  const VocabSpec* vocab() const override { return checkpoint_.vocab.get(); }
  int threads() const override { return pool_->size(); }
  int32_t context() const override { return context_length_; }
  int32_t prefill_chunk() const override { return prefill_chunk_; }
  EngineCosts costs() const override;
  WeightPlacement placement() const override;

  Result<SequenceId> NewSequence() override { return sequences_->New(); }
  void EndSequence(SequenceId id) override { sequences_->End(id); }
  int32_t Length(SequenceId id) const override { return sequences_->Length(id); }
  void Truncate(SequenceId id, int32_t length) override { sequences_->Truncate(id, length); }
  int32_t Recall(SequenceId id, TenantId tenant, std::span<const TokenId> tokens) override {
    return sequences_->Recall(id, tenant, tokens);
  }
  Result<SequenceId> Fork(SequenceId id) override { return sequences_->Fork(id); }
  PageUse pages() const override { return sequences_->pages(); }
  DiskUse disk() const override;
  bool WriteBehind(int64_t most_bytes) override { return sequences_->WriteBehind(most_bytes); }
  int64_t PagesMissing(SequenceId id, int32_t tokens) const override {
    return sequences_->PagesMissing(id, tokens);
  }
  Result<StepResult> Forward(const Batch& batch) override;
  Status ExtendWithNoise(SequenceId id, int32_t tokens) override;
  std::vector<std::vector<int64_t>> expert_tokens() const override {
    return transformer_->ExpertTokens();
  }
  void StartProfile() override;
  StepProfile StopProfile() override;
  std::string CheckIntegrity() const override { return sequences_->CheckIntegrity(); }

  const model::Weights& weights() const { return weights_; }
  // Until the next call; null: nobody.
  void SetObserver(kernels::MatMulObserver* observer) { kernels_->observer = observer; }

 private:
  // One batch on its way through: which rows are next.
  struct Progress;

  Status LoadModel(int64_t available_bytes);
  Status ReserveMemory(const EngineOptions& options, const os::Topology& topology);
  void OpenPrefixDisk(const EngineOptions& options);
  Status CheckEntry(const BatchEntry& entry) const;
  Status CheckBatch(const Batch& batch) const;
  Status CheckRoom(const Batch& batch) const;
  void Compute(Progress& progress, StepResult& result);

  format::Checkpoint checkpoint_;
  ModelSpec spec_;
  model::Weights weights_;
  int32_t context_length_ = 0;
  int32_t prefill_chunk_ = 0;
  int64_t kv_budget_bytes_ = 0;
  KvType kv_type_ = KvType::kF32;
  std::unique_ptr<os::ThreadPool> pool_;
  std::unique_ptr<kernels::KernelContext> kernels_;
  std::unique_ptr<memory::KvPool> kv_pool_;
  std::unique_ptr<model::Transformer> transformer_;
  std::unique_ptr<Sequences> sequences_;
  std::string disk_error_;                     // of opening it
  std::unique_ptr<kernels::Profile> profile_;  // null: none is wanted
  uint64_t profile_runs_ = 0;                  // of the pool, at its start
  int64_t profile_steps_ = 0;
  double profile_seconds_ = 0;
};

}  // namespace tutti::engine
