// Every command of the program, in the order in which help shows them.
#include "tutti/cli/command.h"

namespace tutti::cli {

// Each is defined in its command_<name>.cc.
std::unique_ptr<Command> MakeBenchCommand();
std::unique_ptr<Command> MakeChatCommand();
std::unique_ptr<Command> MakeCompletionCommand();
std::unique_ptr<Command> MakeConvertCommand();
std::unique_ptr<Command> MakeDetokenizeCommand();
std::unique_ptr<Command> MakeDoctorCommand();
std::unique_ptr<Command> MakeHelpCommand();
std::unique_ptr<Command> MakeImatrixCommand();
std::unique_ptr<Command> MakeInspectCommand();
std::unique_ptr<Command> MakeKeysCommand();
std::unique_ptr<Command> MakeLaunchCommand();
std::unique_ptr<Command> MakeListCommand();
std::unique_ptr<Command> MakeLogitsCommand();
std::unique_ptr<Command> MakePerplexityCommand();
std::unique_ptr<Command> MakeQuantizeCommand();
std::unique_ptr<Command> MakeRenderCommand();
std::unique_ptr<Command> MakeRunCommand();
std::unique_ptr<Command> MakeServeCommand();
std::unique_ptr<Command> MakeSynthCommand();
std::unique_ptr<Command> MakeTokenizeCommand();

std::span<const CommandEntry> Commands() {
  static constexpr CommandEntry kCommands[] = {
      {"run", "Answer a prompt or continue a text", MakeRunCommand},
      {"chat", "Have a conversation on the terminal", MakeChatCommand},
      {"serve", "Serve models to many users over HTTP", MakeServeCommand},
      {"keys", "Make and list the keys of a server", MakeKeysCommand},
      {"launch", "Print or write the settings of a client program", MakeLaunchCommand},
      {"list", "Show the models that are already on this machine", MakeListCommand},
      {"inspect", "Show what a model is and what it needs", MakeInspectCommand},
      {"convert", "Write a model as a GGUF file", MakeConvertCommand},
      {"quantize", "Write a model as a GGUF file of fewer bits", MakeQuantizeCommand},
      {"imatrix", "Measure on a text which weights matter", MakeImatrixCommand},
      {"tokenize", "Turn text into token ids", MakeTokenizeCommand},
      {"detokenize", "Turn token ids into text", MakeDetokenizeCommand},
      {"render", "Show what a chat template makes of a conversation", MakeRenderCommand},
      {"logits", "Write the logits at every position of some ids", MakeLogitsCommand},
      {"perplexity", "Measure how well a model predicts a text", MakePerplexityCommand},
      {"bench", "Measure speed beside the limits of the machine", MakeBenchCommand},
      {"synth", "Write a model of a known shape with random weights", MakeSynthCommand},
      {"doctor", "Show what this machine has and how fast it is", MakeDoctorCommand},
      {"completion", "Print the completion script of a shell", MakeCompletionCommand},
      {"help", "Explain a command", MakeHelpCommand},
  };
  return kCommands;
}

}  // namespace tutti::cli
