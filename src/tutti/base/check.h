// Checks against bugs, on in every build. Not for input: see base/status.h.
#pragma once
#include <string_view>

namespace tutti {

// Writes "file:line: message" to stderr and ends the process by a trap. Never returns.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              std::string_view message);

}  // namespace tutti

// TUTTI_CHECK(begin <= end, "range is reversed");
#define TUTTI_CHECK(condition, message)                              \
  do {                                                               \
    if (!(condition)) [[unlikely]]                                   \
      ::tutti::CheckFailed(__FILE__, __LINE__, #condition, message); \
  } while (false)

// The same, only in builds with assertions: for inner loops.
#ifdef NDEBUG
#define TUTTI_DCHECK(condition, message) \
  do {                                   \
  } while (false)
#else
#define TUTTI_DCHECK(condition, message) TUTTI_CHECK(condition, message)
#endif
