#include "tutti/cli/generate.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "tutti/cli/console.h"
#include "tutti/text/stop_strings.h"

namespace tutti::cli {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Sends the text of tokens through the stop strings to the caller.
class TextSink {
 public:
  TextSink(const text::Tokenizer* tokenizer, text::StopStrings stop, bool show_special,
           const ShowText& show, std::string& text)
      : tokenizer_(tokenizer),
        stop_(std::move(stop)),
        show_special_(show_special),
        show_(show),
        text_(text) {
    if (tokenizer_ != nullptr) decoder_.emplace(*tokenizer_);
  }

  // False when a stop string ended the text.
  bool Push(TokenId id) {
    if (!decoder_ || (!show_special_ && IsControl(id))) return true;
    Show(stop_.Push(decoder_->Push(id)));
    return !stop_.stopped();
  }
  void Finish() {
    if (!decoder_ || stop_.stopped()) return;
    Show(stop_.Push(decoder_->Finish()));
    if (!stop_.stopped()) Show(stop_.Finish());
  }

 private:
  bool IsControl(TokenId id) const {
    const auto index = static_cast<size_t>(id);
    const VocabSpec& vocab = tokenizer_->spec();
    return index < vocab.kinds.size() && vocab.kinds[index] == TokenKind::kControl;
  }
  void Show(const std::string& piece) {
    if (piece.empty()) return;
    text_ += piece;
    if (show_) show_(piece);
  }

  const text::Tokenizer* tokenizer_;
  std::optional<text::StreamDecoder> decoder_;
  text::StopStrings stop_;
  bool show_special_;
  const ShowText& show_;
  std::string& text_;
};

}  // namespace

int32_t ContinuationTokens(const Engine& engine, size_t prompt_tokens) {
  constexpr int64_t kMost = 256;
  const int64_t left = engine.context() - static_cast<int64_t>(prompt_tokens);
  return static_cast<int32_t>(std::clamp<int64_t>(left, 0, kMost));
}

Generator::~Generator() {
  if (sequence_ >= 0) engine_.EndSequence(sequence_);
}

Result<std::vector<float>> Generator::Forward(std::span<const TokenId> tokens,
                                              LogitsWanted wanted) {
  Batch batch;
  batch.entries.push_back({sequence_, tokens, wanted, prompt_length_});
  TUTTI_ASSIGN_OR_RETURN(StepResult step, engine_.Forward(batch));
  held_.insert(held_.end(), tokens.begin(), tokens.end());
  return std::move(step.logits);
}

Result<std::vector<float>> Generator::ComputePrompt(const TokenIds& prompt, Generated& generated) {
  if (sequence_ < 0) {
    TUTTI_ASSIGN_OR_RETURN(sequence_, engine_.NewSequence());
  }
  // The last token is always computed: its logits are needed.
  const auto common = static_cast<size_t>(
      std::mismatch(held_.begin(), held_.end(), prompt.begin(), prompt.end() - 1).first -
      held_.begin());
  engine_.Truncate(sequence_, static_cast<int32_t>(common));
  held_.resize(common);
  prompt_length_ = static_cast<int32_t>(prompt.size());  // fits the context
  generated.prompt_tokens = static_cast<int64_t>(prompt.size());
  generated.computed_prompt_tokens = static_cast<int64_t>(prompt.size() - common);
  const std::span<const TokenId> all(prompt);
  std::vector<float> logits;
  const auto chunk = static_cast<size_t>(engine_.prefill_chunk());
  for (size_t begin = common; begin < prompt.size(); begin += chunk) {
    if (Interrupted()) return std::vector<float>{};  // looked at between two chunks
    const size_t size = std::min(chunk, prompt.size() - begin);
    const bool last = begin + size == prompt.size();
    TUTTI_ASSIGN_OR_RETURN(logits, Forward(all.subspan(begin, size),
                                           last ? LogitsWanted::kLast : LogitsWanted::kNone));
  }
  return logits;
}

TokenIds Generator::Ends() const {
  const VocabSpec* vocab = tokenizer_ != nullptr ? &tokenizer_->spec() : engine_.vocab();
  return vocab != nullptr ? vocab->Ends() : TokenIds{};
}

Result<Generated> Generator::Generate(const TokenIds& prompt, const GenerateOptions& options,
                                      const ShowText& show) {
  engine::AnswerSpec spec{.sampling = options.sampling,
                          .max_tokens = options.max_tokens,
                          .ends = options.ignore_eos ? TokenIds{} : Ends()};
  if (options.constraint) spec.constraint = options.constraint->Clone();
  TUTTI_ASSIGN_OR_RETURN(auto answer, engine::Answer::Create(engine_, prompt, std::move(spec)));
  TUTTI_ASSIGN_OR_RETURN(auto stop, text::StopStrings::Create(options.stop));
  Generated generated;
  TextSink sink(tokenizer_, std::move(stop), options.show_special, show, generated.text);

  const auto start = std::chrono::steady_clock::now();
  TUTTI_ASSIGN_OR_RETURN(std::vector<float> logits, ComputePrompt(prompt, generated));
  generated.prompt_seconds = SecondsSince(start);
  const auto decode_start = std::chrono::steady_clock::now();
  while (true) {
    if (Interrupted()) {
      generated.reason = FinishReason::kInterrupted;
      break;
    }
    if (!answer.finished()) {
      TUTTI_ASSIGN_OR_RETURN(engine::SampledToken token, answer.Next(logits));
      const bool shown = answer.finished() != FinishReason::kEndOfGeneration;
      const bool stopped = shown && !sink.Push(token.id);
      generated.tokens.push_back(std::move(token));
      if (stopped) {
        generated.reason = FinishReason::kStop;
        break;
      }
    }
    if (answer.finished()) {
      generated.reason = *answer.finished();
      break;
    }
    TUTTI_ASSIGN_OR_RETURN(logits,
                           Forward(std::span(answer.tokens()).last(1), LogitsWanted::kLast));
  }
  sink.Finish();
  generated.decode_seconds = SecondsSince(decode_start);
  return generated;
}

}  // namespace tutti::cli
