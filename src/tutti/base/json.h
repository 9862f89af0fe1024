// JSON of files and requests that nobody vouches for, as Boost.JSON's values.
//
// Values take more memory than their text: `0,` has 2 bytes and becomes 24. All that parsing
// allocates is therefore counted, and a text that asks for more than JsonMemoryLimit() is refused
// before the memory is taken, so a small file stays small and a large one cannot grow twentyfold.
//
// Ownership: the value owns its memory. Threads: any. Errors: kData, with what is wrong and at
// which byte; kResource where the system has no memory.
#pragma once
#include <boost/json/value.hpp>
#include <cstddef>
#include <string_view>

#include "tutti/base/status.h"

namespace tutti {

struct JsonOptions {
  // Objects and arrays inside each other; published files stay below 10.
  size_t max_depth = 64;
  // A key that appears twice in one object is an error, because two readers of such a file may
  // believe different things. Otherwise the last one counts.
  bool unique_keys = false;
};

Result<boost::json::value> ParseJson(std::string_view text, const JsonOptions& options = {});

// Bytes that a text of this size may take while it is parsed and afterwards. Of the published files
// vocabularies without white space take most, 5 times their text, and 9 where keys are compared.
size_t JsonMemoryLimit(size_t text_bytes);

// What a value is, for messages: "a string", "an object".
std::string_view KindOf(const boost::json::value& value);

inline std::string_view View(boost::json::string_view s) { return {s.data(), s.size()}; }

}  // namespace tutti
