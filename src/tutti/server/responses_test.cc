#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "tutti/server/responses_request.h"

namespace tutti::server {
namespace {

namespace json = boost::json;

constexpr TenantId kTenant{7};

GenerationRequest Parse(ResponseStore& store, std::string_view body) {
  auto parsed = ParseResponses(body, {}, store, kTenant);
  EXPECT_TRUE(parsed.ok()) << body << ": " << parsed.error().message;
  return parsed.ok() ? std::move(parsed->generation) : GenerationRequest();
}

std::string Messages(ResponseStore& store, std::string_view body) {
  const GenerationRequest request = Parse(store, body);
  return request.conversation ? request.conversation->messages_json : "";
}

AnswerEvent Event(AnswerEventKind kind, std::string text = {}, std::string call_id = {}) {
  AnswerEvent event;
  event.kind = kind;
  event.text = std::move(text);
  event.call_id = std::move(call_id);
  return event;
}

// The types of a stream's events; checks their numbers and names.
std::vector<std::string> Types(std::string_view stream, int64_t& sequence,
                               std::vector<json::object>* events = nullptr) {
  std::vector<std::string> types;
  while (!stream.empty()) {
    const size_t end = stream.find("\n\n");
    EXPECT_NE(end, std::string_view::npos);
    if (end == std::string_view::npos) break;
    const std::string_view block = stream.substr(0, end);
    stream.remove_prefix(end + 2);
    const size_t line = block.find("\ndata: ");
    EXPECT_TRUE(block.starts_with("event: "));
    const json::object data = json::parse(block.substr(line + 7)).as_object();
    types.emplace_back(data.at("type").as_string());
    EXPECT_EQ(block.substr(7, line - 7), types.back());
    EXPECT_EQ(data.at("sequence_number").to_number<int64_t>(), sequence++);
    if (events != nullptr) events->push_back(data);
  }
  return types;
}

TEST(Responses, InputsBecomeWhatTemplatesExpect) {
  ResponseStore store(1 << 20);
  EXPECT_EQ(Messages(store, R"({"input":"hi","instructions":"be brief"})"),
            R"([{"role":"system","content":"be brief"},{"role":"user","content":"hi"}])");
  EXPECT_EQ(
      Messages(store,
               R"({"input":[{"role":"developer","content":"d"},{"type":"message","role":"user",)"
               R"("content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},)"
               R"({"type":"reasoning","id":"rs","summary":[],"content":[{"type":"reasoning_text",)"
               R"("text":"hm"}]},{"type":"message","role":"assistant","content":[{"type":)"
               R"("output_text","text":"ok","annotations":[]}]},{"type":"function_call","call_id":)"
               R"("c1","name":"f","arguments":"{\"a\":1}"},{"type":"function_call","call_id":"c2",)"
               R"("name":"g","arguments":"{}"},{"type":"function_call_output","call_id":"c1",)"
               R"("output":"x"},{"type":"function_call_output","call_id":"c2","output":)"
               R"([{"type":"input_text","text":"y"}]},{"type":"web_search_call","id":"w"}]})"),
      R"([{"role":"system","content":"d"},{"role":"user","content":"a\nb"},)"
      R"({"role":"assistant","content":"ok","reasoning_content":"hm","tool_calls":[)"
      R"({"id":"c1","type":"function","function":{"name":"f","arguments":{"a":1}}},)"
      R"({"id":"c2","type":"function","function":{"name":"g","arguments":{}}}]},)"
      R"({"role":"tool","content":"x","name":"f","tool_call_id":"c1"},)"
      R"({"role":"tool","content":"y","name":"g","tool_call_id":"c2"}])");
}

TEST(Responses, ValuesArriveWhereTheyBelong) {
  ResponseStore store(1 << 20);
  // As Codex sends it.
  const GenerationRequest request = Parse(
      store,
      R"({"model":"m","input":"a","store":false,"stream":true,"include":["reasoning.encrypted_content"],)"
      R"("prompt_cache_key":"k","client_metadata":{},"max_output_tokens":9,"tools":[)"
      R"({"type":"function","name":"shell","strict":false,"parameters":{"type":"object"}},)"
      R"({"type":"namespace","name":"n"},{"type":"web_search"}],"tool_choice":"auto",)"
      R"("parallel_tool_calls":false,"reasoning":{"effort":"high","summary":"auto"},)"
      R"("text":{"verbosity":"low","format":{"type":"json_schema","name":"n","strict":true,)"
      R"("schema":{"type":"object"}}},"temperature":0.5,"later":1})");
  EXPECT_EQ(request.max_tokens, 9);
  EXPECT_TRUE(request.stream);
  ASSERT_EQ(request.tools.size(), 1U);
  EXPECT_EQ(request.tools[0].name, "shell");
  EXPECT_EQ(request.warnings.size(), 2U);
  EXPECT_FALSE(request.parallel_tool_calls);
  EXPECT_EQ(request.format.kind, OutputKind::kJsonSchema);
  EXPECT_EQ(request.format.source, R"({"type":"object"})");
  EXPECT_EQ(request.sampling.temperature, 0.5F);
  EXPECT_EQ(request.unknown_fields, 1);
  EXPECT_NE(request.conversation->extra_json.find("\"reasoning_effort\":\"high\""),
            std::string::npos);
}

