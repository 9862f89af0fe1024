#include "tutti/base/check.h"

#include <cstdio>

namespace tutti {

void CheckFailed(const char* file, int line, const char* condition, std::string_view message) {
  std::fprintf(stderr, "tutti: internal error at %s:%d: %.*s [%s]\n", file, line,
               static_cast<int>(message.size()), message.data(), condition);
  std::fflush(stderr);
  __builtin_trap();
}

}  // namespace tutti
