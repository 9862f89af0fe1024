// Typed access to parsed JSON of untrusted files: a field is there with the right kind, or absent,
// or an error that names it. Only for sources in text/.
#pragma once
#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

#include "tutti/base/json.h"
#include "tutti/base/status.h"

namespace tutti::text {

// Null where the field is absent or JSON null; kData where it is of another kind.
Result<const boost::json::object*> ObjectField(const boost::json::object& object,
                                               std::string_view key);
Result<const boost::json::array*> ArrayField(const boost::json::object& object,
                                             std::string_view key);
Result<std::optional<std::string_view>> StringField(const boost::json::object& object,
                                                    std::string_view key);
Result<std::optional<bool>> BoolField(const boost::json::object& object, std::string_view key);
Result<std::optional<int64_t>> IntField(const boost::json::object& object, std::string_view key);

// An object's "type", empty where it has none.
std::string_view TypeOf(const boost::json::object& object);

// The JSON text of a value, cut to a length that fits a message.
std::string Shown(const boost::json::value& value);

}  // namespace tutti::text