TEST(Responses, RefusalsNameTheField) {
  ResponseStore store(1 << 20);
  const std::tuple<std::string, std::string, int> cases[] = {
      {R"({})", "input", 400},
      {R"({"input":[]})", "input", 400},
      {R"({"input":5})", "input", 400},
      {R"({"input":[{"role":"user","content":[{"type":"input_image","image_url":"x"}]}]})",
       "input[0].content[0].type", 400},
      {R"({"input":[{"type":"function_call","call_id":"a"}]})", "input[0].name", 400},
      {R"({"input":[{"role":"robot","content":"a"}]})", "input[0].role", 400},
      {R"({"input":[{}]})", "input[0].type", 400},
      {R"({"input":[{"type":"item_reference","id":"msg_9"}]})", "input[0].id", 400},
      {R"({"input":"a","previous_response_id":"resp_9"})", "previous_response_id", 400},
      {R"({"input":"a","background":true})", "background", 400},
      {R"({"input":"a","conversation":"c"})", "conversation", 400},
      {R"({"input":"a","max_output_tokens":-1})", "max_output_tokens", 400},
  };
  for (const auto& [body, param, status] : cases) {
    auto parsed = ParseResponses(body, {}, store, kTenant);
    ASSERT_FALSE(parsed.ok()) << body;
    EXPECT_EQ(parsed.error().param, param) << parsed.error().message;
    EXPECT_EQ(parsed.error().status, status);
  }
}

TEST(Responses, StreamHasItsEventsInOrder) {
  ResponseStore store(1 << 20);
  auto parsed = ParseResponses(R"({"input":"hi","stream":true})", {}, store, kTenant);
  ASSERT_TRUE(parsed.ok());
  AnswerWriter& writer = *parsed->writer;
  std::string out = writer.Begin({.id = "1", .created_s = 5, .model = "m"});
  using enum AnswerEventKind;
  for (const AnswerEvent& event :
       {Event(kReasoning, "hm"), Event(kText, "a"), Event(kText, "b"), Event(kToolCall, "f", "c1"),
        Event(kArguments, "{"), Event(kArguments, "}"), Event(kToolCallEnd), Event(kFinished)}) {
    out += writer.Write(event);
  }
  out += writer.End({.prompt_tokens = 3, .cached_tokens = 1, .generated_tokens = 4});
  int64_t sequence = 0;
  std::vector<json::object> events;
  const std::vector<std::string> types = Types(out, sequence, &events);
  const std::vector<std::string> expected = {"response.created",
                                             "response.in_progress",
                                             "response.output_item.added",
                                             "response.content_part.added",
                                             "response.reasoning_text.delta",
                                             "response.reasoning_text.done",
                                             "response.content_part.done",
                                             "response.output_item.done",
                                             "response.output_item.added",
                                             "response.content_part.added",
                                             "response.output_text.delta",
                                             "response.output_text.delta",
                                             "response.output_text.done",
                                             "response.content_part.done",
                                             "response.output_item.done",
                                             "response.output_item.added",
                                             "response.function_call_arguments.delta",
                                             "response.function_call_arguments.delta",
                                             "response.function_call_arguments.done",
                                             "response.output_item.done",
                                             "response.completed"};
  EXPECT_EQ(types, expected);
  EXPECT_EQ(json::serialize(events[8]),
            R"({"type":"response.output_item.added","sequence_number":8,"output_index":1,"item":)"
            R"({"id":"msg_1_1","type":"message","status":"in_progress","role":"assistant",)"
            R"("content":[]}})");
  EXPECT_EQ(json::serialize(events[10]),
            R"({"type":"response.output_text.delta","sequence_number":10,"item_id":"msg_1_1",)"
            R"("output_index":1,"content_index":0,"delta":"a","logprobs":[]})");
  EXPECT_EQ(json::serialize(events[15]),
            R"({"type":"response.output_item.added","sequence_number":15,"output_index":2,"item":)"
            R"({"id":"fc_1_2","type":"function_call","status":"in_progress","call_id":"c1",)"
            R"("name":"f","arguments":""}})");
  EXPECT_EQ(json::serialize(events[19].at("item")),
            R"({"id":"fc_1_2","type":"function_call","status":"completed","call_id":"c1",)"
            R"("name":"f","arguments":"{}"})");
  EXPECT_EQ(json::serialize(events[0].at("response").at("output")), "[]");
  const json::object& response = events.back().at("response").as_object();
  EXPECT_EQ(response.at("id"), "resp_1");
  EXPECT_EQ(response.at("status"), "completed");
  EXPECT_EQ(response.at("output").as_array().size(), 3U);
  EXPECT_EQ(json::serialize(response.at("usage")),
            R"({"input_tokens":3,"input_tokens_details":{"cached_tokens":1},"output_tokens":4,)"
            R"("output_tokens_details":{"reasoning_tokens":0},"total_tokens":7})");
}

