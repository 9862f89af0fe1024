#include "tutti/server/responses_writer.h"

#include <array>
#include <boost/json.hpp>
#include <optional>
#include <string_view>

#include "tutti/base/json_text.h"
#include "tutti/server/json_writer.h"
#include "tutti/server/openai_parts.h"

namespace tutti::server {
namespace {

enum class Status : uint8_t { kInProgress, kCompleted, kIncomplete, kFailed };
std::string_view NameOf(Status status) {
  constexpr std::array<std::string_view, 4> kNames = {"in_progress", "completed", "incomplete",
                                                      "failed"};
  return kNames[static_cast<size_t>(status)];
}

// An item of the output while it grows.
struct OutputItem {
  Status status = Status::kInProgress;
  AnswerEventKind kind = AnswerEventKind::kText;  // kText, kReasoning or kToolCall
  std::string id;
  std::string text;  // of a call its arguments
  std::string call_id;
  std::string name;
  std::vector<TokenLogprob> logprobs;
};

// What differs between the kinds of text that an item is made of.
struct TextNames {
  std::string_view part_type;  // "output_text"
  std::string_view event;      // "response.output_text"
  std::string_view part_event;
  std::string_view index;
};
constexpr TextNames kTextNames = {"output_text", "response.output_text", "response.content_part",
                                  "content_index"};
constexpr TextNames kReasoningNames = {"reasoning_text", "response.reasoning_text",
                                       "response.content_part", "content_index"};
constexpr TextNames kSummaryNames = {"summary_text", "response.reasoning_summary_text",
                                     "response.reasoning_summary_part", "summary_index"};

class ResponsesWriter final : public AnswerWriter {
 public:
  ResponsesWriter(const GenerationRequest& request, ResponseDraft draft,
                  std::vector<std::string> input_items, ResponseStore* store, TenantId tenant)
      : stream_(request.stream),
        max_tokens_(request.max_tokens),
        parallel_(request.parallel_tool_calls),
        draft_(std::move(draft)),
        input_items_(std::move(input_items)),
        store_(store),
        tenant_(tenant) {
    draft_.input = nullptr;  // belongs to the request's body
  }

  std::string Begin(const AnswerHead& head) override {
    head_ = head;
    if (!stream_) return {};
    const std::string response = Response(Status::kInProgress, nullptr, nullptr);
    std::string out =
        Event("response.created", [&](JsonWriter& w) { w.Raw("response", response); });
    return out + Event("response.in_progress", [&](JsonWriter& w) { w.Raw("response", response); });
  }

  std::string Write(const AnswerEvent& event) override {
    switch (event.kind) {
      case AnswerEventKind::kText:
      case AnswerEventKind::kReasoning:
        return AddText(event);
      case AnswerEventKind::kToolCall: {
        std::string out = CloseItem();
        out += OpenItem(event);
        return out;
      }
      case AnswerEventKind::kArguments:
        items_.back().text += event.text;
        return Delta("response.function_call_arguments.delta", event.text);
      case AnswerEventKind::kToolCallEnd:
        return CloseItem();
      case AnswerEventKind::kFinished:
        is_cut_ =
            event.reason == FinishReason::kMaxTokens || event.reason == FinishReason::kContextFull;
        return CloseItem();
    }
    return {};
  }

  std::string End(const AnswerUsage& usage) override {
    std::string out = CloseItem();
    const Status status = is_cut_ ? Status::kIncomplete : Status::kCompleted;
    const std::string response = Response(status, &usage, nullptr);
    Store(response);
    if (!stream_) return response;
    return out + Event(is_cut_ ? "response.incomplete" : "response.completed",
                       [&](JsonWriter& w) { w.Raw("response", response); });
  }

  std::string Fail(const ApiError& error) override {
    if (open_) items_.back().status = Status::kIncomplete;
    const std::string response = Response(Status::kFailed, nullptr, &error);
    if (!stream_) return response;
    return Event("response.failed", [&](JsonWriter& w) { w.Raw("response", response); });
  }

 private:
  // An event with what `members` writes behind type and number.
  template <typename Function>
  std::string Event(std::string_view type, Function members) {
    JsonWriter writer;
    writer.Object().Text("type", type).Int("sequence_number", sequence_++);
    members(writer);
    return SseEvent(type, writer.Close().Take());
  }

  std::string ResponseId() const { return "resp_" + head_.id; }
  int64_t OpenIndex() const { return static_cast<int64_t>(items_.size()) - 1; }

  const TextNames& NamesOf(const OutputItem& item) const {
    if (item.kind == AnswerEventKind::kText) return kTextNames;
    return draft_.reasoning_summary.empty() ? kReasoningNames : kSummaryNames;
  }

