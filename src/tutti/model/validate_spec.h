// Are the numbers of a description possible and consistent? After this, code may rely on them:
// heads divide, halves are whole, indices are in range, products of sizes fit 64 bits with room.
//
// Errors: kData with the numbers.
#pragma once
#include "tutti/base/status.h"
#include "tutti/spec/model_spec.h"

namespace tutti::model {

Status ValidateSpec(const ModelSpec& spec);

}  // namespace tutti::model
