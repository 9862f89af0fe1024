// One command of the program: its options, declared once, and what it does.
//
// Help, shell completion, the suggestions for typing mistakes and docs/commands.md all come from
// what Declare tells CLI11. A new command is a file command_<name>.cc and a line in registry.cc.
#pragma once
#include <CLI/App.hpp>

#include <memory>
#include <span>
#include <string_view>

#include "tutti/base/status.h"
#include "tutti/cli/console.h"

namespace tutti::cli {

class Command {
 public:
  virtual ~Command() = default;
  // Adds arguments and options; the variables they fill belong to the command. A description begins
  // with a lower-case letter and fits beside the option in 80 columns (a test looks).
  virtual void Declare(CLI::App& app) = 0;
  // Called once, after parsing. Results go to console.Write/Print; the error becomes the exit code.
  virtual Status Run(Console& console) = 0;
};

struct CommandEntry {
  std::string_view name;
  std::string_view summary;  // one line, without a full stop
  std::unique_ptr<Command> (*make)();
};

// All commands in the order in which help shows them.
std::span<const CommandEntry> Commands();

// The application with every command declared. `commands` owns what the options fill and must live
// as long as `app`.
struct Application {
  std::unique_ptr<CLI::App> app;
  std::vector<std::unique_ptr<Command>> commands;  // in the order of Commands()
};
Application MakeApplication();

// The whole program: parses, runs, reports. Returns the exit code.
int Main(int argc, const char* const* argv);

}  // namespace tutti::cli
