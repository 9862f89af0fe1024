// tutti help [COMMAND]
#include <CLI/CLI.hpp>

#include <algorithm>

#include "tutti/cli/command.h"
#include "tutti/cli/help.h"
#include "tutti/cli/suggest.h"

namespace tutti::cli {
namespace {

class HelpCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("COMMAND", name_, "the command to explain, all of them if absent");
  }

  Status Run(Console& console) override {
    const Application application = MakeApplication();
    if (name_.empty()) {
      console.Write(OverviewHelp(*application.app));
      return {};
    }
    std::vector<std::string> names;
    for (const CommandEntry& entry : Commands()) names.emplace_back(entry.name);
    if (std::find(names.begin(), names.end(), name_) == names.end()) {
      const auto nearest = Suggest(name_, names);
      return UsageError("unknown command '{}': {}", name_,
                        nearest ? fmt::format("did you mean '{}'?", *nearest)
                                : std::string("see 'tutti --help'"));
    }
    console.Write(CommandHelp(*application.app->get_subcommand(name_)));
    return {};
  }

 private:
  std::string name_;
};

}  // namespace

std::unique_ptr<Command> MakeHelpCommand() { return std::make_unique<HelpCommand>(); }

}  // namespace tutti::cli
