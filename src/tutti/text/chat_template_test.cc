// Every recorded rendering of the shared templates: 55 published templates, language snippets,
// hostile templates.
#include "tutti/text/chat_template.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "tests/shared_fixtures.h"
#include "tutti/text/conversation.h"
#include "tutti/text/jinja_compare.h"
#include "tutti/text/jinja_json.h"

namespace tutti::text {
namespace {

constexpr std::string_view kNow = "2026-01-15T12:34:56";

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

std::string ToJson(jinja::Heap& heap, const jinja::Value& value) {
  jinja::JsonStyle style;
  style.item_separator = *jinja::MakeString(heap, ",", false).string;
  style.key_separator = *jinja::MakeString(heap, ":", false).string;
  jinja::Builder out(heap);
  EXPECT_TRUE(jinja::AppendJson(out, value, style));
  return std::string(out.view());
}

struct Case {
  std::string name, source, vars;
  std::optional<std::string> expected, error;
};

std::vector<Case> ReadCases(const std::filesystem::path& path, bool families) {
  std::map<std::string, std::string> sources;
  std::vector<Case> cases;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    // The project's own JSON: other parsers round large integers.
    jinja::Heap heap({.steps = 1u << 30, .memory_bytes = 1u << 30});
    const jinja::Value row = jinja::ParseJson(heap, line, false);
    const auto find = [&](std::string_view key) -> std::optional<std::string> {
      const jinja::DictEntry* entry = jinja::DictFind(heap, *row.dict, key);
      if (entry == nullptr) return std::nullopt;
      return std::string(entry->value.string->view());
    };
    Case one;
    one.name = *find("template");
    one.source = one.name;
    if (families) {
      std::string& source = sources[one.name];
      if (source.empty()) source = ReadFile(path.parent_path() / "families" / one.name);
      one.source = source;
      one.name += " " + *find("case");
    }
    one.vars = ToJson(heap, jinja::DictFind(heap, *row.dict, "vars")->value);
    one.expected = find("expected");
    one.error = find("error");
    cases.push_back(std::move(one));
  }
  return cases;
}

Result<RenderResult> RenderSource(const std::string& source, const std::string& vars) {
  TUTTI_ASSIGN_OR_RETURN(const ChatTemplate chat, ChatTemplate::Parse(source));
  return chat.Render(vars, kNow);
}

void Check(const Case& one) {
  const auto result = RenderSource(one.source, one.vars);
  if (one.expected) {
    ASSERT_TRUE(result.ok()) << one.name << "\n" << result.status().message();
    EXPECT_EQ(result->Text(), *one.expected) << one.name;
    return;
  }
  ASSERT_FALSE(result.ok()) << one.name << "\nexpected " << *one.error << "\n" << result->Text();
  constexpr std::string_view kRaised = "TemplateError: ";
  const auto raised = RaisedMessage(result.status());
  EXPECT_EQ(raised.has_value(), one.error->starts_with(kRaised)) << one.name;
  if (raised) {
    EXPECT_EQ(*raised, one.error->substr(kRaised.size())) << one.name;
  }
}

TEST(ChatTemplateFixtures, PublishedTemplates) {
  TUTTI_NEEDS_SHARED("templates/cases.jsonl");
  const auto cases = ReadCases(testing::SharedFixture("templates/cases.jsonl"), true);
  EXPECT_EQ(cases.size(), 3300u);
  for (const Case& one : cases) Check(one);
}

TEST(ChatTemplateFixtures, ContinuedMessages) {
  TUTTI_NEEDS_SHARED("templates/continue.jsonl");
  const auto path = testing::SharedFixture("templates/continue.jsonl");
  size_t count = 0;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line); ++count) {
    jinja::Heap heap({.steps = 1u << 30, .memory_bytes = 1u << 30});
    const jinja::Value row = jinja::ParseJson(heap, line, false);
    const auto find = [&](const jinja::Value& in_dict, std::string_view key) {
      const jinja::DictEntry* entry = jinja::DictFind(heap, *in_dict.dict, key);
      return entry == nullptr ? jinja::Value() : entry->value;
    };
    const auto text = [](const jinja::Value& value) { return std::string(value.string->view()); };
    Conversation conversation;
    conversation.messages_json = ToJson(heap, find(row, "messages"));
    const jinja::Value vars = find(row, "vars");
    if (const auto bos = find(vars, "bos_token"); !bos.nothing())
      conversation.bos_token = text(bos);
    if (const auto eos = find(vars, "eos_token"); !eos.nothing())
      conversation.eos_token = text(eos);
    const std::string name = text(find(row, "template"));
    const auto chat = ChatTemplate::Parse(ReadFile(path.parent_path() / "families" / name));
    ASSERT_TRUE(chat.ok()) << name;
    const auto result = RenderContinued(*chat, conversation, kNow);
    const jinja::Value expected = find(row, "expected");
    ASSERT_EQ(result.ok(), !expected.nothing()) << line;
    if (result.ok()) {
      EXPECT_EQ(result->Text(), text(expected)) << name;
    }
  }
  EXPECT_EQ(count, 110u);
}

TEST(ChatTemplateFixtures, Language) {
  TUTTI_NEEDS_SHARED("templates/language.jsonl");
  for (const Case& one : ReadCases(testing::SharedFixture("templates/language.jsonl"), false)) {
    Check(one);
  }
}

TEST(ChatTemplateFixtures, Hostile) {
  TUTTI_NEEDS_SHARED("templates/hostile.jsonl");
  for (const Case& one : ReadCases(testing::SharedFixture("templates/hostile.jsonl"), false)) {
    const auto result = RenderSource(one.source, one.vars);
    EXPECT_FALSE(result.ok()) << one.source.substr(0, 200);
  }
}

}  // namespace
}  // namespace tutti::text
