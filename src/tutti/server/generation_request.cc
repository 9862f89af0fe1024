#include "tutti/server/generation_request.h"

#include <cmath>
#include <limits>

namespace tutti::server {
namespace {

constexpr float kOpen = std::numeric_limits<float>::quiet_NaN();

void Close(float& value, float model) {
  if (std::isnan(value)) value = model;
}

}  // namespace

SamplingSpec OpenSampling() {
  SamplingSpec sampling;
  sampling.temperature = kOpen;
  sampling.top_k = -1;
  sampling.top_p = kOpen;
  sampling.min_p = kOpen;
  sampling.repetition_penalty = kOpen;
  return sampling;
}

void CloseSampling(SamplingSpec& sampling, const SamplingSpec& model) {
  Close(sampling.temperature, model.temperature);
  if (sampling.top_k < 0) sampling.top_k = model.top_k;
  Close(sampling.top_p, model.top_p);
  Close(sampling.min_p, model.min_p);
  Close(sampling.repetition_penalty, model.repetition_penalty);
}

}  // namespace tutti::server
