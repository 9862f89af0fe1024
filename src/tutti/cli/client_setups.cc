#include "tutti/cli/client_setups.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <vector>

#include "tutti/cli/json_text.h"
#include "tutti/cli/suggest.h"

namespace tutti::cli {
namespace {

namespace json = boost::json;

// Clients want a key even where the server does not.
std::string KeyOr(const ServerAddress& server) { return server.key.empty() ? "none" : server.key; }

// For a shell: 'it'\''s'.
std::string Quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string Export(std::string_view name, std::string_view value) {
  return fmt::format("export {}={}\n", name, Quoted(value));
}

// Strings of JSON are strings of TOML and YAML.
std::string Codex(const ServerAddress& server) {
  std::string text = fmt::format(
      "model = {}\n"
      "model_provider = \"tutti\"\n"
      "model_context_window = {}\n"
      "\n"
      "[model_providers.tutti]\n"
      "name = \"Tutti\"\n"
      "base_url = {}\n"
      "wire_api = \"responses\"\n"
      "stream_idle_timeout_ms = 600000\n",
      JsonString(server.model), server.context, JsonString(server.url + "/v1"));
  if (!server.key.empty()) {
    text += fmt::format("http_headers = {{ Authorization = {} }}\n",
                        JsonString("Bearer " + server.key));
  }
  return text;
}

std::string Claude(const ServerAddress& server) {
  return Export("ANTHROPIC_BASE_URL", server.url) + Export("ANTHROPIC_AUTH_TOKEN", KeyOr(server)) +
         Export("ANTHROPIC_MODEL", server.model) +
         Export("ANTHROPIC_DEFAULT_OPUS_MODEL", server.model) +
         Export("ANTHROPIC_DEFAULT_SONNET_MODEL", server.model) +
         Export("ANTHROPIC_DEFAULT_HAIKU_MODEL", server.model) +
         Export("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1") +
         Export("API_TIMEOUT_MS", "3000000");
}

std::string Opencode(const ServerAddress& server) {
  const json::object limit{{"context", server.context}, {"output", server.context / 4}};
  const json::object models{{server.model, {{"name", server.model}, {"limit", limit}}}};
  const json::object options{{"baseURL", server.url + "/v1"}, {"apiKey", KeyOr(server)}};
  const json::object provider{{"npm", "@ai-sdk/openai-compatible"},
                              {"name", "Tutti"},
                              {"options", options},
                              {"models", models}};
  const json::object config{{"$schema", "https://opencode.ai/config.json"},
                            {"provider", {{"tutti", provider}}},
                            {"model", "tutti/" + server.model}};
  return ToJson(config) + "\n";
}

std::string Continue(const ServerAddress& server) {
  return fmt::format(
      "name: Tutti\n"
      "version: 1.0.0\n"
      "schema: v1\n"
      "models:\n"
      "  - name: {0}\n"
      "    provider: openai\n"
      "    model: {0}\n"
      "    apiBase: {1}\n"
      "    apiKey: {2}\n"
      "    defaultCompletionOptions:\n"
      "      contextLength: {3}\n"
      "    roles: [chat, edit, apply]\n",
      JsonString(server.model), JsonString(server.url + "/v1"), JsonString(KeyOr(server)),
      server.context);
}

std::string Environment(const ServerAddress& server) {
  return Export("OPENAI_BASE_URL", server.url + "/v1") +
         Export("OPENAI_API_BASE", server.url + "/v1") + Export("OPENAI_API_KEY", KeyOr(server)) +
         Export("OPENAI_MODEL", server.model);
}

constexpr std::array kSetups = {
    ClientSetup{"codex", "Codex CLI, over the Responses API", ".codex/config.toml", "codex", Codex},
    ClientSetup{"claude", "Claude Code, over the Messages API", "", "claude", Claude},
    ClientSetup{"opencode", "opencode", ".config/opencode/opencode.json", "opencode", Opencode},
    ClientSetup{"continue", "Continue, in editors and on the terminal", ".continue/config.yaml",
                "cn", Continue},
    ClientSetup{"aider", "aider", "", "aider --model openai/{model}", Environment},
    ClientSetup{"qwen", "Qwen Code", "", "qwen", Environment},
    ClientSetup{"openai", "programs that use OpenAI's libraries", "", "", Environment},
};

}  // namespace

std::span<const ClientSetup> ClientSetups() { return kSetups; }

Result<const ClientSetup*> FindClient(const std::string& name) {
  std::vector<std::string> names;
  std::string all;
  for (const ClientSetup& setup : kSetups) {
    if (setup.name == name) return &setup;
    names.emplace_back(setup.name);
    all += (all.empty() ? "" : ", ") + names.back();
  }
  const auto nearest = Suggest(name, names);
  return Error(StatusCode::kNotFound, "no client is called '{}'{}: these are known: {}", name,
               nearest ? fmt::format(", did you mean '{}'?", *nearest) : "", all);
}

}  // namespace tutti::cli
