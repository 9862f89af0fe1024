// Every recorded case of real tokenizers: text to ids and back, as Hugging Face tokenizers,
// tiktoken and SentencePiece answered.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <map>

#include "tests/shared_fixtures.h"
#include "tutti/text/tokenizer.h"
#include "tutti/text/tokenizer_files.h"

namespace tutti::text {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

fs::path Fixture(const std::string& name) { return testing::SharedFixture("tokenizers/" + name); }

// A file of the fixtures; one that is packed is unpacked into the test's folder.
fs::path Unpacked(const std::string& name) {
  const fs::path path = Fixture(name);
  if (path.extension() != ".xz") return path;
  const fs::path folder =
      fs::path(::testing::TempDir()) / "tutti_tokenizers" / path.parent_path().filename();
  fs::create_directories(folder);
  const fs::path unpacked = folder / path.stem();
  const std::string command = "xz -dc '" + path.string() + "' > '" + unpacked.string() + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return unpacked;
}

std::unique_ptr<Tokenizer> MakeTokenizer(Result<VocabSpec> spec) {
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  if (!spec.ok()) return nullptr;
  auto tokenizer = Tokenizer::Create(std::move(*spec));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return tokenizer.ok() ? std::move(*tokenizer) : nullptr;
}

// The tokenizer of a file of the fixtures; read once, for the large ones take half a second.
const Tokenizer* Open(const std::string& name) {
  static std::map<std::string, std::unique_ptr<Tokenizer>> opened;
  const auto [it, is_new] = opened.try_emplace(name);
  if (is_new) it->second = MakeTokenizer(ReadVocab(Unpacked(name)));
  return it->second.get();
}

std::vector<json::object> ReadLines(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  std::vector<json::object> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line).as_object());
  return lines;
}

std::string Str(const json::object& object, const char* key) {
  return std::string(object.at(key).as_string());
}

TokenIds Ids(const json::object& object, const char* key) {
  return json::value_to<TokenIds>(object.at(key));
}

// The text of ids with the names of control tokens.
std::string WithNames(const Tokenizer& tokenizer, const TokenIds& ids) {
  std::string text;
  for (const TokenId id : ids) text += tokenizer.TokenBytes(id);
  return text.starts_with(' ') ? text.substr(1) : text;
}

// `names`: control tokens are recorded by name. So it is where the cases come from a
// tokenizer.json; the SentencePiece file of the same model says the rest and leaves them out.
void ExpectCases(const Tokenizer& tokenizer, const fs::path& path, bool names = true) {
  int cases = 0, wrong = 0;
  for (const json::object& line : ReadLines(path)) {
    const std::string text = Str(line, "text");
    const TokenIds want = Ids(line, "ids");
    const TokenIds got = tokenizer.Encode(
        text, {line.at("add_special").as_bool(), line.at("parse_special").as_bool()});
    const std::string decoded = names && tokenizer.spec().silent_control
                                    ? WithNames(tokenizer, want)
                                    : tokenizer.Decode(want, true);
    ++cases;
    if (got == want && decoded == Str(line, "decoded")) continue;
    if (++wrong <= 5) {
      ADD_FAILURE() << path << ": " << json::serialize(line) << "\n got "
                    << json::serialize(json::value_from(got)) << " decoded "
                    << json::serialize(json::value(decoded));
    }
  }
  EXPECT_EQ(wrong, 0);
  std::printf("%5d cases, %d wrong: %s\n", cases, wrong, path.c_str());
}

struct JsonFixture {
  const char* tokenizer;
  const char* cases;
};

class TokenizerJsonTest : public ::testing::TestWithParam<JsonFixture> {};

TEST_P(TokenizerJsonTest, EveryCase) {
  TUTTI_NEEDS_SHARED(std::string("tokenizers/") + GetParam().tokenizer);
  const Tokenizer* tokenizer = Open(GetParam().tokenizer);
  ASSERT_NE(tokenizer, nullptr);
  ExpectCases(*tokenizer, Fixture(GetParam().cases));
}

INSTANTIATE_TEST_SUITE_P(
    Published, TokenizerJsonTest,
    ::testing::Values(JsonFixture{"deepseek_v3/tokenizer.json", "deepseek_v3/cases.jsonl"},
                      JsonFixture{"gpt_oss/tokenizer.json.xz", "gpt_oss/cases.jsonl"},
                      JsonFixture{"qwen3/tokenizer.json.xz", "qwen3/cases.jsonl"},
                      JsonFixture{"minimind/tokenizer.json", "minimind/cases.jsonl"},
                      JsonFixture{"olmo/allenai_dolma2.json", "olmo/allenai_dolma2.cases.jsonl"},
                      JsonFixture{"olmo/allenai_gpt-neox-olmo-dolma-v1_5.json",
                                  "olmo/allenai_gpt-neox-olmo-dolma-v1_5.cases.jsonl"},
                      JsonFixture{"olmo/allenai_eleuther-ai-gpt-neox-20b-pii-special.json",
                                  "olmo/allenai_eleuther-ai-gpt-neox-20b-pii-special.cases.jsonl"},
                      JsonFixture{"gpt2/vocab.json", "gpt2/cases.jsonl"},
                      JsonFixture{"gpt2/gpt2.tiktoken", "gpt2/cases.jsonl"},
                      JsonFixture{"qwen2.5_qwen3/vocab.json", "qwen2.5_qwen3/cases.jsonl"},
                      JsonFixture{"gptneox/gpt-neox-20b.tiktoken", "gptneox/cases.jsonl"},
                      JsonFixture{"llama3/meta-llama-3-8B.tiktoken", "llama3/cases.jsonl"},
                      JsonFixture{"llama2/tokenizer.json", "llama2/cases.jsonl"},
                      JsonFixture{"llama2/tokenizer.model", "llama2/cases.jsonl"}));

