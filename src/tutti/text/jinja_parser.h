// Tokens -> Program. Nesting is limited by the budget's depth.
#pragma once
#include <memory>
#include <string_view>

#include "tutti/text/jinja_ast.h"

namespace tutti::text::jinja {

// kData with line and column where the source is no template.
Result<std::unique_ptr<Program>> ParseProgram(std::string_view source,
                                              const TemplateBudget& budget);

// The status with "line 3, column 14: " in front.
Status AtPosition(const Status& status, std::string_view source, uint32_t position);

}  // namespace tutti::text::jinja
