// What --help prints: at most one screen per command, 80 columns.
#pragma once
#include <CLI/App.hpp>

#include <string>

namespace tutti::cli {

// `tutti --help`: the commands and their summaries.
std::string OverviewHelp(const CLI::App& app);
// `tutti COMMAND --help`.
std::string CommandHelp(const CLI::App& command);

// "--max-tokens N" or "-v, --verbose" or "MODEL".
std::string OptionLabel(const CLI::Option& option);

}  // namespace tutti::cli
