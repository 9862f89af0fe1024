// An engine without a model, for tests: the next token is a function of all tokens so far, so a
// lost, repeated or misplaced token changes everything after it.
#pragma once
#include <map>
#include <utility>

#include "tutti/engine.h"

namespace tutti::cli {

class FakeEngine final : public Engine {
 public:
  FakeEngine(int32_t vocab_size, int32_t context) : context_(context) {
    spec_.vocab_size = vocab_size;
  }

  // What follows `tokens`.
  TokenId Next(const TokenIds& tokens) const {
    uint64_t hash = 1;
    for (const TokenId id : tokens) hash = (hash * 31 + static_cast<uint64_t>(id) + 7) % 1000003;
    return static_cast<TokenId>(hash % static_cast<uint64_t>(spec_.vocab_size));
  }
  TokenIds Continue(TokenIds tokens, int count) const {
    TokenIds added;
    for (int i = 0; i < count; ++i) {
      added.push_back(Next(tokens));
      tokens.push_back(added.back());
    }
    return added;
  }

  int64_t computed_tokens = 0;

  const ModelSpec& spec() const override { return spec_; }
  const Metadata& metadata() const override { return metadata_; }
  const VocabSpec* vocab() const override { return &vocab_; }
  int threads() const override { return 1; }
  int32_t context() const override { return context_; }
  EngineCosts costs() const override { return {}; }
  std::string CheckIntegrity() const override { return {}; }
  Result<SequenceId> NewSequence() override {
    sequences_[next_] = {};
    return next_++;
  }
  void EndSequence(SequenceId id) override { sequences_.erase(id); }
  int32_t Length(SequenceId id) const override {
    return static_cast<int32_t>(sequences_.at(id).size());
  }
  void Truncate(SequenceId id, int32_t length) override {
    sequences_.at(id).resize(static_cast<size_t>(length));
  }

  void StartProfile() override {}
  StepProfile StopProfile() override { return {}; }
  Status ExtendWithNoise(SequenceId id, int32_t tokens) override {
    sequences_.at(id).resize(sequences_.at(id).size() + static_cast<size_t>(tokens));
    return {};
  }

  Result<StepResult> Forward(const Batch& batch) override {
    StepResult result;
    for (const BatchEntry& entry : batch.entries) {
      TokenIds& tokens = sequences_.at(entry.sequence);
      if (tokens.size() + entry.tokens.size() > static_cast<size_t>(context_)) {
        return Error(StatusCode::kResource, "the context of {} is full", context_);
      }
      for (size_t i = 0; i < entry.tokens.size(); ++i) {
        tokens.push_back(entry.tokens[i]);
        ++computed_tokens;
        const bool last = i + 1 == entry.tokens.size();
        if (entry.logits == LogitsWanted::kAll || (entry.logits == LogitsWanted::kLast && last)) {
          std::vector<float> row(static_cast<size_t>(spec_.vocab_size), 0.0f);
          row[static_cast<size_t>(Next(tokens))] = 10;
          result.logits.insert(result.logits.end(), row.begin(), row.end());
          ++result.rows;
        }
      }
    }
    return result;
  }

  VocabSpec& mutable_vocab() { return vocab_; }
  size_t sequences() const { return sequences_.size(); }

 private:
  ModelSpec spec_;
  Metadata metadata_;
  VocabSpec vocab_;
  int32_t context_;
  SequenceId next_ = 0;
  std::map<SequenceId, TokenIds> sequences_;
};

}  // namespace tutti::cli
