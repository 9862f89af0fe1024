#include "tutti/cli/embedded_model.h"

extern "C" {
extern const std::byte tutti_embedded_model_begin[];  // embedded_model.S
extern const std::byte tutti_embedded_model_end[];
}

namespace tutti::cli {

std::span<const std::byte> EmbeddedModel() {
  return {tutti_embedded_model_begin, tutti_embedded_model_end};
}

}  // namespace tutti::cli
