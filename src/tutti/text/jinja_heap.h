// The memory, the budgets and the error of one rendering (or of one parsed template).
//
// Everything a template makes lives here until the rendering ends and is freed at once, so nested
// values need no recursive destructor and memory can be counted when it is taken. All sizes are
// charged before the work is done. The first failure is kept; after it every charge fails, and the
// code above only has to get out.
//
// One thread at a time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/text/chat_template.h"

namespace tutti::text::jinja {

class Heap {
 public:
  explicit Heap(const TemplateBudget& budget);
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  // One step is one evaluated node or about 32 bytes looked at.
  bool Step(uint64_t count = 1) {
    steps_ += count;
    return steps_ <= budget_.steps || OutOfSteps();
  }
  // The steps of looking at `bytes` bytes.
  bool Work(uint64_t bytes) { return Step(1 + bytes / 32); }
  // Announces memory that is about to be used; never given back.
  bool Charge(uint64_t bytes) {
    memory_ += bytes;
    return memory_ <= budget_.memory_bytes || OutOfMemory(bytes);
  }
  bool Output(uint64_t bytes);

  // Uninitialised memory for `count` T, charged. nullptr when the budget is spent; never nullptr
  // otherwise, also for 0.
  template <typename T>
  T* NewArray(size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= 16);
    if (count > kMaxBytes / sizeof(T)) {
      OutOfMemory(kMaxBytes);
      return nullptr;
    }
    if (!Charge(count * sizeof(T))) return nullptr;
    return static_cast<T*>(Take(count * sizeof(T)));
  }
  template <typename T>
  T* New(T value) {
    T* made = NewArray<T>(1);
    if (made != nullptr) std::construct_at(made, std::move(value));
    return made;
  }
  // Memory that was charged before (by a Builder).
  char* TakeCharged(size_t bytes) { return static_cast<char*>(Take(bytes)); }

  // Nesting of calls and expressions; see DepthGuard.
  bool Enter();
  void Leave() { --depth_; }

  // Keeps the first error. `position` is where the template stands; see set_position.
  void Fail(StatusCode code, std::string message);
  // The template's own raise_exception(message).
  void FailRaised(std::string message);
  bool raised() const { return raised_; }
  bool failed() const { return !status_.ok(); }
  const Status& status() const { return status_; }
  // Byte offset of the construct that is being evaluated, for messages.
  void set_position(uint32_t position) { position_ = position; }
  uint32_t error_position() const { return error_position_; }

  const TemplateBudget& budget() const { return budget_; }
  uint64_t steps() const { return steps_; }
  uint64_t memory() const { return memory_; }

 private:
  static constexpr uint64_t kMaxBytes = uint64_t{1} << 31;  // so that sizes fit 32 bits
  void* Take(size_t bytes);
  bool OutOfSteps();
  bool OutOfMemory(uint64_t bytes);

  TemplateBudget budget_;
  uint64_t steps_ = 0;
  uint64_t memory_ = 0;
  uint64_t output_ = 0;
  uint32_t depth_ = 0;
  uint32_t position_ = 0;
  uint32_t error_position_ = 0;
  bool raised_ = false;
  Status status_;
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::byte* next_ = nullptr;
  size_t left_ = 0;
};

// One level of nesting for the lifetime of the guard. Check ok() before going deeper.
class DepthGuard {
 public:
  explicit DepthGuard(Heap& heap) : heap_(heap), ok_(heap.Enter()) {}
  ~DepthGuard() { heap_.Leave(); }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;
  bool ok() const { return ok_; }

 private:
  Heap& heap_;
  bool ok_;
};

}  // namespace tutti::text::jinja
