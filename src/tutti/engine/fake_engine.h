// An engine without a model, for tests: the next token is a function of all tokens so far, so a
// lost, repeated or misplaced token changes everything after it.
//
// Its memory is that of real engines: each token's slot in a page holds the token and the hash of
// all tokens up to it, and the next token is computed from the slot before, as keys and values are
// read. A page that is shared wrongly or overwritten shows in the answers or in CheckIntegrity.
//
// Threads: one call at a time. Errors: as engine.h says.
#pragma once
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "tutti/engine.h"
#include "tutti/engine/sequences.h"
#include "tutti/memory/kv_pool.h"

namespace tutti::engine {

class FakeEngine final : public Engine {
 public:
  FakeEngine(int32_t vocab_size, int32_t context, int64_t pages = 1 << 16) : context_(context) {
    spec_.vocab_size = vocab_size;
    spec_.dim = 1;
    constexpr int64_t kBytes[] = {sizeof(Slot)};
    auto pool = memory::KvPool::Create(kBytes, pages * memory::KvPool::PageBytes(kBytes));
    TUTTI_CHECK(pool.ok(), pool.status().message());
    pool_ = std::move(pool).value();
    sequences_ = std::make_unique<Sequences>(*pool_);
  }

  // What follows `tokens`.
  TokenId Next(std::span<const TokenId> tokens) const {
    uint32_t hash = kStart;
    for (const TokenId id : tokens) hash = Hash(hash, id);
    return TokenOf(hash, tokens.empty() ? 0 : tokens.back());
  }
  TokenIds Continue(TokenIds tokens, int count) const {
    TokenIds added;
    for (int i = 0; i < count; ++i) {
      added.push_back(Next(tokens));
      tokens.push_back(added.back());
    }
    return added;
  }

  // Not 0: a text that repeats itself. Only one token in so many depends on all before it, the
  // others just on the last one.
  uint32_t surprise = 0;
  int64_t computed_tokens = 0;
  // Called with every batch before it is computed; an error is Forward's.
  std::function<Status(const Batch&)> before_forward;

  VocabSpec& mutable_vocab() { return vocab_; }
  void KeepOnDisk(std::unique_ptr<memory::PrefixDisk> disk) {
    sequences_->KeepOnDisk(std::move(disk));
  }
  int64_t page_bytes() const { return pool_->page_bytes(); }
  size_t sequences() const { return sequences_->ids().size(); }

  const ModelSpec& spec() const override { return spec_; }
  const Metadata& metadata() const override { return metadata_; }
  const VocabSpec* vocab() const override { return &vocab_; }
  int threads() const override { return 1; }
  int32_t context() const override { return context_; }
  int32_t prefill_chunk() const override { return 512; }
  EngineCosts costs() const override { return {}; }
  Result<SequenceId> NewSequence() override { return sequences_->New(); }
  void EndSequence(SequenceId id) override { sequences_->End(id); }
  int32_t Length(SequenceId id) const override { return sequences_->Length(id); }
  void Truncate(SequenceId id, int32_t length) override { sequences_->Truncate(id, length); }
  int32_t Recall(SequenceId id, TenantId tenant, std::span<const TokenId> tokens) override {
    return sequences_->Recall(id, tenant, tokens);
  }
  Result<SequenceId> Fork(SequenceId id) override { return sequences_->Fork(id); }
  PageUse pages() const override { return sequences_->pages(); }
  DiskUse disk() const override { return sequences_->disk(); }
  bool WriteBehind(int64_t most_bytes) override { return sequences_->WriteBehind(most_bytes); }
  int64_t PagesMissing(SequenceId id, int32_t tokens) const override {
    return sequences_->PagesMissing(id, tokens);
  }

  void StartProfile() override {}
  StepProfile StopProfile() override { return {}; }
  Status ExtendWithNoise(SequenceId id, int32_t tokens) override {
    TUTTI_RETURN_IF_ERROR(CheckRoom(id, tokens));
    TUTTI_CHECK(sequences_->Reserve(id, tokens), "room was checked");
    const int32_t begin = Length(id);
    const Slot noise{.hash = 0, .token = kNoToken};
    for (int32_t i = 0; i < tokens; ++i) std::memcpy(Place(id, begin + i), &noise, sizeof(noise));
    sequences_->AppendNoise(id, tokens);
    return {};
  }

