// Which tokens may come next in an answer that must obey a grammar.
//
// Made by text/ (from a JSON schema, an expression, a grammar), asked by the sampler. One object
// follows one answer: Allowed, then Accept with the token that was chosen, and so on.
//
// Threads: one at a time, but any may Clone one that nobody changes. Errors: none; until the answer
// has ended at least one token is allowed, unless nothing ends an answer in this vocabulary.
#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "tutti/base/ids.h"

namespace tutti {

class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;
  // Another answer from the same beginning.
  virtual std::unique_ptr<TokenConstraint> Clone() const = 0;
  // [vocab_size / 32, rounded up]: bit i % 32 of word i / 32 says whether token i may come. Tokens
  // that end an answer may come where the grammar is satisfied. Valid until the next call.
  virtual std::span<const uint32_t> Allowed() = 0;
  // A token that Allowed had allowed.
  virtual void Accept(TokenId token) = 0;
  // Nothing may follow: a token that ends answers came, or nothing else would be possible.
  virtual bool Ended() const = 0;
};

}  // namespace tutti
