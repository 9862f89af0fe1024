// The machine's own limits, measured on the threads that compute: what every benchmark compares
// with. Decoding a token cannot be faster than its weights can be read, a prompt not faster than
// its products can be formed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "tutti/os/thread_pool.h"

namespace tutti::kernels {

// The best of several stretches of the whole team: of 25 ms for reading, about a gigabyte, of 3 ms
// for arithmetic. Other processes can only lower them.
struct MachineLimits {
  int threads = 0;
  double read_gb_s = 0;    // 10^9 bytes per second, plain loads from memory; 0: not known
  double int8_gops = 0;    // 10^9 operations per second; a multiply-add counts as two
  double bf16_gflops = 0;  // where there are no bf16 products: f32_gflops
  double f32_gflops = 0;
  std::string_view int8_instructions;  // "AVX-512 VNNI"
  std::string_view bf16_instructions;  // "AVX-512 BF16", or those of float32
  std::string_view f32_instructions;
};

// Measures them, once or again and again between other work.
//
// Ownership: keeps a reference to the pool, and 256 MiB (four times all last-level caches if that
// is more); where so much memory cannot be had, or would be more than half of what is available,
// the read figures are 0: not known. Threads: uses the whole pool; nothing else may meanwhile.
class LimitsMeter {
 public:
  explicit LimitsMeter(os::ThreadPool& pool);
  LimitsMeter(const LimitsMeter&) = delete;
  LimitsMeter& operator=(const LimitsMeter&) = delete;
  ~LimitsMeter();

  // Takes about `seconds`: two thirds of them for reading, the rest for arithmetic.
  MachineLimits Measure(double seconds);

 private:
  struct FreeMemory {
    void operator()(uint64_t* p) const;
  };
  uint64_t* Part(int member) const;
  void MeasureRead(double seconds, MachineLimits& limits);

  os::ThreadPool& pool_;
  size_t window_bytes_ = 0;                       // read by one member in one run
  std::unique_ptr<uint64_t, FreeMemory> memory_;  // a part per member; null: could not be had
};

}  // namespace tutti::kernels
