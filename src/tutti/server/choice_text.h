// One choice of an answer: tokens in, events out.
//
// Tokens become characters, stop strings end the text, what is left is told apart into text,
// reasoning and tool calls.
//
// Ownership: the model must outlive it. Threads: one at a time.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "tutti/scheduler/scheduler.h"
#include "tutti/server/answer_event.h"
#include "tutti/server/model_host.h"
#include "tutti/text/answer_parts.h"
#include "tutti/text/stop_strings.h"
#include "tutti/text/tokenizer.h"

namespace tutti::server {

struct ChoiceOptions {
  int32_t choice = 0;
  std::vector<std::string> stop = {};
  bool logprobs = false;
  // Null: all is text, as in completions.
  std::unique_ptr<text::AnswerParts> parts = nullptr;
  std::string call_id_prefix = {};  // of tool calls that the model gives no id
  bool one_call = false;            // the answer ends behind its first tool call
  // Of the call that the prompt has begun: what the parts have got already. Where the call comes to
  // nothing it is not a part of the text.
  std::string begun_call = {};
};

class ChoiceText {
 public:
  // kUsage for stop strings that cannot be. The model must outlive it.
  static Result<ChoiceText> Create(const ModelHost& host, ChoiceOptions options);

  // The events that a token adds. `silent`: it ends the answer and is not part of its text.
  std::vector<AnswerEvent> Push(const scheduler::Event& event, bool silent);
  // The events at the end, kFinished the last.
  std::vector<AnswerEvent> Finish(FinishReason reason);

  // A stop string came, or the only call that may be: nothing more is wanted.
  bool stopped() const { return stop_.stopped() || called_; }
  bool finished() const { return finished_; }
  int64_t tokens() const { return tokens_; }
  int64_t reasoning_tokens() const { return reasoning_tokens_; }

 private:
  ChoiceText(const ModelHost& host, ChoiceOptions options, text::StopStrings stop)
      : host_(&host),
        options_(std::move(options)),
        decoder_(host.tokenizer()),
        stop_(std::move(stop)) {}
  // What a piece of text adds.
  void Take(std::string text, std::vector<AnswerEvent>& events);
  void Add(std::vector<text::AnswerPart> parts, std::vector<AnswerEvent>& events);
  // Takes off what the prompt has written.
  void TakeBegun(text::AnswerPart& part);
  TokenText TextOf(TokenId id, float logprob) const;

  const ModelHost* host_;
  ChoiceOptions options_;
  text::StreamDecoder decoder_;
  text::StopStrings stop_;
  int32_t calls_ = 0;
  bool called_ = false;                // the only call that may be
  std::vector<TokenLogprob> pending_;  // logprobs of tokens whose text is held back
  int64_t tokens_ = 0;
  int64_t reasoning_tokens_ = 0;
  bool finished_ = false;
};

}  // namespace tutti::server