// Whoever acts on an item's end must see that it is not whole.
TEST(Responses, ItemsThatAreCutOffAreIncomplete) {
  using enum AnswerEventKind;
  struct Case {
    std::vector<AnswerEvent> events;
    FinishReason reason;
    std::vector<std::string> statuses;
  };
  const Case cases[] = {
      {{Event(kText, "a"), Event(kToolCall, "f", "c"), Event(kArguments, R"({"text":"})"),
        Event(kToolCallEnd)},
       FinishReason::kMaxTokens,
       {"completed", "incomplete"}},
      {{Event(kToolCall, "f", "c"), Event(kArguments, "{}"), Event(kToolCallEnd)},
       FinishReason::kContextFull,
       {"completed"}},
      {{Event(kToolCall, "f", "c"), Event(kArguments, R"({"a":[1})"), Event(kToolCallEnd)},
       FinishReason::kEndOfGeneration,
       {"incomplete"}},
      {{Event(kReasoning, "hm"), Event(kText, "a")},
       FinishReason::kContextFull,
       {"completed", "incomplete"}},
      {{Event(kReasoning, "hm")}, FinishReason::kMaxTokens, {"incomplete"}},
      {{Event(kText, "a")}, FinishReason::kStop, {"completed"}},
  };
  for (const auto& [written, reason, statuses] : cases) {
    for (const bool stream : {false, true}) {
      ResponseStore store(1 << 20);
      auto parsed = ParseResponses(stream ? R"({"input":"hi","stream":true})" : R"({"input":"hi"})",
                                   {}, store, kTenant);
      ASSERT_TRUE(parsed.ok());
      std::string out = parsed->writer->Begin({.id = "1"});
      for (const AnswerEvent& event : written) out += parsed->writer->Write(event);
      AnswerEvent end = Event(kFinished);
      end.reason = reason;
      out += parsed->writer->Write(end);
      out += parsed->writer->End({});
      std::vector<std::string> done;
      if (stream) {
        int64_t sequence = 0;
        std::vector<json::object> events;
        Types(out, sequence, &events);
        for (const json::object& event : events) {
          if (event.at("type") != "response.output_item.done") continue;
          done.emplace_back(event.at("item").at("status").as_string());
        }
        EXPECT_EQ(done, statuses);
      }
      const auto stored = store.Get(kTenant, "resp_1");
      ASSERT_TRUE(stored.has_value());
      std::vector<std::string> shown;
      const json::value response = json::parse(stored->response_json);
      for (const json::value& item : response.at("output").as_array()) {
        shown.emplace_back(item.at("status").as_string());
      }
      EXPECT_EQ(shown, statuses);
      std::vector<std::string> kept;
      for (const std::string& item : stored->output_items) {
        kept.emplace_back(json::parse(item).at("status").as_string());
      }
      EXPECT_EQ(kept, statuses);
    }
  }
}

TEST(Responses, ASummaryOfReasoningWhereItIsWanted) {
  ResponseStore store(1 << 20);
  auto parsed = ParseResponses(R"({"input":"hi","stream":true,"reasoning":{"summary":"auto"}})", {},
                               store, kTenant);
  ASSERT_TRUE(parsed.ok());
  int64_t sequence = 0;
  Types(parsed->writer->Begin({.id = "1"}), sequence);
  std::string out = parsed->writer->Write(Event(AnswerEventKind::kReasoning, "hm"));
  out += parsed->writer->End({});
  const std::vector<std::string> types = Types(out, sequence);
  EXPECT_EQ(types,
            (std::vector<std::string>{
                "response.output_item.added", "response.reasoning_summary_part.added",
                "response.reasoning_summary_text.delta", "response.reasoning_summary_text.done",
                "response.reasoning_summary_part.done", "response.output_item.done",
                "response.completed"}));
}

