// What `tutti bench` measures, and the arithmetic of what the machine would allow at best.
//
// A test is written as KIND TOKENS [xSEQUENCES] [@DEPTH]: pp512 computes a prompt of 512 tokens,
// tg64 decodes 64 tokens one by one, tg32x16@4096 decodes 32 tokens in each of 16 sequences that
// hold 4,096 tokens already.
//
// Units: bytes, multiply-adds and seconds of one repetition. Threads: any. Errors: kUsage for a
// list that cannot be read, with the item.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/status.h"
#include "tutti/engine.h"
#include "tutti/kernels/limits.h"

namespace tutti::cli {

enum class BenchKind : uint8_t { kPrefill, kDecode };

struct BenchTest {
  BenchKind kind = BenchKind::kPrefill;
  int32_t tokens = 0;  // of each sequence
  int32_t sequences = 1;
  int32_t depth = 0;  // tokens that the sequences hold before

  std::string Name() const;
  int64_t total_tokens() const { return int64_t{tokens} * sequences; }
};

// "pp512,tg64@8192".
Result<std::vector<BenchTest>> ParseBenchTests(std::string_view text);

// What one repetition cannot do without. Attention's own arithmetic and the writing of keys and
// values are left out, so that the limit is one in any case.
struct BenchWork {
  int64_t steps = 0;  // times that the weights are read
  double layer_bytes = 0;
  double expert_bytes = 0;
  double output_bytes = 0;
  double kv_bytes = 0;
  double int8_products = 0;      // multiply-adds with weights in blocks of integers
  double float_products = 0;     // and with weights in floating-point formats
  double experts_per_layer = 0;  // distinct ones that a step touches, mean; 0: no experts

  double bytes() const { return layer_bytes + expert_bytes + output_bytes + kv_bytes; }
};

// `profile` is that of one repetition: its steps and the experts that it touched.
BenchWork WorkOf(const BenchTest& test, const ModelSpec& spec, const EngineCosts& costs,
                 const StepProfile& profile);

// Bytes of keys and values that a token needs which comes after `depth` others.
int64_t KvBytesRead(const ModelSpec& spec, const EngineCosts& costs, int64_t depth);

struct BenchLimit {
  double reading_s = 0;  // 0: not known, for want of memory to measure with
  double multiplying_s = 0;
  double tokens_per_s = 0;  // only if known()
  bool known() const { return reading_s > 0; }
  bool by_reading() const { return reading_s >= multiplying_s; }
};

// The slower of reading everything once per step and multiplying at the peak: int8 and bf16, or
// float32 for all of it with `exact`.
BenchLimit LimitOf(const BenchTest& test, const BenchWork& work,
                   const kernels::MachineLimits& limits, bool exact);

// Figure by figure the middle one of several measurements; at least one.
kernels::MachineLimits MedianLimits(const std::vector<kernels::MachineLimits>& measured);
double Median(std::vector<double> values);

}  // namespace tutti::cli
