#include "tutti/cli/client_setups.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace tutti::cli {
namespace {

std::string TextOf(const std::string& client, const ServerAddress& server) {
  const auto setup = FindClient(client);
  EXPECT_TRUE(setup.ok()) << setup.status().message();
  return (*setup)->text(server);
}

const ServerAddress kServer{.url = "http://127.0.0.1:8080", .model = "qwen3-30b", .key = "tt-1"};

TEST(ClientSetupsTest, EveryClientLearnsAddressModelAndKey) {
  for (const ClientSetup& setup : ClientSetups()) {
    const std::string text = setup.text(kServer);
    EXPECT_NE(text.find("http://127.0.0.1:8080"), std::string::npos) << setup.name;
    EXPECT_NE(text.find("qwen3-30b"), std::string::npos) << setup.name;
    EXPECT_NE(text.find("tt-1"), std::string::npos) << setup.name;
  }
}

TEST(ClientSetupsTest, VariablesSurviveTheShell) {
  ServerAddress server = kServer;
  server.model = "it's $(here)";
  const std::string text = TextOf("claude", server);
  EXPECT_NE(text.find("export ANTHROPIC_MODEL='it'\\''s $(here)'\n"), std::string::npos) << text;
}

TEST(ClientSetupsTest, FilesQuoteWhatTheyAreGiven) {
  ServerAddress server = kServer;
  server.model = "a \"b\" \\ c";
  const auto opencode = boost::json::parse(TextOf("opencode", server));
  EXPECT_EQ(opencode.at("model").as_string(), "tutti/a \"b\" \\ c");
  EXPECT_TRUE(opencode.at("provider").at("tutti").at("models").as_object().contains(server.model));
  EXPECT_NE(TextOf("codex", server).find("model = \"a \\\"b\\\" \\\\ c\"\n"), std::string::npos);
}

TEST(ClientSetupsTest, AskForNoKeyWhereThereIsNone) {
  ServerAddress server = kServer;
  server.key.clear();
  EXPECT_EQ(TextOf("codex", server).find("Authorization"), std::string::npos);
  EXPECT_NE(TextOf("claude", server).find("ANTHROPIC_AUTH_TOKEN='none'"), std::string::npos);
}

TEST(ClientSetupsTest, UnknownClientsGetTheNearestName) {
  const auto setup = FindClient("cluade");
  ASSERT_FALSE(setup.ok());
  EXPECT_NE(setup.status().message().find("did you mean 'claude'"), std::string::npos);
}

}  // namespace
}  // namespace tutti::cli
