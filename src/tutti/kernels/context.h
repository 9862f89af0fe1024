// What every parallel kernel needs, passed by reference instead of reached for.
#pragma once
#include <cstdint>

#include "tutti/kernels/strip.h"
#include "tutti/kernels/workspace.h"
#include "tutti/os/thread_pool.h"

namespace tutti::kernels {

struct AttentionIsa;
class MatMulObserver;
class Profile;

// One per engine; kernels of one context run one at a time. KernelContext context{pool};
struct KernelContext {
  os::ThreadPool& pool;
  // Multiply dequantised weights in float32 (--exact) instead of quantised activations.
  bool exact = false;
  // The instruction set of int8 products; tests set others. All give the same bits.
  const StripIsa* strips = &BestStripIsa();
  // The arithmetic of attention; null: the first of AttentionIsas.
  const AttentionIsa* attention = nullptr;
  Workspace workspace{pool.size()};
  MatMulObserver* observer = nullptr;  // sees the inputs of products (matmul.h)
  Profile* profile = nullptr;          // where the time goes, while someone wants to know
};

}  // namespace tutti::kernels
