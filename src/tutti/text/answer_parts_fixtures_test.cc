// The templates' own way of writing calls, read back: what a template renders for an assistant's
// turn with calls is what its model writes, so splitting it must give the calls again.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>

#include "tests/shared_fixtures.h"
#include "tutti/base/json.h"
#include "tutti/base/json_text.h"
#include "tutti/text/answer_parts.h"
#include "tutti/text/chat_template.h"

namespace tutti::text {
namespace {

namespace json = boost::json;

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// The first `count` messages as the template shows them; empty where it refuses.
std::string RenderFirst(const ChatTemplate& chat, json::object vars, size_t count, bool prompt) {
  json::array& messages = vars["messages"].as_array();
  messages.erase(messages.begin() + static_cast<ptrdiff_t>(count), messages.end());
  vars["add_generation_prompt"] = prompt;
  const auto result = chat.Render(JsonText(vars), "2026-01-15T12:34:56");
  return result.ok() ? result->Text() : std::string();
}

// Without the tokens that end a turn, which an answer's text does not contain.
std::string_view WithoutEnd(std::string_view text) {
  for (bool more = true; more;) {
    more = false;
    for (const std::string_view end :
         {"<|im_end|>", "</s>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<turn|>", "<|message_sep|>",
          "<seed:eos>", "<|END_OF_TURN_TOKEN|>", "<｜end▁of▁sentence｜>", "<|end_of_text|>",
          "<|call|>", "<|assistant_end|>", "<sep>", "\n"}) {
      if (!text.ends_with(end)) continue;
      text.remove_suffix(end.size());
      more = true;
    }
  }
  return text;
}

// The calls of a message, as name and arguments.
using Calls = std::vector<std::pair<std::string, json::value>>;
Calls WantedCalls(const json::object& message) {
  Calls calls;
  for (const json::value& call : message.at("tool_calls").as_array()) {
    const json::object& function = call.at("function").as_object();
    const json::value& arguments = function.at("arguments");
    calls.emplace_back(function.at("name").as_string(),
                       arguments.is_string() ? json::parse(arguments.as_string()) : arguments);
  }
  return calls;
}

std::vector<ToolSchema> ToolsOf(const json::object& vars) {
  std::vector<ToolSchema> tools;
  const json::value& list = vars.at("tools");
  if (!list.is_array()) return tools;
  for (const json::value& tool : list.as_array()) {
    const json::object& function = tool.at("function").as_object();
    const json::value* parameters = function.if_contains("parameters");
    tools.push_back({std::string(function.at("name").as_string()),
                     parameters == nullptr ? "" : JsonText(*parameters)});
  }
  return tools;
}

Calls FoundCalls(const AnswerFormat& format, std::string_view prompt, std::string_view answer,
                 std::vector<ToolSchema> tools) {
  AnswerPartsOptions options;
  options.tools = std::move(tools);
  options.in_reasoning = PromptOpensReasoning(format.reasoning, prompt);
  const auto parts = MakeAnswerParts(format, options);
  Calls calls;
  std::string arguments;
  for (const auto& list : {parts->Push(answer), parts->Finish()}) {
    for (const AnswerPart& part : list) {
      if (part.kind == PartKind::kToolCall) calls.emplace_back(part.text, nullptr);
      if (part.kind == PartKind::kArguments) arguments += part.text;
      if (part.kind == PartKind::kCallEnd) {
        const auto value = ParseJson(std::exchange(arguments, {}));
        if (value.ok()) calls.back().second = *value;
      }
    }
  }
  return calls;
}

struct Count {
  int right = 0;
  int all = 0;
};

// Reads back what the template makes of the row's messages with calls.
Count ReadBack(const json::object& vars, const ChatTemplate& chat, std::string_view source) {
  Count count;
  const json::array& messages = vars.at("messages").as_array();
  const std::vector<ToolSchema> tools = ToolsOf(vars);
  for (size_t i = 1; i < messages.size() && !tools.empty(); ++i) {
    const json::object& message = messages[i].as_object();
    const json::value* wanted = message.if_contains("tool_calls");
    if (wanted == nullptr || !wanted->is_array() || wanted->as_array().empty()) continue;
    const std::string before = RenderFirst(chat, vars, i, true);
    const std::string after = RenderFirst(chat, vars, i + 1, false);
    if (before.empty() || !after.starts_with(before)) continue;
    const std::string_view answer = WithoutEnd(std::string_view(after).substr(before.size()));
    ++count.all;
    if (FoundCalls(AnswerFormatOf(source), before, answer, tools) == WantedCalls(message)) {
      ++count.right;
    }
  }
  return count;
}

std::map<std::string, Count> ReadAllBack() {
  std::map<std::string, Count> counts;  // by template
  std::ifstream in(testing::SharedFixture("templates/cases.jsonl"));
  for (std::string line; std::getline(in, line);) {
    if (line.find("tool_calls") == std::string::npos) continue;
    const json::object row = json::parse(line).as_object();
    const json::object& vars = row.at("vars").as_object();
    // Templates want arguments as objects; of a text they make what no model writes.
    if (!row.contains("expected") || !vars.at("messages").is_array() ||
        row.at("case") == "tool_call_string_arguments") {
      continue;
    }
    const std::string name(row.at("template").as_string());
    const std::string source = ReadAll(testing::SharedFixture("templates/families/" + name));
    const auto chat = ChatTemplate::Parse(source);
    EXPECT_TRUE(chat.ok()) << name;
    if (!chat.ok()) continue;
    const Count count = ReadBack(vars, *chat, source);
    counts[name].right += count.right;
    counts[name].all += count.all;
  }
  return counts;
}

TEST(AnswerPartsFixtures, TemplatesCallsAreReadBack) {
  TUTTI_NEEDS_SHARED("templates/cases.jsonl");
  const std::map<std::string, Count> counts = ReadAllBack();
  for (const char* name : {"Apertus-8B-Instruct",

                           "Bielik-11B-v3.0-Instruct",
                           "GLM-4.6",
                           "GLM-4.7-Flash",
                           "GLM-5.2",
                           "MiMo-VL",
                           "Mistral-Small-3.2-24B-Instruct-2506",
                           "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
                           "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use",
                           "NousResearch-Hermes-3-Llama-3.1-8B-tool_use",
                           "Qwen-Qwen2.5-7B-Instruct",
                           "Qwen-Qwen3-0.6B",
                           "Qwen3-Coder",
                           "Qwen3.5-4B",
                           "Reka-Edge",
                           "StepFun3.5-Flash",
                           "deepseek-ai-DeepSeek-V3.1",
                           "deepseek-ai-DeepSeek-V4",
                           "google-gemma-4-31B-it",
                           "meta-llama-Llama-3.1-8B-Instruct",
                           "meta-llama-Llama-3.2-3B-Instruct",
                           "meta-llama-Llama-3.3-70B-Instruct",
                           "mistralai-Ministral-3-14B-Reasoning-2512",
                           "mistralai-Mistral-Nemo-Instruct-2407",
                           "moonshotai-Kimi-K2",
                           "stepfun-ai-Step-3.5-Flash",
                           "unsloth-Apriel-1.5",
                           "unsloth-mistral-Devstral-Small-2507"}) {
    const auto found = counts.find(std::string(name) + ".jinja");
    ASSERT_NE(found, counts.end()) << name;
    EXPECT_GT(found->second.all, 0) << name;
    EXPECT_EQ(found->second.right, found->second.all) << name;
  }
  // These show only the first of several calls, or values in Python's notation.
  for (const char* name : {"openai-gpt-oss-120b", "GigaChat3-10B-A1.8B", "GigaChat3.1-10B-A1.8B",
                           "meetkai-functionary-medium-v3.1", "ByteDance-Seed-OSS"}) {
    const auto found = counts.find(std::string(name) + ".jinja");
    ASSERT_NE(found, counts.end()) << name;
    EXPECT_GT(found->second.right, found->second.all / 3) << name << found->second.right;
  }
}

}  // namespace
}  // namespace tutti::text
