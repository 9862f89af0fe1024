#include "tutti/server/json_fields.h"

#include <cmath>

namespace tutti::server {
namespace {

// Deeper than any client nests, and shallow enough for every reader of what we pass on.
constexpr size_t kMaxDepth = 64;

// A limit as people write it: "2147483647", "0.5", "-2".
std::string Shown(double number) {
  return std::floor(number) == number && std::abs(number) < 1e18 ? fmt::format("{:.0f}", number)
                                                                 : fmt::format("{}", number);
}

}  // namespace

void RequestReader::Fail(std::string_view message, std::string_view code) {
  if (error_) return;
  error_ = ApiError{
      .status = 400,
      .type = "invalid_request_error",
      .message = path_.empty() ? std::string(message) : fmt::format("{} {}", path_, message),
      .param = path_,
      .code = std::string(code)};
}

void RequestReader::FailAt(std::string_view member, std::string_view message,
                           std::string_view code) {
  const Step step(*this, member);
  Fail(message, code);
}

void RequestReader::FailType(std::string_view wanted, const boost::json::value& value) {
  Fail(fmt::format("must be {}, not {}", wanted, KindOf(value)), "invalid_type");
}

std::optional<boost::json::object> RequestReader::ParseBody(std::string_view body) {
  auto parsed = ParseJson(body, {.max_depth = kMaxDepth});
  if (!parsed.ok()) {
    Fail(fmt::format("the request's body is {}", parsed.status().message()), "invalid_json");
    return std::nullopt;
  }
  if (!parsed->is_object()) {
    Fail(fmt::format("the request's body must be a JSON object, not {}", KindOf(*parsed)),
         "invalid_json");
    return std::nullopt;
  }
  return std::move(parsed->get_object());
}

bool RequestReader::CheckSize(size_t size, double min, double max, std::string_view unit) {
  const double number = static_cast<double>(size);
  if (number >= min && number <= max) return true;
  if (size == 0) {
    Fail("must not be empty");
  } else {
    Fail(fmt::format("has {} {}, it must have {} to {}", size, unit, Shown(min), Shown(max)));
  }
  return false;
}

bool RequestReader::CheckRange(double number, double min, double max) {
  if (number >= min && number <= max) return true;  // false for NaN
  Fail(fmt::format("is {}, it must be between {} and {}", Shown(number), Shown(min), Shown(max)),
       number < min ? "below_min_value" : "above_max_value");
  return false;
}

const boost::json::object* RequestReader::AsObject(const boost::json::value& value) {
  if (value.is_object()) return &value.get_object();
  FailType("an object", value);
  return nullptr;
}

std::optional<std::string_view> RequestReader::AsText(const boost::json::value& value, double min,
                                                      double max) {
  if (!value.is_string()) {
    FailType("a string", value);
    return std::nullopt;
  }
  const std::string_view text = View(value.get_string());
  if (!CheckSize(text.size(), min, max, "bytes")) return std::nullopt;
  return text;
}

std::optional<double> RequestReader::AsNumber(const boost::json::value& value, double min,
                                              double max) {
  if (!value.is_number()) {
    FailType("a number", value);
    return std::nullopt;
  }
  const double number = value.to_number<double>();
  if (!CheckRange(number, min, max)) return std::nullopt;
  return number;
}

std::optional<int64_t> RequestReader::AsInteger(const boost::json::value& value, double min,
                                                double max) {
  // JSON does not tell 1 from 1.0; beyond 2^53 only what was written without a point is exact.
  constexpr double kExact = 9007199254740992;
  const auto number = AsNumber(value, min, max);
  if (!number) return std::nullopt;
  if (value.is_int64()) return value.get_int64();
  if (std::abs(*number) <= kExact && std::floor(*number) == *number) {
    return static_cast<int64_t>(*number);
  }
  Fail(fmt::format("must be an integer, not {}", *number), "invalid_type");
  return std::nullopt;
}

}  // namespace tutti::server
