// tutti launch CLIENT: the settings with which a program talks to this server.
#include <CLI/CLI.hpp>

#include <filesystem>
#include <fstream>

#include "tutti/cli/client_setups.h"
#include "tutti/cli/command.h"
#include "tutti/cli/options.h"

namespace tutti::cli {
namespace {

namespace fs = std::filesystem;

class LaunchCommand final : public Command {
 public:
  void Declare(CLI::App& app) override {
    app.add_option("CLIENT", client_,
                   "one of codex claude opencode continue\n"
                   "aider qwen openai")
        ->required();
    app.add_option("--url", server_.url, "of the server (default http://127.0.0.1:8080)")
        ->type_name("URL");
    app.add_option("--model", server_.model, "as the server calls it (default story)")
        ->type_name("NAME");
    app.add_option("--key", server_.key, "where the server asks for one")->type_name("KEY");
    app.add_option("--context", server_.context, "of the model, in tokens (default 32768)")
        ->type_name("N")
        ->check(Between(1, 1 << 30));
    app.add_flag("--write", write_, "write the client's file, where there is none yet");
    app.footer("Clients that are told by variables: eval \"$(tutti launch claude --model NAME)\".");
  }

  Status Run(Console& console) override {
    TUTTI_ASSIGN_OR_RETURN(const ClientSetup* setup, FindClient(client_));
    while (server_.url.ends_with('/')) server_.url.pop_back();
    if (!server_.url.starts_with("http://") && !server_.url.starts_with("https://")) {
      return UsageError("--url '{}' does not begin with http:// or https://", server_.url);
    }
    const std::string text = setup->text(server_);
    if (setup->file.empty()) {
      if (write_) {
        return UsageError(
            "{} reads no file, only variables: leave out --write, and say eval "
            "\"$(tutti launch {})\"",
            client_, client_);
      }
      console.Write(text);
    } else if (write_) {
      TUTTI_RETURN_IF_ERROR(WriteFile(*setup, text, console));
    } else {
      console.Say("tutti: for ~/{}", setup->file);
      console.Write(text);
    }
    std::string command(setup->command);
    const size_t place = command.find("{model}");
    if (place != std::string::npos) command.replace(place, 7, server_.model);
    if (!command.empty()) console.Say("tutti: then: {}", command);
    return {};
  }

 private:
  static Status WriteFile(const ClientSetup& setup, const std::string& text, Console& console) {
    const auto home = GetEnvironment("HOME");
    if (!home) return UsageError("HOME is not set: where would ~/{} be?", setup.file);
    const fs::path path = fs::path(*home) / setup.file;
    std::error_code error;
    if (fs::exists(path, error)) {
      return Error(StatusCode::kIo,
                   "{} is already there and stays as it is: without --write you see what to add",
                   path.string());
    }
    fs::create_directories(path.parent_path(), error);
    std::ofstream file(path);
    // A key may be in it.
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write, error);
    file << text;
    file.close();
    if (!file) return Error(StatusCode::kIo, "{} cannot be written", path.string());
    console.Say("tutti: wrote {}", path.string());
    return {};
  }

  std::string client_;
  ServerAddress server_{.url = "http://127.0.0.1:8080", .model = "story", .key = {}};
  bool write_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeLaunchCommand() { return std::make_unique<LaunchCommand>(); }

}  // namespace tutti::cli
