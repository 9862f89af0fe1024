// One choice of an answer: tokens in, events out.
//
// Tokens become characters, stop strings end the text, what is left is told apart into text,
// reasoning and tool calls.
//
// Ownership: the tokenizer must outlive it. Threads: one at a time.
#pragma once
#include <string>
#include <vector>

#include "tutti/scheduler/scheduler.h"
#include "tutti/server/answer_event.h"
#include "tutti/text/stop_strings.h"
#include "tutti/text/tokenizer.h"

namespace tutti::server {

class ChoiceText {
 public:
  ChoiceText(const text::Tokenizer& tokenizer, int32_t choice, text::StopStrings stop,
             bool logprobs)
      : tokenizer_(tokenizer),
        choice_(choice),
        decoder_(tokenizer),
        stop_(std::move(stop)),
        logprobs_(logprobs) {}

  // The events that a token adds. `silent`: it ends the answer and is not part of its text.
  std::vector<AnswerEvent> Push(const scheduler::Event& event, bool silent);
  // The events at the end, kFinished the last.
  std::vector<AnswerEvent> Finish(FinishReason reason);

  // A stop string came: nothing more is wanted.
  bool stopped() const { return stop_.stopped(); }
  bool finished() const { return finished_; }
  int64_t tokens() const { return tokens_; }
  int64_t reasoning_tokens() const { return reasoning_tokens_; }

 private:
  std::vector<AnswerEvent> Take(std::string text);
  TokenText TextOf(TokenId id, float logprob) const;

  const text::Tokenizer& tokenizer_;
  int32_t choice_ = 0;
  text::StreamDecoder decoder_;
  text::StopStrings stop_;
  bool logprobs_ = false;
  std::vector<TokenLogprob> pending_;  // logprobs of tokens whose text is held back
  int64_t tokens_ = 0;
  int64_t reasoning_tokens_ = 0;
  bool finished_ = false;
};

}  // namespace tutti::server
