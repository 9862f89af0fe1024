#include "tutti/text/call_constraint.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

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

// A call from the first byte on, or a text that obeys a grammar. Both are followed until one of
// them is out of the question.
class CallOrText final : public TokenConstraint {
 public:
  explicit CallOrText(std::shared_ptr<const CallConstraintParts> parts)
      : CallOrText(parts, std::make_unique<CallConstraint>(parts), Constrain(parts->otherwise)) {}

  std::unique_ptr<TokenConstraint> Clone() const override {
    auto clone = std::make_unique<CallOrText>(parts_, call_ ? call_->Clone() : nullptr,
                                              text_ ? text_->Clone() : nullptr);
    clone->begun_ = begun_;
    return clone;
  }

  CallOrText(std::shared_ptr<const CallConstraintParts> parts,
             std::unique_ptr<TokenConstraint> call, std::unique_ptr<TokenConstraint> text)
      : parts_(std::move(parts)), call_(std::move(call)), text_(std::move(text)) {}

  std::span<const uint32_t> Allowed() override {
    if (!text_ && Rest().empty()) return call_->Allowed();
    if (!call_) return text_->Allowed();
    allowed_.assign((static_cast<size_t>(parts_->vocab_size) + 31) / 32, 0);
    if (text_) {
      const std::span<const uint32_t> text = text_->Allowed();
      allowed_.assign(text.begin(), text.end());
    }
    for (const TokenId token : parts_->begins_call) {
      if (GoesOn(token)) allowed_[static_cast<size_t>(token) / 32] |= uint32_t{1} << (token % 32);
    }
    return allowed_;
  }

  void Accept(TokenId token) override {
    if (call_ && text_) {
      const auto word = text_->Allowed()[static_cast<size_t>(token) / 32];
      if ((word >> (token % 32) & 1) == 0) text_.reset();
      if (!GoesOn(token)) call_.reset();
    }
    if (call_ && !Rest().empty()) begun_ += parts_->tokenizer->TokenBytes(token);
    if (call_) call_->Accept(token);
    if (text_) text_->Accept(token);
    // The text that begins calls is none of the grammar's: with its last byte it is a call.
    if (call_ && Rest().empty()) text_.reset();
  }
  bool Ended() const override { return !call_ && text_ && text_->Ended(); }

 private:
  std::string_view Rest() const {
    const std::string_view whole = CallBeginning(parts_->format.form);
    return whole.substr(std::min(begun_.size(), whole.size()));
  }
  bool GoesOn(TokenId token) const {
    const std::string& bytes = parts_->tokenizer->TokenBytes(token);
    return !bytes.empty() && parts_->is_text(token) && Rest().starts_with(bytes);
  }

  const std::shared_ptr<const CallConstraintParts> parts_;  // shared by all answers of a request
  std::unique_ptr<TokenConstraint> call_;                   // null: it is a text
  std::unique_ptr<TokenConstraint> text_;                   // null: it is a call
  std::string begun_;                                       // of the text that begins a call
  std::vector<uint32_t> allowed_;
};

}  // namespace

std::string_view CallBeginning(const CallForm& form) {
  if (form.syntax == nullptr) return {};
  return form.syntax->open.empty() ? form.before : form.syntax->open;
}

std::unique_ptr<TokenConstraint> ConstrainCalls(CallConstraintParts parts) {
  const auto shared = std::make_shared<const CallConstraintParts>(std::move(parts));
  if (shared->otherwise) return std::make_unique<CallOrText>(shared);
  return std::make_unique<CallConstraint>(shared);
}

}  // namespace tutti::text
