#include "tutti/text/call_constraint.h"

#include <utility>

namespace tutti::text {
namespace {

class CallConstraint final : public TokenConstraint {
 public:
  explicit CallConstraint(std::shared_ptr<const CallConstraintParts> parts)
      : parts_(std::move(parts)),
        answer_(MakeAnswerParts(parts_->format, parts_->options)),
        decoder_(*parts_->tokenizer),
        any_((static_cast<size_t>(parts_->vocab_size) + 31) / 32, ~uint32_t{0}) {
    Read(parts_->begun);
  }

  // As AnswerParts cannot be copied, the text so far is read anew.
  std::unique_ptr<TokenConstraint> Clone() const override {
    auto clone = std::make_unique<CallConstraint>(parts_);
    for (const TokenId token : tokens_) clone->Accept(token);
    return clone;
  }
  std::span<const uint32_t> Allowed() override { return call_ ? call_->Allowed() : any_; }
  void Accept(TokenId token) override {
    tokens_.push_back(token);
    if (call_) {
      call_->Accept(token);
      if (call_->Ended()) call_.reset();
    }
    if (parts_->is_text(token)) Read(decoder_.Push(token));
  }
  bool Ended() const override { return false; }

 private:
  // Byte by byte, as a call may begin within a token.
  void Read(std::string_view text) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (call_) {
        answer_->Push(text.substr(i));
        return;
      }
      answer_->Push(text.substr(i, 1));
      const std::optional<CallStart> start = answer_->StartedCall();
      if (!start) continue;
      const auto masks = parts_->masks.find(start->name);
      if (masks == parts_->masks.end()) continue;
      call_ = Constrain(masks->second, start->text + std::string(text.substr(i + 1)));
    }
  }

  const std::shared_ptr<const CallConstraintParts> parts_;  // shared by all answers of a request
  const std::unique_ptr<AnswerParts> answer_;
  StreamDecoder decoder_;
  const std::vector<uint32_t> any_;
  TokenIds tokens_;
  std::unique_ptr<TokenConstraint> call_;  // while one is written
};

}  // namespace

std::unique_ptr<TokenConstraint> ConstrainCalls(CallConstraintParts parts) {
  return std::make_unique<CallConstraint>(
      std::make_shared<const CallConstraintParts>(std::move(parts)));
}

}  // namespace tutti::text
