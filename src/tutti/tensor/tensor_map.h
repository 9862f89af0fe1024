// The tensors of a checkpoint under the names the publisher gave them.
//
// format/ fills it, model/ looks its weights up in it; it lives here so that neither needs the
// other. Non-owning, like the views in it.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "tutti/tensor/view.h"

namespace tutti::tensor {

using TensorMap = std::map<std::string, TensorView, std::less<>>;

}  // namespace tutti::tensor