  std::string AddText(const AnswerEvent& event) {
    if (event.text.empty() && event.logprobs.empty()) return {};
    std::string out;
    if (!open_ || items_.back().kind != event.kind) {
      out = CloseItem();
      out += OpenItem(event);
    }
    OutputItem& item = items_.back();
    item.text += event.text;
    item.logprobs.insert(item.logprobs.end(), event.logprobs.begin(), event.logprobs.end());
    if (!stream_ || event.text.empty()) return out;
    const TextNames& names = NamesOf(item);
    return out + Event(fmt::format("{}.delta", names.event), [&](JsonWriter& w) {
             w.Text("item_id", item.id).Int("output_index", OpenIndex()).Int(names.index, 0);
             w.Text("delta", event.text);
             if (item.kind == AnswerEventKind::kText) WriteLogprobs(w, event.logprobs);
           });
  }

  std::string Delta(std::string_view type, std::string_view delta) {
    if (!stream_) return {};
    return Event(type, [&](JsonWriter& w) {
      w.Text("item_id", items_.back().id).Int("output_index", OpenIndex()).Text("delta", delta);
    });
  }

  std::string OpenItem(const AnswerEvent& event) {
    OutputItem item;
    item.kind = event.kind;
    std::string_view prefix = "msg";
    if (event.kind == AnswerEventKind::kReasoning) prefix = "rs";
    if (event.kind == AnswerEventKind::kToolCall) {
      prefix = "fc";
      item.call_id = event.call_id;
      item.name = event.text;
    }
    item.id = fmt::format("{}_{}_{}", prefix, head_.id, items_.size());
    items_.push_back(std::move(item));
    open_ = true;
    if (!stream_) return {};
    const OutputItem& added = items_.back();
    std::string out = Event("response.output_item.added", [&](JsonWriter& w) {
      w.Int("output_index", OpenIndex());
      WriteItem(w.Key("item"), added);
    });
    if (added.kind == AnswerEventKind::kToolCall) return out;
    return out + PartEvent("added", added, false);
  }

  std::string PartEvent(std::string_view what, const OutputItem& item, bool whole) {
    const TextNames& names = NamesOf(item);
    return Event(fmt::format("{}.{}", names.part_event, what), [&](JsonWriter& w) {
      w.Text("item_id", item.id).Int("output_index", OpenIndex()).Int(names.index, 0);
      WritePart(w.Key("part"), item, whole);
    });
  }

  // An item that ends where the answer was cut off is not complete, and neither is a call without
  // its `}`: nobody may carry it out.
  std::string CloseItem() {
    if (!std::exchange(open_, false)) return {};
    OutputItem& item = items_.back();
    const bool is_call = item.kind == AnswerEventKind::kToolCall;
    const bool whole = is_call ? ParseJson(item.text).ok() : !is_cut_;
    item.status = whole ? Status::kCompleted : Status::kIncomplete;
    if (!stream_) return {};
    std::string out;
    if (is_call) {
      out = Event("response.function_call_arguments.done", [&](JsonWriter& w) {
        w.Text("item_id", item.id).Int("output_index", OpenIndex()).Text("name", item.name);
        w.Text("arguments", item.text);
      });
    } else {
      const TextNames& names = NamesOf(item);
      out = Event(fmt::format("{}.done", names.event), [&](JsonWriter& w) {
        w.Text("item_id", item.id).Int("output_index", OpenIndex()).Int(names.index, 0);
        w.Text("text", item.text);
        if (item.kind == AnswerEventKind::kText) WriteLogprobs(w, item.logprobs);
      });
      out += PartEvent("done", item, true);
    }
    out += Event("response.output_item.done", [&](JsonWriter& w) {
      w.Int("output_index", OpenIndex());
      WriteItem(w.Key("item"), item);
    });
    return out;
  }

  static void WriteLogprobs(JsonWriter& writer, const std::vector<TokenLogprob>& tokens) {
    writer.List("logprobs");
    for (const TokenLogprob& token : tokens) WriteTokenLogprob(writer, token);
    writer.Close();
  }

  void WritePart(JsonWriter& writer, const OutputItem& item, bool whole) const {
    writer.Object().Text("type", NamesOf(item).part_type);
    writer.Text("text", whole ? std::string_view(item.text) : std::string_view());
    if (item.kind == AnswerEventKind::kText) {
      writer.List("annotations").Close();
      WriteLogprobs(writer, whole ? item.logprobs : std::vector<TokenLogprob>());
    }
    writer.Close();
  }

  // With all its text; one in progress as it is when it begins.
  void WriteItem(JsonWriter& writer, const OutputItem& item) const {
    writer.Object().Text("id", item.id);
    const bool whole = item.status != Status::kInProgress;
    const std::string_view status = NameOf(item.status);
    if (item.kind == AnswerEventKind::kToolCall) {
      writer.Text("type", "function_call").Text("status", status);
      writer.Text("call_id", item.call_id).Text("name", item.name);
      writer.Text("arguments", whole ? std::string_view(item.text) : std::string_view());
    } else {
      const bool reasoning = item.kind == AnswerEventKind::kReasoning;
      const bool summary = reasoning && !draft_.reasoning_summary.empty();
      writer.Text("type", reasoning ? "reasoning" : "message").Text("status", status);
      if (!reasoning) writer.Text("role", "assistant");
      if (reasoning && !summary) writer.List("summary").Close();
      writer.List(summary ? "summary" : "content");
      if (whole) WritePart(writer, item, true);
      writer.Close();
    }
    writer.Close();
  }

