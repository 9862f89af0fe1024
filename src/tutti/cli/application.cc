// Parsing, dispatch and the exit code: the frame around every command.
#include <CLI/CLI.hpp>
#include <csignal>

#include <utility>
#include <vector>

#include "tutti/base/printable.h"
#include "tutti/cli/command.h"
#include "tutti/cli/help.h"
#include "tutti/cli/suggest.h"

namespace tutti::cli {
namespace {

int ExitCode(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return 0;
    case StatusCode::kUsage:
      return 64;
    case StatusCode::kData:
      return 65;
    case StatusCode::kNotFound:
      return 66;
    case StatusCode::kUnsupported:
      return 69;
    case StatusCode::kInternal:
      return 70;
    case StatusCode::kIo:
      return 74;
    case StatusCode::kResource:
      return 75;
    case StatusCode::kCancelled:
      return 130;
  }
  return 70;
}

constexpr size_t kLongestMessage = 2000;

int Report(Console& console, const Status& status) {
  const Status flushed = console.Flush();
  const Status& worst = status.ok() ? flushed : status;
  if (worst.ok()) return 0;
  if (worst.code() != StatusCode::kCancelled) {
    const std::string_view bug = worst.code() == StatusCode::kInternal ? "this is a bug: " : "";
    // One line: names of files and texts of templates may hold anything.
    console.Say("tutti: {}{}", bug, Printable(worst.message(), kLongestMessage));
  }
  return ExitCode(worst.code());
}

std::string DidYouMean(std::string_view word, const std::vector<std::string>& words,
                       std::string_view otherwise) {
  if (const auto nearest = Suggest(word, words)) return fmt::format("did you mean '{}'?", *nearest);
  return std::string(otherwise);
}

Status UnknownOption(const CLI::App& command, std::string_view argument) {
  const std::string name(argument.substr(0, argument.find('=')));
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& known : option->get_lnames()) names.push_back("--" + known);
  }
  const std::string prefix = command.get_parent() == nullptr ? "" : command.get_name() + " ";
  return UsageError("unknown option '{}': {}", name,
                    DidYouMean(name, names, fmt::format("see 'tutti {}--help'", prefix)));
}

Status UnknownCommand(const CLI::App& app, const std::string& name) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return UsageError("unknown command '{}': {}", name,
                    DidYouMean(name, names, "see 'tutti --help'"));
}

// CLI11's complaint in our words. What it could not place is looked at first, because a mistyped
// option is the cause and a missing argument then only the consequence.
Status ExplainParseError(const CLI::App& app, const CLI::ParseError& error) {
  const auto parsed = app.get_subcommands();
  const CLI::App& command = parsed.empty() ? app : *parsed.front();
  for (const std::string& extra : command.remaining()) {
    if (extra.size() > 1 && extra.front() == '-') return UnknownOption(command, extra);
  }
  const std::vector<std::string> extras = command.remaining();
  if (!extras.empty() && parsed.empty()) return UnknownCommand(app, extras.front());
  if (!extras.empty()) {
    return UsageError("'{}' is one argument too many: see 'tutti {} --help'", extras.front(),
                      command.get_name());
  }
  if (parsed.empty()) return UsageError("{}: see 'tutti --help'", error.what());
  return UsageError("{}: see 'tutti {} --help'", error.what(), command.get_name());
}

Status Dispatch(int argc, const char* const* argv, Console& console) {
  Application application = MakeApplication();
  CLI::App& app = *application.app;
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    const auto parsed = app.get_subcommands();
    console.Write(parsed.empty() ? OverviewHelp(app) : CommandHelp(*parsed.front()));
    return {};
  } catch (const CLI::CallForVersion&) {
    console.Print("tutti {}\n", TUTTI_VERSION);
    return {};
  } catch (const CLI::ParseError& error) {
    return ExplainParseError(app, error);
  }
  for (size_t i = 0; i < Commands().size(); ++i) {
    if (app.got_subcommand(std::string(Commands()[i].name))) {
      return application.commands[i]->Run(console);
    }
  }
  console.Talk(OverviewHelp(app));
  return UsageError("no command given: 'tutti run \"Once upon a time\"' is a good first one");
}

}  // namespace

Application MakeApplication() {
  Application application;
  application.app =
      std::make_unique<CLI::App>("Runs open-weight language models on ordinary processors.");
  CLI::App& app = *application.app;
  app.require_subcommand(0, 1);
  app.set_help_flag("-h,--help", "show this help");
  app.set_version_flag("--version", std::string(TUTTI_VERSION), "show the version");
  for (const CommandEntry& entry : Commands()) {
    CLI::App* command = app.add_subcommand(std::string(entry.name), std::string(entry.summary));
    application.commands.push_back(entry.make());
    command->set_help_flag();  // ours comes last
    application.commands.back()->Declare(*command);
    command->set_help_flag("-h,--help", "show this help");
  }
  return application;
}

int Main(int argc, const char* const* argv) {
  OpenStandardDescriptors();
  // A file over the limit of the process is an error of the write (EFBIG), not the end.
  std::signal(SIGXFSZ, SIG_IGN);
  CatchInterrupt();
  Console console;
  try {
    return Report(console, Dispatch(argc, argv, console));
  } catch (const std::bad_alloc&) {
    return Report(console, Error(StatusCode::kResource,
                                 "out of memory: try a smaller --context or a smaller model"));
  } catch (const std::exception& error) {
    return Report(console, Error(StatusCode::kInternal, "{}", error.what()));
  }
}

}  // namespace tutti::cli
