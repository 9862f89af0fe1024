// JSON of untrusted files: the header of safetensors, config.json, the index of shards.
//
// Stricter than JSON asks: a key that appears twice in one object is an error, because two readers
// of such a file may believe different things. Errors: kData, with what is wrong and at which byte.
#pragma once
#include <boost/json/value.hpp>
#include <string_view>

#include "tutti/base/status.h"

namespace tutti::format {

// Objects and arrays inside each other; published files stay below 10.
inline constexpr size_t kMaxJsonDepth = 32;

// `name` stands in front of messages ("model.safetensors: header").
Result<boost::json::value> ParseJson(std::string_view text, std::string_view name);

// What a value is, for messages: "a string", "an object".
std::string_view KindOf(const boost::json::value& value);

inline std::string_view View(boost::json::string_view s) { return {s.data(), s.size()}; }

}  // namespace tutti::format
