// tutti completion SHELL: a script that completes commands, options and their fixed values.
#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "tutti/cli/command.h"

namespace tutti::cli {
namespace {

struct CommandWords {
  std::string name;
  std::string summary;
  std::vector<const CLI::Option*> options;  // with names, help included
};

std::vector<CommandWords> Words(const CLI::App& app) {
  std::vector<CommandWords> words;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    CommandWords entry{command->get_name(), command->get_description(), {}};
    for (const CLI::Option* option : command->get_options()) {
      if (!option->get_positional() && !option->get_group().empty())
        entry.options.push_back(option);
    }
    words.push_back(std::move(entry));
  }
  return words;
}

std::string OptionNames(const CommandWords& command) {
  std::string names;
  for (const CLI::Option* option : command.options) {
    for (const std::string& name : option->get_lnames()) names += " --" + name;
  }
  return names.empty() ? names : names.substr(1);
}

std::string CommandNames(const std::vector<CommandWords>& commands) {
  std::string names;
  for (const CommandWords& command : commands) names += (names.empty() ? "" : " ") + command.name;
  return names;
}

// The first argument of these commands is a word, not a file.
std::string FixedArguments(const std::string& command, const std::vector<CommandWords>& all) {
  if (command == "completion") return "bash zsh fish";
  if (command == "help") return CommandNames(all);
  return "";
}

std::string Bash(const std::vector<CommandWords>& commands) {
  std::string script =
      "# Completion of tutti for bash: tutti completion bash > "
      "~/.local/share/bash-completion/completions/tutti\n"
      "_tutti() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]}\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    COMPREPLY=($(compgen -W \"" +
      CommandNames(commands) +
      " --help --version\" -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  local options= words=\n"
      "  case ${COMP_WORDS[1]} in\n";
  for (const CommandWords& command : commands) {
    script += fmt::format("    {}) options='{}' words='{}' ;;\n", command.name,
                          OptionNames(command), FixedArguments(command.name, commands));
  }
  script +=
      "  esac\n"
      "  case $word in\n"
      "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
      "    *)\n"
      "      if [ -n \"$words\" ]; then\n"
      "        COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "      else\n"
      "        compopt -o filenames 2>/dev/null\n"
      "        local IFS=$'\\n'\n"
      "        COMPREPLY=($(compgen -f -- \"$word\"))\n"
      "      fi ;;\n"
      "  esac\n"
      "}\n"
      "complete -F _tutti tutti\n";
  return script;
}

// For zsh's _arguments inside single quotes.
std::string ZshEscape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\'') {
      escaped += "'\\''";
    } else {
      if (c == '[' || c == ']' || c == ':') escaped += '\\';
      escaped += c;
    }
  }
  return escaped;
}

std::string Zsh(const std::vector<CommandWords>& commands) {
  std::string script =
      "#compdef tutti\n"
      "# Completion of tutti for zsh: put this as _tutti into a folder of $fpath.\n"
      "_tutti() {\n"
      "  local -a commands\n"
      "  commands=(\n";
  for (const CommandWords& command : commands) {
    script += fmt::format("    '{}:{}'\n", command.name, ZshEscape(command.summary));
  }
  script +=
      "  )\n"
      "  if (( CURRENT == 2 )); then\n"
      "    _describe command commands\n"
      "    return\n"
      "  fi\n"
      "  local command=$words[2]\n"
      "  shift words\n"
      "  (( CURRENT-- ))\n"
      "  case $command in\n";
  for (const CommandWords& command : commands) {
    script += fmt::format("    {}) _arguments", command.name);
    for (const CLI::Option* option : command.options) {
      for (const std::string& name : option->get_lnames()) {
        script += fmt::format(" \\\n      '--{}[{}]", name, ZshEscape(option->get_description()));
        if (option->get_type_size_max() > 0) {
          script += fmt::format(":{}:_files", option->get_type_name());
        }
        script += "'";
      }
    }
    const std::string fixed = FixedArguments(command.name, commands);
    script += fixed.empty() ? " \\\n      '*:file:_files' ;;\n"
                            : fmt::format(" \\\n      '1:word:({})' ;;\n", fixed);
  }
  script +=
      "  esac\n"
      "}\n"
      "if [ \"$funcstack[1]\" = _tutti ]; then _tutti; else compdef _tutti tutti; fi\n";
  return script;
}

std::string FishQuote(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string Fish(const std::vector<CommandWords>& commands) {
  std::string script =
      "# Completion of tutti for fish: tutti completion fish > "
      "~/.config/fish/completions/tutti.fish\n";
  for (const CommandWords& command : commands) {
    script += fmt::format("complete -c tutti -f -n __fish_use_subcommand -a {} -d {}\n",
                          command.name, FishQuote(command.summary));
    const std::string condition = FishQuote("__fish_seen_subcommand_from " + command.name);
    for (const CLI::Option* option : command.options) {
      for (const std::string& name : option->get_lnames()) {
        script += fmt::format("complete -c tutti -n {} -l {}{} -d {}\n", condition, name,
                              option->get_type_size_max() > 0 ? " -r" : "",
                              FishQuote(option->get_description()));
      }
    }
    const std::string fixed = FixedArguments(command.name, commands);
    if (!fixed.empty()) {
      script += fmt::format("complete -c tutti -f -n {} -a {}\n", condition, FishQuote(fixed));
    }
  }
  return script;
}

class CompletionCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("SHELL", shell_, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    app.footer("For this shell only: source <(tutti completion bash)");
  }

  Status Run(Console& console) override {
    const Application application = MakeApplication();
    const std::vector<CommandWords> commands = Words(*application.app);
    if (shell_ == "bash") console.Write(Bash(commands));
    if (shell_ == "zsh") console.Write(Zsh(commands));
    if (shell_ == "fish") console.Write(Fish(commands));
    return {};
  }

 private:
  std::string shell_;
};

}  // namespace

std::unique_ptr<Command> MakeCompletionCommand() { return std::make_unique<CompletionCommand>(); }

}  // namespace tutti::cli
