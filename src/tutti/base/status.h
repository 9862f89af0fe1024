// Errors as values.
//
// Two kinds of wrong: what the world does (input, files, peers, memory) is a Status and reaches the
// user as an answer; what only a bug can do hits TUTTI_CHECK (base/check.h). Nothing that a file or
// a request contains may reach a check.
//
// A message says what is wrong, the limit and the actual value where there are numbers, and what to
// do next: "model needs 40960 tokens of context, --context is 8192: shorten the prompt or raise
// it".
#pragma once
#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "tutti/base/check.h"

namespace tutti {

enum class StatusCode {
  kOk,
  kUsage,        // the command or the call is wrong                       -> exit code 64
  kData,         // a file or a document is malformed                      -> 65
  kNotFound,     // a file or a name does not exist                        -> 66
  kUnsupported,  // well-formed, but Tutti cannot do it yet                -> 69
  kResource,     // a limit was reached: memory, context, a budget         -> 75
  kIo,           // the operating system failed to read or write           -> 74
  kCancelled,    // the user stopped it                                    -> 130
  kInternal,     // a bug in Tutti that was noticed in time                -> 70
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same error with "context: " in front, for adding where it happened on the way up.
  Status WithContext(std::string_view context) const {
    return ok() ? *this : Status(code_, fmt::format("{}: {}", context, message_));
  }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

// Error(StatusCode::kData, "tensor {} has {} dimensions, at most 4 are possible", name, n)
template <typename... Args>
Status Error(StatusCode code, fmt::format_string<Args...> format, Args&&... args) {
  return Status(code, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
Status DataError(fmt::format_string<Args...> format, Args&&... args) {
  return Error(StatusCode::kData, format, std::forward<Args>(args)...);
}
template <typename... Args>
Status Unsupported(fmt::format_string<Args...> format, Args&&... args) {
  return Error(StatusCode::kUnsupported, format, std::forward<Args>(args)...);
}
template <typename... Args>
Status UsageError(fmt::format_string<Args...> format, Args&&... args) {
  return Error(StatusCode::kUsage, format, std::forward<Args>(args)...);
}

// A T, or the Status that says why there is none. value() of an error is a bug and stops.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}  // NOLINT: implicit, so that `return value;` works
  Result(Status status) : status_(std::move(status)) {
    TUTTI_CHECK(!status_.ok(), "a Result made from a Status needs an error");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & {
    TUTTI_CHECK(ok(), status_.message());
    return *value_;
  }
  const T& value() const& {
    TUTTI_CHECK(ok(), status_.message());
    return *value_;
  }
  T&& value() && {
    TUTTI_CHECK(ok(), status_.message());
    return *std::move(value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace tutti

#define TUTTI_CONCAT_INNER(a, b) a##b
#define TUTTI_CONCAT(a, b) TUTTI_CONCAT_INNER(a, b)

// TUTTI_RETURN_IF_ERROR(DoSomething());
#define TUTTI_RETURN_IF_ERROR(expr)                                                     \
  do {                                                                                  \
    if (::tutti::Status tutti_status = (expr); !tutti_status.ok()) return tutti_status; \
  } while (false)

// TUTTI_ASSIGN_OR_RETURN(const auto file, os::MmapFile::Open(path));
#define TUTTI_ASSIGN_OR_RETURN(lhs, expr) \
  TUTTI_ASSIGN_OR_RETURN_INNER(TUTTI_CONCAT(tutti_result_, __LINE__), lhs, expr)
#define TUTTI_ASSIGN_OR_RETURN_INNER(result, lhs, expr) \
  auto result = (expr);                                 \
  if (!result.ok()) return result.status();             \
  lhs = std::move(result).value()