  static void WriteUsage(JsonWriter& writer, const AnswerUsage* usage) {
    if (usage == nullptr) {
      writer.Null("usage");
      return;
    }
    writer.Object("usage").Int("input_tokens", usage->prompt_tokens);
    writer.Object("input_tokens_details").Int("cached_tokens", usage->cached_tokens).Close();
    writer.Int("output_tokens", usage->generated_tokens).Object("output_tokens_details");
    writer.Int("reasoning_tokens", usage->reasoning_tokens).Close();
    writer.Int("total_tokens", usage->prompt_tokens + usage->generated_tokens).Close();
  }

  static std::string_view Or(const std::string& json, std::string_view otherwise) {
    return json.empty() ? otherwise : std::string_view(json);
  }

  // What the request asked for, repeated.
  void WriteRequest(JsonWriter& writer) const {
    writer.TextOrNull("instructions", draft_.instructions);
    if (max_tokens_ < 0) {
      writer.Null("max_output_tokens");
    } else {
      writer.Int("max_output_tokens", max_tokens_);
    }
    writer.Bool("parallel_tool_calls", parallel_);
    writer.TextOrNull("previous_response_id", draft_.previous_id);
    writer.Object("reasoning").TextOrNull("effort", draft_.reasoning_effort);
    writer.TextOrNull("summary", draft_.reasoning_summary).Close();
    writer.Bool("store", store_ != nullptr).Number("temperature", head_.sampling.temperature);
    writer.Raw("text", Or(draft_.text_json, R"({"format":{"type":"text"}})"));
    writer.Raw("tool_choice", Or(draft_.tool_choice_json, "\"auto\""));
    writer.Raw("tools", Or(draft_.tools_json, "[]")).Number("top_p", head_.sampling.top_p);
    writer.Text("truncation", "disabled").Null("user");
    writer.Raw("metadata", Or(draft_.metadata_json, "{}"));
  }

  std::string Response(Status status, const AnswerUsage* usage, const ApiError* error) const {
    JsonWriter writer;
    writer.Object().Text("id", ResponseId()).Text("object", "response");
    writer.Int("created_at", head_.created_s).Text("status", NameOf(status));
    writer.Bool("background", false);
    if (error == nullptr) {
      writer.Null("error");
    } else {
      writer.Object("error").Text("code", error->code.empty() ? "server_error" : error->code);
      writer.Text("message", error->message).Close();
    }
    if (status == Status::kIncomplete) {
      writer.Object("incomplete_details").Text("reason", "max_output_tokens").Close();
    } else {
      writer.Null("incomplete_details");
    }
    writer.Text("model", head_.model).List("output");
    for (const OutputItem& item : items_) WriteItem(writer, item);
    writer.Close();
    WriteRequest(writer);
    WriteUsage(writer, usage);
    return writer.Close().Take();
  }

  void Store(const std::string& response) {
    if (store_ == nullptr) return;
    StoredResponse stored;
    stored.id = ResponseId();
    stored.previous_id = draft_.previous_id;
    stored.response_json = response;
    for (size_t i = 0; i < input_items_.size(); ++i) {
      auto item = ParseJson(input_items_[i]);
      if (!item.ok() || !item->is_object()) continue;
      auto& id = item->get_object()["id"];
      if (!id.is_string() || id.get_string().empty()) id = fmt::format("in_{}_{}", head_.id, i);
      stored.input_items.push_back(JsonText(*item));
    }
    for (const OutputItem& item : items_) {
      JsonWriter writer;
      WriteItem(writer, item);
      stored.output_items.push_back(writer.Take());
    }
    store_->Put(tenant_, std::move(stored));
  }

  const bool stream_;
  const int32_t max_tokens_;
  const bool parallel_;
  ResponseDraft draft_;
  const std::vector<std::string> input_items_;
  ResponseStore* const store_;
  const TenantId tenant_;

  AnswerHead head_;
  std::vector<OutputItem> items_;
  bool open_ = false;    // the last of them
  bool is_cut_ = false;  // by a limit
  int64_t sequence_ = 0;
};

}  // namespace

std::unique_ptr<AnswerWriter> MakeResponsesWriter(const GenerationRequest& request,
                                                  ResponseDraft draft,
                                                  std::vector<std::string> input_items,
                                                  ResponseStore* store, TenantId tenant) {
  return std::make_unique<ResponsesWriter>(request, std::move(draft), std::move(input_items), store,
                                           tenant);
}

}  // namespace tutti::server
