// What a checkpoint's metadata claims about the mathematics beside the numbers that its
// architecture reads: the scoring of experts, biases, kinds of layers, the form of the weights. Our
// code has one answer to each; a checkpoint that says something else would run and be wrong.
//
// Errors go into the reader: kData where the checkpoint contradicts itself, kUnsupported where it
// asks for what Tutti cannot do yet; see model/spec_reader.h.
#pragma once
#include "tutti/model/spec_reader.h"
#include "tutti/spec/model_spec.h"

namespace tutti::model {

void CheckClaims(SpecReader& reader, const ModelSpec& spec);

}  // namespace tutti::model
