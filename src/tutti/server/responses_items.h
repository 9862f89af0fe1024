// The items of /v1/responses: what was said and called, as messages.
//
// Messages, function calls, their outputs and reasoning; other kinds of items are skipped with a
// warning, images and files inside a message are an error with their path. Threads: one at a time.
// Errors: in the reader.
#pragma once
#include <boost/json.hpp>
#include <functional>
#include <optional>
#include <string>

#include "tutti/server/json_fields.h"
#include "tutti/server/request_draft.h"

namespace tutti::server {

// Finds the item that an item_reference means, as JSON.
using ItemFinder = std::function<std::optional<std::string>(const std::string& id)>;

// Appends the messages of an item; a call joins the answer before it. Of a reference: the item that
// it means, as JSON.
std::optional<std::string> ReadResponseItem(RequestReader& reader, RequestDraft& draft,
                                            const boost::json::value& value,
                                            const ItemFinder& find);

}  // namespace tutti::server
