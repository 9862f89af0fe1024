#include "tutti/cli/generate.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "tutti/cli/console.h"
#include "tutti/text/stop_strings.h"

namespace tutti::cli {
namespace {

// Tokens of the prompt between two looks at Ctrl-C.
constexpr size_t kPromptChunk = 512;

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

std::string_view NameOf(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEndOfGeneration:
      return "end";
    case FinishReason::kStopString:
      return "stop";
    case FinishReason::kMaxTokens:
      return "length";
    case FinishReason::kContextFull:
      return "context";
    case FinishReason::kInterrupted:
      return "interrupted";
  }
  return "end";
}

int32_t ContinuationTokens(const Engine& engine, size_t prompt_tokens) {
  constexpr int64_t kMost = 256;
  const int64_t left = engine.context() - static_cast<int64_t>(prompt_tokens);
  return static_cast<int32_t>(std::clamp<int64_t>(left, 0, kMost));
}

Generator::~Generator() {
  if (sequence_ >= 0) engine_.EndSequence(sequence_);
}

Status Generator::CheckPrompt(const TokenIds& prompt) const {
  if (prompt.empty()) return UsageError("the prompt is empty: the model needs at least one token");
  const int32_t vocab_size = engine_.spec().vocab_size;
  for (const TokenId id : prompt) {
    if (id < 0 || id >= vocab_size) {
      return DataError("token {} is not in the model's vocabulary of {} tokens", id, vocab_size);
    }
  }
  const auto context = static_cast<size_t>(engine_.context());
  if (prompt.size() > context) {
    return Error(StatusCode::kResource,
                 "the prompt has {} tokens, the context holds {}: shorten it or raise --context",
                 prompt.size(), context);
  }
  return {};
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
  for (size_t begin = common; begin < prompt.size(); begin += kPromptChunk) {
    if (Interrupted()) return std::vector<float>{};
    const size_t size = std::min(kPromptChunk, prompt.size() - begin);
    const bool last = begin + size == prompt.size();
    TUTTI_ASSIGN_OR_RETURN(logits, Forward(all.subspan(begin, size),
                                           last ? LogitsWanted::kLast : LogitsWanted::kNone));
  }
  return logits;
}

bool Generator::EndsGeneration(TokenId id) const {
  const VocabSpec* vocab = tokenizer_ != nullptr ? &tokenizer_->spec() : engine_.vocab();
  if (vocab == nullptr) return false;
  if (id == vocab->eos) return true;
  const TokenIds& ends = vocab->end_of_generation;
  return std::find(ends.begin(), ends.end(), id) != ends.end();
}

Result<Generated> Generator::Generate(const TokenIds& prompt, const GenerateOptions& options,
                                      const ShowText& show) {
  TUTTI_RETURN_IF_ERROR(CheckPrompt(prompt));
  TUTTI_ASSIGN_OR_RETURN(auto sampler,
                         engine::Sampler::Create(options.sampling, engine_.spec().vocab_size));
  TUTTI_ASSIGN_OR_RETURN(auto stop, text::StopStrings::Create(options.stop));
  Generated generated;
  TextSink sink(tokenizer_, std::move(stop), options.show_special, show, generated.text);

  const auto start = std::chrono::steady_clock::now();
  TUTTI_ASSIGN_OR_RETURN(std::vector<float> logits, ComputePrompt(prompt, generated));
  generated.prompt_seconds = SecondsSince(start);
  const auto decode_start = std::chrono::steady_clock::now();
  TokenIds history = prompt;
  while (true) {
    if (Interrupted()) {
      generated.reason = FinishReason::kInterrupted;
      break;
    }
    if (options.max_tokens >= 0 &&
        generated.tokens.size() >= static_cast<size_t>(options.max_tokens)) {
      generated.reason = FinishReason::kMaxTokens;
      break;
    }
    TUTTI_ASSIGN_OR_RETURN(engine::SampledToken token, sampler.Sample(logits, history));
    const TokenId id = token.id;
    history.push_back(id);
    generated.tokens.push_back(std::move(token));
    if (!options.ignore_eos && EndsGeneration(id)) {
      generated.reason = FinishReason::kEndOfGeneration;
      break;
    }
    if (!sink.Push(id)) {
      generated.reason = FinishReason::kStopString;
      break;
    }
    // The token after the last wanted one need not be computed.
    const bool enough = options.max_tokens >= 0 &&
                        generated.tokens.size() == static_cast<size_t>(options.max_tokens);
    if (enough) continue;
    if (engine_.Length(sequence_) >= engine_.context()) {
      generated.reason = FinishReason::kContextFull;
      break;
    }
    TUTTI_ASSIGN_OR_RETURN(logits, Forward(std::span(&id, 1), LogitsWanted::kLast));
  }
  sink.Finish();
  generated.decode_seconds = SecondsSince(decode_start);
  return generated;
}

}  // namespace tutti::cli
