#include "tutti/server/anthropic_writer.h"

#include <optional>
#include <string>
#include <vector>

#include "tutti/server/anthropic_error.h"
#include "tutti/server/chat_messages.h"
#include "tutti/server/json_writer.h"
#include "tutti/server/openai_parts.h"

namespace tutti::server {
namespace {

// The kinds of blocks, named by the event that begins them.
using BlockKind = AnswerEventKind;

void WriteUsage(JsonWriter& writer, const AnswerUsage& usage) {
  writer.Object("usage").Int("input_tokens", usage.prompt_tokens - usage.cached_tokens);
  writer.Int("cache_creation_input_tokens", 0);
  writer.Int("cache_read_input_tokens", usage.cached_tokens);
  writer.Int("output_tokens", usage.generated_tokens).Close();
}

// How an answer ended, as far as events have told.
struct Ending {
  FinishReason reason = FinishReason::kEndOfGeneration;
  std::string stop;
  bool called_tools = false;

  void Note(const AnswerEvent& event) {
    if (event.kind == AnswerEventKind::kToolCall) called_tools = true;
    if (event.kind == AnswerEventKind::kFinished) {
      reason = event.reason;
      stop = event.stop;
    }
  }
  void Write(JsonWriter& writer) const {
    std::string_view name = called_tools ? "tool_use" : "end_turn";
    if (reason == FinishReason::kStop && !stop.empty()) name = "stop_sequence";
    if (reason == FinishReason::kMaxTokens || reason == FinishReason::kContextFull) {
      name = "max_tokens";
    }
    writer.Text("stop_reason", name).TextOrNull("stop_sequence", stop);
  }
};

class MessagesStream final : public AnswerWriter {
 public:
  std::string Begin(const AnswerHead& head) override {
    id_ = "msg_" + head.id;
    JsonWriter writer;
    writer.Object().Text("type", "message_start").Object("message").Text("id", id_);
    writer.Text("type", "message").Text("role", "assistant").Text("model", head.model);
    writer.List("content").Close().Null("stop_reason").Null("stop_sequence");
    WriteUsage(writer, {.prompt_tokens = head.prompt_tokens});
    return SseEvent("message_start", writer.Close().Close().Take()) +
           SseEvent("ping", R"({"type":"ping"})");
  }

  std::string Write(const AnswerEvent& event) override {
    ending_.Note(event);
    switch (event.kind) {
      case AnswerEventKind::kText:
        if (event.text.empty()) return {};
        return Continue(event, "text_delta", "text");
      case AnswerEventKind::kReasoning:
        if (event.text.empty()) return {};
        return Continue(event, "thinking_delta", "thinking");
      case AnswerEventKind::kToolCall:
        return Reopen(event);
      case AnswerEventKind::kArguments:
        return Delta("input_json_delta", "partial_json", event.text);
      case AnswerEventKind::kToolCallEnd:
      case AnswerEventKind::kFinished:
        return Close();
    }
    return {};
  }

  std::string End(const AnswerUsage& usage) override {
    JsonWriter writer;
    writer.Object().Text("type", "message_delta").Object("delta");
    ending_.Write(writer);
    writer.Close();
    WriteUsage(writer, usage);
    return Close() + SseEvent("message_delta", writer.Close().Take()) +
           SseEvent("message_stop", R"({"type":"message_stop"})");
  }

  std::string Fail(const ApiError& error) override {
    return SseEvent("error", AnthropicErrorBody(error));
  }

 private:
  std::string Open(const AnswerEvent& event) {
    open_ = event.kind;
    JsonWriter writer;
    writer.Object().Text("type", "content_block_start").Int("index", index_);
    writer.Object("content_block");
    if (event.kind == AnswerEventKind::kToolCall) {
      writer.Text("type", "tool_use").Text("id", event.call_id).Text("name", event.text);
      writer.Object("input").Close();
    } else if (event.kind == AnswerEventKind::kReasoning) {
      writer.Text("type", "thinking").Text("thinking", "").Text("signature", "");
    } else {
      writer.Text("type", "text").Text("text", "");
    }
    return SseEvent("content_block_start", writer.Close().Close().Take());
  }

