// Where the time of a step goes, by kind of operation: one scope around each part of a layer.
//
//   const ProfileScope scope(context, Operation::kAttention);
//
// Scopes do not add up: one inside another belongs to the outer. Without a profile in the context a
// scope is the test of a pointer.
//
// Units: seconds. Ownership: keeps a reference to the pool. Threads: scopes live on the thread that
// leads the pool, outside of its runs. Errors: none.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tutti/kernels/context.h"

namespace tutti::kernels {

// In the order in which a layer does them.
enum class Operation : uint8_t {
  kEmbedding,  // rows of the embedding, rotary tables
  kNorm,       // before attention, before the feed-forward network, before the logits
  kQkv,        // products that make queries, keys and values, or their latents
  kRope,       // norms of heads, rotary embedding
  kStoreKv,    // keys and values into their pages
  kAttention,  // scores, softmax, weighted values
  kUnfold,     // latent attention: queries moved to latents and back, or keys and values unfolded
  kAttentionOutput,
  kRouter,       // product, choice of experts
  kFeedForward,  // routed and shared experts, or the dense network
  kAdd,          // to the residual stream
  kLogits,
};
inline constexpr size_t kOperations = static_cast<size_t>(Operation::kLogits) + 1;

std::string_view NameOf(Operation operation);

struct OperationTotals {
  int64_t calls = 0;
  double seconds = 0;           // of the leading thread
  double parallel_seconds = 0;  // of these, within runs of the pool
  double waiting_seconds = 0;   // of these, without work: mean over the members
  int64_t synchronisations = 0;
};

class Profile {
 public:
  // Keeps the pool's times from here on.
  explicit Profile(os::ThreadPool& pool);
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;
  ~Profile();

  const OperationTotals& Of(Operation operation) const {
    return totals_[static_cast<size_t>(operation)];
  }

  // Experts that a layer touched in a step, and the bytes of their weights.
  void AddExperts(int64_t experts, int64_t bytes) {
    ++expert_layers_;
    experts_ += experts;
    expert_bytes_ += bytes;
  }
  int64_t expert_layers() const { return expert_layers_; }
  int64_t experts() const { return experts_; }
  int64_t expert_bytes() const { return expert_bytes_; }

 private:
  friend class ProfileScope;
  using Clock = std::chrono::steady_clock;
  // False inside of another scope.
  bool Begin();
  void End(Operation operation);

  os::ThreadPool& pool_;
  std::array<OperationTotals, kOperations> totals_;
  int64_t expert_layers_ = 0;
  int64_t experts_ = 0;
  int64_t expert_bytes_ = 0;
  // Of the scope that is open.
  bool open_ = false;
  Clock::time_point begin_;
  os::RunTimes begin_times_;
  uint64_t begin_runs_ = 0;
};

class ProfileScope {
 public:
  ProfileScope(const KernelContext& context, Operation operation)
      : profile_(context.profile), operation_(operation) {
    if (profile_ != nullptr && !profile_->Begin()) profile_ = nullptr;
  }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;
  ~ProfileScope() {
    if (profile_ != nullptr) profile_->End(operation_);
  }

 private:
  Profile* profile_;
  Operation operation_;
};

}  // namespace tutti::kernels