TEST(Responses, ConversationsGoOn) {
  ResponseStore store(1 << 20);
  auto first = ParseResponses(R"({"input":"one","instructions":"forgotten"})", {}, store, kTenant);
  ASSERT_TRUE(first.ok());
  first->writer->Begin({.id = "1", .created_s = 5, .model = "m"});
  first->writer->Write(Event(AnswerEventKind::kText, "two"));
  AnswerEvent end = Event(AnswerEventKind::kFinished);
  end.reason = FinishReason::kMaxTokens;
  first->writer->Write(end);
  const auto document = json::parse(first->writer->End({}));
  EXPECT_EQ(document.at("status"), "incomplete");
  EXPECT_EQ(document.at("incomplete_details").at("reason"), "max_output_tokens");
  EXPECT_EQ(document.at("output").at(0).at("content").at(0).at("text"), "two");
  EXPECT_EQ(document.at("instructions"), "forgotten");

  EXPECT_EQ(Messages(store, R"({"input":"three","previous_response_id":"resp_1"})"),
            R"([{"role":"user","content":"one"},{"role":"assistant","content":"two"},)"
            R"({"role":"user","content":"three"}])");
  EXPECT_EQ(Messages(store, R"({"input":[{"type":"item_reference","id":"msg_1_0"}]})"),
            R"([{"role":"assistant","content":"two"}])");
  // Another tenant does not see it.
  EXPECT_FALSE(
      ParseResponses(R"({"input":"x","previous_response_id":"resp_1"})", {}, store, TenantId{8})
          .ok());
  const auto stored = store.Get(kTenant, "resp_1");
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(InputItemsBody(*stored, "order=asc&limit=5"),
            R"({"object":"list","data":[{"type":"message","role":"user","content":[{"type":)"
            R"("input_text","text":"one"}],"id":"in_1_0"}],"first_id":"in_1_0",)"
            R"("last_id":"in_1_0","has_more":false})");
  EXPECT_EQ(InputItemsBody(*stored, "after=in_1_9"),
            R"({"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false})");
  EXPECT_TRUE(store.Delete(kTenant, "resp_1"));
  EXPECT_FALSE(store.Delete(kTenant, "resp_1"));
  EXPECT_EQ(store.SizeBytes(), 0U);
  EXPECT_EQ(DeletedResponseBody("resp_1"), R"({"id":"resp_1","object":"response","deleted":true})");
}

// What a reference means is stored with whoever used it.
TEST(Responses, ReferencesOutliveWhatTheyReferTo) {
  ResponseStore store(1 << 20);
  const auto answer = [&](const std::string& id, const std::string& body, const std::string& text) {
    auto parsed = ParseResponses(body, {}, store, kTenant);
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    parsed->writer->Begin({.id = id});
    parsed->writer->Write(Event(AnswerEventKind::kText, text));
    parsed->writer->End({});
  };
  const std::string reference = R"({"input":[{"type":"item_reference","id":"msg_1_0"}]})";
  answer("1", R"({"input":"one"})", "two");
  answer("2", reference, "three");
  EXPECT_EQ(Messages(store, reference), R"([{"role":"assistant","content":"two"}])");
  EXPECT_TRUE(store.Delete(kTenant, "resp_1"));
  EXPECT_EQ(Messages(store, reference), R"([{"role":"assistant","content":"two"}])");
  EXPECT_EQ(Messages(store, R"({"input":"four","previous_response_id":"resp_2"})"),
            R"([{"role":"assistant","content":"two"},{"role":"assistant","content":"three"},)"
            R"({"role":"user","content":"four"}])");
  const auto stored = store.Get(kTenant, "resp_2");
  ASSERT_TRUE(stored.has_value());
  const json::value items = json::parse(InputItemsBody(*stored, ""));
  ASSERT_EQ(items.at("data").as_array().size(), 1U);
  EXPECT_EQ(items.at("data").at(0).at("type"), "message");
  EXPECT_EQ(items.at("data").at(0).at("id"), "msg_1_0");
}

TEST(Responses, NothingIsStoredUnlessWanted) {
  ResponseStore store(1 << 20);
  auto parsed = ParseResponses(R"({"input":"one","store":false})", {}, store, kTenant);
  ASSERT_TRUE(parsed.ok());
  parsed->writer->Begin({.id = "1"});
  parsed->writer->End({});
  EXPECT_EQ(store.size(), 0U);
}

