// The parts of a description that most architectures share.
//
// Errors go into the reader; see model/spec_reader.h.
#pragma once
#include "tutti/model/spec_reader.h"
#include "tutti/spec/model_spec.h"

namespace tutti::model {

// A dense, decoder-only transformer with RMS norms, grouped-query attention, a rotary embedding in
// halves and a gated feed-forward network: sizes, biases, tied embeddings, all layers alike. What
// an architecture does differently, it changes afterwards.
ModelSpec ReadCommonSpec(SpecReader& reader);

// The rotary embedding with linear, Llama-3 or YaRN scaling; `dim` elements of a head are rotated.
RopeSpec ReadRope(SpecReader& reader, int32_t dim, int32_t context_length);

// How many elements of a head are rotated: all, a fraction or a number, as the checkpoint says.
int32_t ReadRotatedDim(SpecReader& reader, int32_t head_dim);

// The window of sliding-window attention, 0 where the model has none.
int32_t ReadWindow(SpecReader& reader);

// Gives the layers that config.json lists as "sliding_attention" in layer_types the window, the
// others none. Where there is no list, `by_default` decides for a layer index.
void SetWindows(SpecReader& reader, ModelSpec& spec, int32_t window, bool (*by_default)(int32_t));

// Group-limited routing: how many groups, and from how many experts are chosen.
void ReadExpertGroups(SpecReader& reader, MoeSpec& moe);

// Marks layers `first_moe` to the last as expert layers.
void SetExpertLayers(ModelSpec& spec, int32_t first_moe);

// The width of `count` experts side by side, capped far above what ValidateSpec allows.
int32_t TotalWidth(int32_t count, int32_t width);

// YaRN's correction of the attention temperature (arXiv 2309.00071, eq. 22): 0.1 m ln(s) + 1.
double YarnMagnitude(double factor, double multiplier);

}  // namespace tutti::model
