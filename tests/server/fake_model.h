// A model for tests of the server: the fake engine, and a vocabulary in which each character is a
// token.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "tutti/engine/fake_engine.h"
#include "tutti/server/models.h"

namespace tutti::testing {

// The printable characters of ASCII, a new line, and the end.
inline VocabSpec CharacterVocab() {
  VocabSpec vocab;
  vocab.algorithm = TokenizerAlgorithm::kByteBpe;
  vocab.pretokenizer = "gpt-2";
  for (char c = '!'; c <= '~'; ++c) vocab.tokens.emplace_back(1, c);
  vocab.tokens.emplace_back("\u0120");  // a space
  vocab.tokens.emplace_back("\u010A");  // a new line
  vocab.kinds.assign(vocab.tokens.size(), TokenKind::kNormal);
  vocab.tokens.emplace_back("<|end|>");
  vocab.kinds.push_back(TokenKind::kControl);
  vocab.eos = static_cast<TokenId>(vocab.tokens.size()) - 1;
  return vocab;
}

struct FakeModel {
  engine::FakeEngine* engine = nullptr;
  server::HostedModel hosted;
};

inline FakeModel MakeFakeModel(int32_t context = 256, std::string chat_template = {},
                               int64_t pages = 1 << 10) {
  VocabSpec vocab = CharacterVocab();
  vocab.chat_template = std::move(chat_template);
  auto engine = std::make_unique<engine::FakeEngine>(std::ssize(vocab.tokens), context, pages);
  auto tokenizer = text::Tokenizer::Create(std::move(vocab));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  engine::FakeEngine* pointer = engine.get();
  return {pointer,
          {.engine = std::move(engine),
           .tokenizer = std::move(tokenizer).value(),
           .sampling = {},
           .draft = nullptr}};
}

}  // namespace tutti::testing
