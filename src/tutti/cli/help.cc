#include "tutti/cli/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace tutti::cli {
namespace {

constexpr size_t kLabelColumns = 26;

std::string Line(const std::string& label, const std::string& text) {
  return fmt::format("  {:<{}} {}\n", label, kLabelColumns, text);
}

bool IsPositional(const CLI::Option& option) { return option.get_positional(); }

std::string UsageArgument(const CLI::Option& option) {
  const std::string name = option.get_single_name();
  return option.get_required() ? name : "[" + name + "]";
}

}  // namespace

std::string OptionLabel(const CLI::Option& option) {
  if (IsPositional(option)) return option.get_single_name();
  std::string label;
  for (const std::string& name : option.get_snames()) label += "-" + name + ", ";
  for (const std::string& name : option.get_lnames()) label += "--" + name + ", ";
  if (label.size() >= 2) label.resize(label.size() - 2);
  if (option.get_type_size_max() > 0) label += " " + option.get_type_name();
  return label;
}

std::string OverviewHelp(const CLI::App& app) {
  std::string text = app.get_description() + "\n\nUsage: tutti COMMAND [arguments]\n\nCommands:\n";
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    text += fmt::format("  {:<12} {}\n", command->get_name(), command->get_description());
  }
  text +=
      "\n'tutti COMMAND --help' explains a command, 'tutti --version' names this build.\n"
      "A MODEL is a .gguf file, a folder as published on Hugging Face, or a name that\n"
      "'tutti list' shows.\n";
  return text;
}

std::string CommandHelp(const CLI::App& command) {
  std::string usage = "Usage: tutti " + command.get_name();
  std::string arguments;
  std::vector<std::string> groups;
  bool has_options = false;
  for (const CLI::Option* option : command.get_options()) {
    if (IsPositional(*option)) {
      arguments += Line(OptionLabel(*option), option->get_description());
      continue;
    }
    has_options = true;
    if (std::find(groups.begin(), groups.end(), option->get_group()) == groups.end()) {
      groups.push_back(option->get_group());
    }
  }
  for (const CLI::Option* option : command.get_options()) {
    if (IsPositional(*option)) usage += " " + UsageArgument(*option);
  }
  if (has_options) usage += " [options]";

  std::string text = command.get_description() + ".\n\n" + usage + "\n";
  if (!arguments.empty()) text += "\n" + arguments;
  for (const std::string& group : groups) {
    if (group.empty()) continue;  // hidden
    text += "\n" + group + ":\n";
    for (const CLI::Option* option : command.get_options()) {
      if (IsPositional(*option) || option->get_group() != group) continue;
      text += Line(OptionLabel(*option), option->get_description());
    }
  }
  if (!command.get_footer().empty()) text += "\n" + command.get_footer() + "\n";
  return text;
}

}  // namespace tutti::cli
