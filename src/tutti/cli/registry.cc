// Every command of the program, in the order in which help shows them.
#include "tutti/cli/command.h"

namespace tutti::cli {

// Each is defined in its command_<name>.cc.
std::unique_ptr<Command> MakeCompletionCommand();
std::unique_ptr<Command> MakeConvertCommand();
std::unique_ptr<Command> MakeHelpCommand();

std::span<const CommandEntry> Commands() {
  static constexpr CommandEntry kCommands[] = {
      {"convert", "Write a model as a GGUF file", MakeConvertCommand},
      {"completion", "Print the completion script of a shell", MakeCompletionCommand},
      {"help", "Explain a command", MakeHelpCommand},
  };
  return kCommands;
}

}  // namespace tutti::cli