  std::string Reopen(const AnswerEvent& event) {
    std::string out = Close();
    out += Open(event);
    return out;
  }

  std::string Delta(std::string_view type, std::string_view member, std::string_view text) const {
    JsonWriter writer;
    writer.Object().Text("type", "content_block_delta").Int("index", index_).Object("delta");
    writer.Text("type", type).Text(member, text).Close();
    return SseEvent("content_block_delta", writer.Close().Take());
  }

  // A delta of the block that is open, or of a new one.
  std::string Continue(const AnswerEvent& event, std::string_view type, std::string_view member) {
    std::string out;
    if (open_ != event.kind) out = Reopen(event);
    return out + Delta(type, member, event.text);
  }

  std::string Close() {
    if (!open_) return {};
    std::string out;
    // Clients keep thinking only with a signature.
    if (*open_ == BlockKind::kReasoning) out = Delta("signature_delta", "signature", id_);
    JsonWriter writer;
    writer.Object().Text("type", "content_block_stop").Int("index", index_).Close();
    ++index_;
    open_.reset();
    return out + SseEvent("content_block_stop", writer.Take());
  }

  std::string id_;
  Ending ending_;
  int64_t index_ = 0;  // of the block that is open or comes next
  std::optional<BlockKind> open_;
};

struct Block {
  BlockKind kind = BlockKind::kText;
  std::string text;  // of a call its arguments
  std::string id;
  std::string name;
};

class MessagesDocument final : public AnswerWriter {
 public:
  std::string Begin(const AnswerHead& head) override {
    head_ = head;
    return {};
  }

  std::string Write(const AnswerEvent& event) override {
    ending_.Note(event);
    if (event.kind == AnswerEventKind::kToolCall) {
      blocks_.push_back({.kind = event.kind, .text = {}, .id = event.call_id, .name = event.text});
    } else if (event.kind == AnswerEventKind::kArguments) {
      blocks_.back().text += event.text;
    } else if (event.kind <= AnswerEventKind::kReasoning && !event.text.empty()) {
      if (blocks_.empty() || blocks_.back().kind != event.kind) {
        blocks_.push_back({.kind = event.kind, .text = {}, .id = {}, .name = {}});
      }
      blocks_.back().text += event.text;
    }
    return {};
  }

  std::string End(const AnswerUsage& usage) override {
    JsonWriter writer;
    writer.Object().Text("id", "msg_" + head_.id).Text("type", "message");
    writer.Text("role", "assistant").Text("model", head_.model).List("content");
    for (const Block& block : blocks_) WriteBlock(writer, block);
    writer.Close();
    ending_.Write(writer);
    WriteUsage(writer, usage);
    return writer.Close().Take();
  }

  std::string Fail(const ApiError& error) override { return AnthropicErrorBody(error); }

 private:
  void WriteBlock(JsonWriter& writer, const Block& block) const {
    writer.Object();
    if (block.kind == BlockKind::kToolCall) {
      writer.Text("type", "tool_use").Text("id", block.id).Text("name", block.name);
      writer.Raw("input", ArgumentsObject(block.text));
    } else if (block.kind == BlockKind::kReasoning) {
      writer.Text("type", "thinking").Text("thinking", block.text);
      writer.Text("signature", "msg_" + head_.id);
    } else {
      writer.Text("type", "text").Text("text", block.text);
    }
    writer.Close();
  }

  AnswerHead head_;
  Ending ending_;
  std::vector<Block> blocks_;
};

}  // namespace

std::unique_ptr<AnswerWriter> MakeAnthropicWriter(const GenerationRequest& request) {
  if (request.stream) return std::make_unique<MessagesStream>();
  return std::make_unique<MessagesDocument>();
}

}  // namespace tutti::server
