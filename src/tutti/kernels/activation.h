// The gated activations between an expert's (or a dense layer's) two products.
#pragma once
#include <cstdint>
#include <span>

#include "tutti/spec/model_spec.h"

namespace tutti::kernels {

// out[i] = f(gate[i], up[i]) with
//   kSilu            gate * sigmoid(gate) * up                       (SwiGLU, arXiv 2002.05202)
//   kGelu            gelu(gate) * up, tanh form (arXiv 1606.08415)
//   kClampedSwiglu   g * sigmoid(1.702 g) * (u + 1), g = min(gate, limit),
//                    u = clamp(up, -limit, limit)                    (gpt-oss model card)
//
// Shapes: all spans have one length; out may be gate or up. `limit` matters to kClampedSwiglu only.
// Accuracy: a few units in the last place; NaN stays NaN and large magnitudes saturate.
// Threads: none. Each element is computed by itself: cutting a span in two changes no bit.
void GatedActivation(Activation kind, float limit, std::span<const float> gate,
                     std::span<const float> up, std::span<float> out);

// x[i] = 1 / (1 + exp(-x[i])), the same way.
void SigmoidInPlace(std::span<float> x);

// One element in double precision: the oracle of the tests.
double GatedActivationReference(Activation kind, double limit, double gate, double up);

}  // namespace tutti::kernels
