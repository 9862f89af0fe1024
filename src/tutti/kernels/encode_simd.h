// The fits behind careful encoders (tensor/encode_fit.h), vectorised across groups.
//
// The same bits as tensor::ScalarGroupFits() on every instruction set: the operations of a group
// and their order are those of the scalar code. Threads: any.
#pragma once
#include "tutti/tensor/encode_fit.h"

namespace tutti::kernels {

const tensor::GroupFits& FastGroupFits();

}  // namespace tutti::kernels
