// How programs that talk to a model are told to talk to this server: pure text.
//
// Errors: kNotFound with the nearest name for a client that is not known.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tutti/base/status.h"

namespace tutti::cli {

struct ServerAddress {
  std::string url;  // "http://127.0.0.1:8080"
  std::string model;
  std::string key;          // empty: the server asks for none
  int32_t context = 32768;  // of the model: clients shorten their conversations by it
};

// A client's settings: a file of its own, or variables of the environment.
struct ClientSetup {
  std::string_view name;     // "codex"
  std::string_view summary;  // "Codex CLI, over the Responses API"
  std::string_view file;     // where it reads them, below the home folder; empty: environment
  std::string_view command;  // what to type then; "{model}" stands for the model
  std::string (*text)(const ServerAddress& server);
};

std::span<const ClientSetup> ClientSetups();
Result<const ClientSetup*> FindClient(const std::string& name);

}  // namespace tutti::cli