// Control tokens decode to nothing there.
class SentencePieceTest : public ::testing::TestWithParam<const char*> {};

TEST_P(SentencePieceTest, EveryCase) {
  const std::string name = std::string("mistral/") + GetParam();
  TUTTI_NEEDS_SHARED("tokenizers/" + name);
  const Tokenizer* tokenizer = Open(name);
  ASSERT_NE(tokenizer, nullptr);
  ExpectCases(*tokenizer, Fixture(name + ".cases.jsonl"), false);
  EXPECT_EQ(tokenizer->Decode(TokenIds{tokenizer->spec().bos}, true), "");
}

INSTANTIATE_TEST_SUITE_P(Published, SentencePieceTest,
                         ::testing::Values("tokenizer.model.v1",
                                           "mistral_instruct_tokenizer_240323.model.v3",
                                           "mistral_instruct_tokenizer_241114.model.v7"));

// A folder with vocab.json, merges.txt and the added tokens in tokenizer_config.json.
TEST(TokenizerFolderTest, Qwen2) {
  TUTTI_NEEDS_SHARED("tokenizers/qwen2.5_qwen3");
  const fs::path folder = fs::path(::testing::TempDir()) / "tutti_tokenizers/qwen2";
  fs::remove_all(folder);
  fs::create_directories(folder);
  for (const auto& [from, to] :
       {std::pair("vocab.json", "vocab.json"), std::pair("merges.txt", "merges.txt"),
        std::pair("tokenizer_config.qwen2.json", "tokenizer_config.json")}) {
    fs::create_symlink(Fixture("qwen2.5_qwen3") / from, folder / to);
  }
  const auto tokenizer = MakeTokenizer(ReadVocab(folder));
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->spec().eos, 151645);
  EXPECT_FALSE(tokenizer->spec().chat_template.empty());
  ExpectCases(*tokenizer, Fixture("qwen2.5_qwen3/cases.jsonl"));
}

// encoder.json and vocab.bpe, with the special tokens in tokenizer_config.json.
TEST(TokenizerFolderTest, Llama3) {
  TUTTI_NEEDS_SHARED("tokenizers/llama3");
  const auto tokenizer = MakeTokenizer(ReadVocab(Fixture("llama3")));
  ASSERT_NE(tokenizer, nullptr);
  ExpectCases(*tokenizer, Fixture("llama3/cases.jsonl"));
}

// Where tokenizers and SentencePiece differ, tokenizer.json answers as the former, with control
// tokens in the text; and either file as the latter, where control tokens are not parsed.
TEST(TokenizerDifferTest, Llama2SpecialTokens) {
  TUTTI_NEEDS_SHARED("tokenizers/llama2/cases_differ.jsonl");
  for (const char* file : {"llama2/tokenizer.json", "llama2/tokenizer.model"}) {
    const Tokenizer* tokenizer = Open(file);
    ASSERT_NE(tokenizer, nullptr);
    int cases = 0;
    for (const json::object& line : ReadLines(Fixture("llama2/cases_differ.jsonl"))) {
      const std::string text = Str(line, "text");
      const bool add_special = line.at("add_special").as_bool();
      EXPECT_EQ(tokenizer->Encode(text, {add_special, true}), Ids(line, "ids")) << text;
      if (!tokenizer->spec().silent_control) {
        EXPECT_EQ(tokenizer->Decode(Ids(line, "ids"), true), Str(line, "decoded"));
      }
      const TokenIds plain = Ids(line, "ids_sentencepiece");
      EXPECT_EQ(tokenizer->Encode(text, {add_special, false}), plain) << text;
      EXPECT_EQ(tokenizer->Decode(plain, false), Str(line, "decoded_sentencepiece"));
      ++cases;
    }
    std::printf("%5d cases both ways: %s\n", cases, file);
  }
}

TEST(StreamDecoderFixtureTest, EveryStream) {
  TUTTI_NEEDS_SHARED("tokenizers/stream.jsonl");
  const std::map<std::string, const Tokenizer*> tokenizers = {
      {"deepseek_v3", Open("deepseek_v3/tokenizer.json")},
      {"qwen3", Open("qwen3/tokenizer.json.xz")},
      {"gpt_oss", Open("gpt_oss/tokenizer.json.xz")}};
  for (const auto& [name, tokenizer] : tokenizers) ASSERT_NE(tokenizer, nullptr) << name;
  int streams = 0;
  for (const json::object& line : ReadLines(Fixture("stream.jsonl"))) {
    const Tokenizer& tokenizer = *tokenizers.at(Str(line, "tokenizer"));
    StreamDecoder decoder(tokenizer);
    const TokenIds ids = Ids(line, "ids");
    const auto increments = json::value_to<std::vector<std::string>>(line.at("increments"));
    ASSERT_EQ(ids.size(), increments.size());
    std::string all;
    for (size_t i = 0; i < ids.size(); ++i) {
      EXPECT_EQ(decoder.Push(ids[i]), increments[i]) << Str(line, "why") << " at token " << i;
      all += increments[i];
    }
    EXPECT_EQ(decoder.Finish(), Str(line, "final")) << Str(line, "why");
    EXPECT_EQ(tokenizer.Decode(ids, true), all + Str(line, "final"));
    ++streams;
  }
  EXPECT_GT(streams, 0);
  std::printf("%5d streams\n", streams);
}

}  // namespace
}  // namespace tutti::text