  Result<StepResult> Forward(const Batch& batch) override {
    if (before_forward) TUTTI_RETURN_IF_ERROR(before_forward(batch));
    int64_t missing = 0;
    std::set<SequenceId> seen;
    for (const BatchEntry& entry : batch.entries) {
      const auto count = static_cast<int32_t>(entry.tokens.size());
      TUTTI_RETURN_IF_ERROR(CheckRoom(entry.sequence, count));
      if (!seen.insert(entry.sequence).second) return UsageError("a sequence occurs twice");
      missing += PagesMissing(entry.sequence, count);
    }
    if (missing > pages().available()) {
      return Error(StatusCode::kResource, "{} pages are missing, {} are available", missing,
                   pages().available());
    }
    // All of them first, as a real engine does: what one takes must not be another's.
    for (const BatchEntry& entry : batch.entries) {
      TUTTI_CHECK(sequences_->Reserve(entry.sequence, static_cast<int32_t>(entry.tokens.size()),
                                      entry.drafts),
                  "pages were counted");
    }
    StepResult result;
    for (const BatchEntry& entry : batch.entries) Compute(entry, result);
    return result;
  }

  std::string CheckIntegrity() const override {
    if (std::string wrong = sequences_->CheckIntegrity(); !wrong.empty()) return wrong;
    for (const SequenceId id : sequences_->ids()) {
      uint32_t hash = kStart;
      const auto tokens = sequences_->tokens(id);
      for (size_t i = 0; i < tokens.size(); ++i) {
        const Slot slot = Read(id, static_cast<int32_t>(i));
        hash = slot.token == kNoToken ? 0 : Hash(hash, tokens[i]);  // noise has none
        if (slot.token == kNoToken) continue;
        if (slot.hash != hash || slot.token != tokens[i]) {
          return fmt::format("sequence {} does not remember its token {}", id, i);
        }
      }
    }
    return {};
  }

 private:
  struct Slot {
    uint32_t hash;
    TokenId token;
  };
  static constexpr uint32_t kStart = 1;
  static uint32_t Hash(uint32_t hash, TokenId id) {
    return static_cast<uint32_t>((uint64_t{hash} * 31 + static_cast<uint64_t>(id) + 7) % 1000003);
  }
  TokenId TokenOf(uint32_t hash, TokenId last) const {
    const bool repeats = surprise > 0 && hash % surprise != 0;
    const uint32_t next = repeats ? static_cast<uint32_t>(last) * 3 + 1 : hash;
    return static_cast<TokenId>(next % static_cast<uint32_t>(spec_.vocab_size));
  }
  std::byte* Place(SequenceId id, int32_t position) const {
    const auto page = static_cast<size_t>(position / memory::kPageTokens);
    const auto slot = static_cast<size_t>(position % memory::kPageTokens);
    return sequences_->table(id).pages()[page] + slot * sizeof(Slot);
  }
  Slot Read(SequenceId id, int32_t position) const {
    Slot slot;
    std::memcpy(&slot, Place(id, position), sizeof(slot));
    return slot;
  }

  Status CheckRoom(SequenceId id, int32_t tokens) const {
    if (!sequences_->Contains(id)) return UsageError("sequence {} is not open", id);
    if (Length(id) + tokens <= context_) return {};
    return Error(StatusCode::kResource, "the context of {} is full", context_);
  }

  void Compute(const BatchEntry& entry, StepResult& result) {
    const int32_t begin = Length(entry.sequence);
    uint32_t hash = begin == 0 ? kStart : Read(entry.sequence, begin - 1).hash;
    for (size_t i = 0; i < entry.tokens.size(); ++i) {
      const Slot slot{.hash = Hash(hash, entry.tokens[i]), .token = entry.tokens[i]};
      hash = slot.hash;
      std::memcpy(Place(entry.sequence, begin + static_cast<int32_t>(i)), &slot, sizeof(slot));
      ++computed_tokens;
      const bool last = i + 1 == entry.tokens.size();
      if (entry.logits == LogitsWanted::kAll || (entry.logits == LogitsWanted::kLast && last)) {
        const size_t row = result.logits.size();
        result.logits.resize(row + static_cast<size_t>(spec_.vocab_size), 0.0f);
        result.logits[row + static_cast<size_t>(TokenOf(hash, slot.token))] = 10;
        ++result.rows;
      }
    }
    // A hidden state that tells all tokens.
    if (entry.logits == LogitsWanted::kHidden) result.hidden.push_back(static_cast<float>(hash));
    sequences_->Append(entry.sequence, entry.tokens);
  }

  ModelSpec spec_;
  Metadata metadata_;
  VocabSpec vocab_;
  int32_t context_;
  std::unique_ptr<memory::KvPool> pool_;
  std::unique_ptr<Sequences> sequences_;
};

}  // namespace tutti::engine