TEST(Responses, AFailureIsAResponseToo) {
  ResponseStore store(1 << 20);
  auto parsed = ParseResponses(R"({"input":"one","stream":true})", {}, store, kTenant);
  ASSERT_TRUE(parsed.ok());
  parsed->writer->Begin({.id = "1"});
  int64_t sequence = 2;
  Types(parsed->writer->Write(Event(AnswerEventKind::kText, "a")), sequence);
  std::vector<json::object> events;
  Types(parsed->writer->Fail({.status = 500, .message = "no memory"}), sequence, &events);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].at("type"), "response.failed");
  EXPECT_EQ(events[0].at("response").at("error").at("message"), "no memory");
  EXPECT_EQ(events[0].at("response").at("output").at(0).at("status"), "incomplete");
  EXPECT_EQ(store.size(), 0U);
}

TEST(ResponseStore, TheLeastRecentlyUsedGoesFirst) {
  const auto response = [](std::string id, std::string previous = {}) {
    StoredResponse stored;
    stored.id = std::move(id);
    stored.previous_id = std::move(previous);
    stored.input_items = {R"({"id":"x"})"};
    return stored;
  };
  ResponseStore store(1 << 20, 3);
  store.Put(kTenant, response("a"));
  store.Put(kTenant, response("b", "a"));
  store.Put(kTenant, response("c"));
  ASSERT_TRUE(store.History(kTenant, "b").has_value());
  EXPECT_EQ(store.History(kTenant, "b")->size(), 2U);
  store.Put(kTenant, response("d"));
  EXPECT_FALSE(store.Get(kTenant, "c").has_value());
  EXPECT_TRUE(store.Get(kTenant, "a").has_value());
  // A chain with a hole, and one that bites its tail.
  store.Delete(kTenant, "a");
  EXPECT_FALSE(store.History(kTenant, "b").has_value());
  store.Put(kTenant, response("a", "b"));
  EXPECT_FALSE(store.History(kTenant, "b").has_value());
  // Too large for the store.
  ResponseStore small(600);
  StoredResponse large = response("l");
  large.response_json.resize(1000);
  small.Put(kTenant, std::move(large));
  EXPECT_EQ(small.size(), 0U);
  EXPECT_EQ(small.SizeBytes(), 0U);
}

// As long as one response has it.
TEST(ResponseStore, ItemsAreFoundByTheirId) {
  ResponseStore store(1 << 20, 2);
  const auto put = [&](const std::string& id, const std::string& item) {
    StoredResponse response;
    response.id = id;
    response.input_items = {item};
    response.output_items = {R"({"id":"out_)" + id + R"("})", "{}"};
    store.Put(kTenant, std::move(response));
  };
  put("a", R"({"id":"in"})");
  put("b", R"({"id":"in"})");
  EXPECT_EQ(store.FindItem(kTenant, "in"), R"({"id":"in"})");
  EXPECT_EQ(store.FindItem(kTenant, "i"), std::nullopt);
  EXPECT_EQ(store.FindItem(kTenant, "z"), std::nullopt);
  EXPECT_EQ(store.FindItem(kTenant, "out_a"), R"({"id":"out_a"})");
  EXPECT_EQ(store.FindItem(TenantId{77}, "in"), std::nullopt);
  put("c", R"({"id":"other"})");  // the first goes
  EXPECT_EQ(store.FindItem(kTenant, "out_a"), std::nullopt);
  EXPECT_EQ(store.FindItem(kTenant, "in"), R"({"id":"in"})");
  EXPECT_TRUE(store.Delete(kTenant, "b"));
  EXPECT_EQ(store.FindItem(kTenant, "in"), std::nullopt);
  EXPECT_EQ(store.FindItem(kTenant, "other"), R"({"id":"other"})");
}

TEST(ResponseStore, OfItemsWithOneIdTheNewestIsMeant) {
  ResponseStore store(1 << 20);
  for (const std::string id : {"a", "b", "c"}) {
    StoredResponse response;
    response.id = id;
    response.input_items = {R"({"id":"in","of":")" + id + R"("})"};
    store.Put(kTenant, std::move(response));
  }
  EXPECT_EQ(store.FindItem(kTenant, "in"), R"({"id":"in","of":"c"})");
  store.Delete(kTenant, "c");
  EXPECT_EQ(store.FindItem(kTenant, "in"), R"({"id":"in","of":"b"})");
}

}  // namespace
}  // namespace tutti::server
