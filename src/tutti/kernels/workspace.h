// Scratch memory of the kernels, kept between calls: what grows with the model or the batch is
// allocated once. (Lists of tasks and of pointers are allocated by each call, outside of its
// tasks.)
//
// A buffer is named by the member of the team that uses it and by a slot (an enum of the users
// below, so that two kernels that call each other never share one). Contents are undefined on
// arrival and the pointer is valid until the same buffer is asked for again.
//
// Threads: different members may call Get at the same time; one member's buffers are its own.
// Errors: an allocation that fails ends in std::bad_alloc; sizes follow from batch and model, which
// the engine has limited before.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

namespace tutti::kernels {

enum class Slot : uint8_t {
  kActivations,     // shared: quantised activations of a MatMul
  kMatMul,          // per member: unpacked weights
  kMatMulOut,       // per member: sums of a strip
  kMatMulFloat,     // per member: decoded weights of the float path
  kAttention,       // per member: scores and unpacked keys and values
  kAttentionSplit,  // shared: partial results of split histories
  kUnfold,          // per member: latents as tiles and factors, sums
  kUnfoldWeights,   // shared: the matrices of all heads as words
  kUnfolded,        // shared: unfolded keys and values of some heads
  kMoe,             // shared: the tokens of a step
  kMoeGathered,     // shared: tokens grouped by expert, for float weights
  kMoeHidden,       // shared: the experts' inner activations
  kMoeHiddenQ8,     // shared: the same, quantised
  kMoeSums,         // per member: sums of gate, up or down
  kCount,
};

class Workspace {
 public:
  static constexpr int kShared = -1;  // the member that stands for the calling thread's shared data

  explicit Workspace(int members)
      : buffers_(static_cast<size_t>(members + 1) * static_cast<size_t>(Slot::kCount)) {}

  // At least `count` values of a trivial type T, aligned to a cache line.
  template <typename T>
  T* Get(int member, Slot slot, size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    return static_cast<T*>(GetBytes(member, slot, count * sizeof(T)));
  }

 private:
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  struct Buffer {
    std::unique_ptr<void, Free> data;
    size_t size_bytes = 0;
  };
  void* GetBytes(int member, Slot slot, size_t size_bytes);

  std::vector<Buffer> buffers_;
};

}  // namespace tutti::kernels
