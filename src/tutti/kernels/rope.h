// Rotary position embedding (arXiv 2104.09864) with the published ways of stretching it: linear
// (arXiv 2306.15595), Llama 3's, YaRN (arXiv 2309.00071) and explicit divisors per frequency.
// Formulas as Hugging Face's ROPE_INIT_FUNCTIONS have them, in double precision.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "tutti/kernels/context.h"
#include "tutti/spec/model_spec.h"

namespace tutti::kernels {

// Angle per position of each pair, [spec.dim / 2], radians.
std::vector<double> RopeFrequencies(const RopeSpec& spec);

// Cosines and sines for the rows of one step, times the attention factor. Made once per step and
// distinct RopeSpec and shared by all layers.
// Ownership: owns its arrays; Fill reuses them. Threads: Fill is one thread's, Apply reads only.
class RopeTable {
 public:
  // spec.dim is even and positive (checked).
  explicit RopeTable(const RopeSpec& spec);

  // Computes row t for positions[t].
  void Fill(std::span<const int32_t> positions);
  int64_t rows() const { return rows_; }

  // Rotates the first spec.dim elements of each head in place, in row t of x by row t of this
  // table; elements behind them pass through. For a head whose rotated part comes last (MLA), x
  // points to that part of the first head.
  //
  // Shapes: x [rows()][heads][...], row_stride and head_stride in floats.
  // Threads: parallel over rows.
  void Apply(float* x, int64_t row_stride, int64_t heads, int64_t head_stride,
             KernelContext& context) const;

 private:
  RopePairing pairing_;
  double attention_factor_;
  std::vector<double> frequencies_;  // [dim / 2]
  int64_t rows_ = 0;
  std::vector<float> cos_;  // [rows, dim / 2]
  std::vector<float> sin_;
};

// Turns one head by one position in double precision: the oracle of the tests.
void RopeReference(const RopeSpec& spec, int64_t position, std::span<float> head);

}  // namespace tutti::kernels
