// Tokenizer files that are broken, cut, or lie: always an answer with what and where, never a
// crash.
#include "tutti/text/tokenizer_files.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <functional>

#include "tutti/text/tokenizer.h"

namespace tutti::text {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

const fs::path kFolder = TUTTI_SOURCE_DIR "/tests/text";

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return {std::istreambuf_iterator<char>(in), {}};
}

json::object ToyJson() {
  return json::parse(ReadAll(kFolder / "toy_tokenizer/tokenizer.json")).as_object();
}

// The message for a changed toy tokenizer.json; empty where it is accepted.
std::string Refusal(const std::function<void(json::object*)>& change,
                    StatusCode code = StatusCode::kData) {
  json::object root = ToyJson();
  change(&root);
  const auto spec = ParseTokenizerJson(json::serialize(root));
  if (!spec.ok()) {
    EXPECT_EQ(spec.status().code(), code) << spec.status().message();
    return spec.status().message();
  }
  auto tokenizer = Tokenizer::Create(*spec);
  if (tokenizer.ok()) return "";
  EXPECT_EQ(tokenizer.status().code(), code) << tokenizer.status().message();
  return tokenizer.status().message();
}

void ExpectHas(const std::string& message, std::string_view part) {
  EXPECT_NE(message.find(part), std::string::npos) << "\"" << message << "\" lacks " << part;
}

TEST(TokenizerJsonTest, CutAnywhereItIsRefused) {
  const std::string content = ReadAll(kFolder / "vocabularies/llama3_like.json");
  ASSERT_TRUE(ParseTokenizerJson(content).ok());
  for (size_t size = 0; size < content.size(); size += size < 600 ? 1 : 17) {
    const auto spec = ParseTokenizerJson(std::string_view(content).substr(0, size));
    ASSERT_FALSE(spec.ok()) << size;
    ASSERT_EQ(spec.status().code(), StatusCode::kData);
  }
}

TEST(TokenizerJsonTest, SaysWhatIsWrong) {
  EXPECT_EQ(Refusal([](json::object*) {}), "");
  const auto model = [](json::object* root) -> json::object& {
    return root->at("model").as_object();
  };
  const auto vocab = [&](json::object* root) -> json::object& {
    return model(root).at("vocab").as_object();
  };
  ExpectHas(Refusal([&](json::object* r) { r->erase("model"); }), "model");
  ExpectHas(Refusal([&](json::object* r) { model(r).erase("merges"); }), "merges");
  ExpectHas(Refusal([&](json::object* r) { vocab(r)["!"] = 5; }), "both have the id 5");
  ExpectHas(Refusal([&](json::object* r) { vocab(r)["!"] = -1; }), "-1");
  ExpectHas(Refusal([&](json::object* r) { vocab(r)["!"] = 2147483647; }), "2147483647");
  ExpectHas(Refusal([&](json::object* r) { vocab(r)["!"] = "x"; }), "\"!\"");
  ExpectHas(Refusal([&](json::object* r) { model(r)["merges"].as_array()[3] = "abc"; }), "merge 3");
  ExpectHas(Refusal([&](json::object* r) { model(r)["merges"].as_array()[3] = "zz zz"; }),
            "merge 3");
  ExpectHas(Refusal([&](json::object* r) {
              model(r)["merges"].as_array()[3] = {"a", 1};
            }),
            "merge 3");
  ExpectHas(Refusal([&](json::object* r) { model(r)["unk_token"] = "<none>"; }), "<none>");
  ExpectHas(
      Refusal([&](json::object* r) { r->at("added_tokens").as_array()[1].as_object()["id"] = 9; }),
      "id 9");
  ExpectHas(Refusal([&](json::object* r) {
              r->at("added_tokens").as_array()[1].as_object()["id"] = 4000000000;
            }),
            "4000000000");
  ExpectHas(Refusal([&](json::object* r) { r->at("added_tokens") = 7; }), "added_tokens");
}

TEST(TokenizerJsonTest, RefusesSettingsItDoesNotKnow) {
  const auto refusal = [](const char* key, const char* value) {
    return Refusal([&](json::object* r) { (*r)[key] = json::parse(value); },
                   StatusCode::kUnsupported);
  };
  ExpectHas(refusal("pre_tokenizer", R"({"type":"Sequence","pretokenizers":[
      {"type":"Split","pattern":{"Regex":"\\p{L}{1,7}|odd"},"behavior":"Isolated","invert":false},
      {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})"),
            R"(\p{L}{1,7}|odd)");
  ExpectHas(refusal("pre_tokenizer", R"({"type":"Whitespace"})"), "Whitespace");
  ExpectHas(refusal("pre_tokenizer", R"({"type":"ByteLevel","add_prefix_space":true})"),
            "add_prefix_space");
  ExpectHas(refusal("normalizer", R"({"type":"NFKC"})"), "NFKC");
  ExpectHas(refusal("post_processor", R"({"type":"BertProcessing"})"), "BertProcessing");
  ExpectHas(refusal("decoder", R"({"type":"WordPiece"})"), "WordPiece");
  ExpectHas(refusal("model", R"({"type":"WordPiece","vocab":{}})"), "WordPiece");
}

TEST(TokenizerJsonTest, DeepNestingIsRefused) {
  std::string deep = R"({"normalizer":)";
  for (int i = 0; i < 30; ++i) deep += R"({"type":"Sequence","normalizers":[)";
  EXPECT_FALSE(ParseTokenizerJson(deep + std::string(30, ' ')).ok());
  std::string closed = deep;
  for (int i = 0; i < 30; ++i) closed += "]}";
  EXPECT_FALSE(ParseTokenizerJson(closed + "}").ok());
  EXPECT_FALSE(ParseTokenizerJson(std::string(1'000'000, '[')).ok());
}

// Expressions that mean the same under other spellings, and lists, have their scanner.
TEST(TokenizerJsonTest, KnowsPublishedExpressions) {
  const auto name = [](const char* stages) {
    json::object root = ToyJson();
    root["pre_tokenizer"] =
        json::parse(std::string(R"({"type":"Sequence","pretokenizers":[)") + stages +
                    R"(,{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})");
    const auto spec = ParseTokenizerJson(json::serialize(root));
    EXPECT_TRUE(spec.ok()) << spec.status().message();
    return spec.ok() ? spec->pretokenizer : "";
  };
  const auto split = [](const char* regex) {
    return R"({"type":"Split","pattern":{"Regex":")" + std::string(regex) +
           R"("},"behavior":"Isolated","invert":false})";
  };
  EXPECT_EQ(
      name(
          split(
              R"('(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+)")
              .c_str()),
      "llama-bpe");
  EXPECT_EQ(
      name((split(R"([\r\n])") + "," + split(R"(\\s?\\p{L}+)") + "," + split(R"(\\s?\\p{P}+)") +
            "," + split("[一-龥ࠀ-一가-\uD7FF]+") + R"(,{"type":"Digits","individual_digits":true})")
               .c_str()),
      "deepseek-coder");
  EXPECT_EQ(
      name(
          R"({"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"use_regex":true})"),
      "starcoder");
}

TEST(SentencePieceFileTest, CutAnywhereItIsRefusedOrShorter) {
  const std::string content = ReadAll(kFolder / "vocabularies/spm.model");
  const auto whole = ParseSentencePieceModel(content);
  ASSERT_TRUE(whole.ok());
  int refused = 0;
  for (size_t size = 0; size < content.size(); ++size) {
    const auto spec = ParseSentencePieceModel(std::string_view(content).substr(0, size));
    // Between two pieces a cut leaves a well-formed message, but one without the trainer's
    // settings.
    ASSERT_FALSE(spec.ok() && spec->tokens.size() == whole->tokens.size() && size < 5000) << size;
    refused += !spec.ok();
  }
  EXPECT_GT(refused, static_cast<int>(content.size()) * 9 / 10);
}

TEST(SentencePieceFileTest, LyingLengthsAndTypes) {
  using std::string_literals::operator""s;
  const auto refusal = [](const std::string& bytes) {
    const auto spec = ParseSentencePieceModel(bytes);
    EXPECT_FALSE(spec.ok());
    return spec.ok() ? std::string() : spec.status().message();
  };
  ExpectHas(refusal(""), "no pieces");
  ExpectHas(refusal("\x0A\x05\x0A\x7F"
                    "abc"s),
            "byte 4");                                            // piece beyond its message
  ExpectHas(refusal("\x0A\xFF\xFF\xFF\xFF\x0F"s), "4294967295");  // message of 4 GB
  ExpectHas(refusal("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"s), "64 bits");
  ExpectHas(refusal("\x0A\x05\x0A\x01"
                    "a\x18\x63"s),
            "type 99");
  ExpectHas(refusal("\x0B"s), "wire type 3");
  ExpectHas(refusal("\x08\x01"s), "no message");
  ExpectHas(refusal("\x0A\x03\x0A\x01"
                    "a\x12\x02\x18\x01"s),
            "type 1");  // unigram
  ExpectHas(refusal("\x0A\x03\x0A\x01"
                    "a\x1A\x03\x12\x01x"s),
            "table of its own");
}

TEST(RankFileTest, SaysWhatIsWrong) {
  const auto refusal = [](std::string_view text) {
    const auto spec = ParseRankFile(text, "gpt-2");
    EXPECT_FALSE(spec.ok());
    return spec.ok() ? std::string() : spec.status().message();
  };
  ExpectHas(refusal("YQ== 0\nYg== 0\n"), "line 2");
  ExpectHas(refusal("YQ==\n"), "line 1");
  ExpectHas(refusal("YQ= 0\n"), "line 1");
  ExpectHas(refusal("Y*== 0\n"), "line 1");
  ExpectHas(refusal("YQ== 99999999999999999999\n"), "line 1");
  ExpectHas(refusal("YQ== 123456789\n"), "123456789");
  ExpectHas(refusal("YQ== 0 x\n"), "line 1");
  const auto unknown = ParseRankFile("YQ== 0\n", "");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.status().code(), StatusCode::kUnsupported);
  ExpectHas(unknown.status().message(), "1 tokens");
}

TEST(RankFileTest, RanksAreIdsAndControlTokensNeverText) {
  // a b ab abb <|x|>
  const auto spec = ParseRankFile("YQ== 0\nYg== 1\nYWI= 2\n\nYWJi 3\r\nPHx4fD4= 4 \n", "gpt-2");
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(spec->kinds[4], TokenKind::kControl);
  const auto tokenizer = Tokenizer::Create(*spec);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  EXPECT_EQ((*tokenizer)->Encode("abb", {}), TokenIds{3});
  EXPECT_EQ((*tokenizer)->Encode("aab", {}), (TokenIds{0, 2}));
  EXPECT_EQ((*tokenizer)->Encode("a<|x|>b", {false, true}), (TokenIds{0, 4, 1}));
  EXPECT_EQ((*tokenizer)->Encode("a<|x|>b", {}), (TokenIds{0, 1}));  // no tokens for < | x >
}

TEST(VocabAndMergesTest, SaysWhatIsWrong) {
  const auto refusal = [](std::string_view vocab, std::string_view merges) {
    const auto spec = ParseVocabAndMerges(vocab, merges, "gpt-2");
    EXPECT_FALSE(spec.ok());
    return spec.ok() ? std::string() : spec.status().message();
  };
  ExpectHas(refusal("[]", ""), "object");
  ExpectHas(refusal(R"({"a":0,"b":0})", ""), "both have the id 0");
  ExpectHas(refusal(R"({"a":1.5})", ""), "1.5");
  ExpectHas(refusal(R"({"a":0})", "#version: 0.2\na\n"), "line 2");
  EXPECT_TRUE(ParseVocabAndMerges(R"({"a":0,"b":1,"ab":2})", "#version: 0.2\na b\n", "gpt-2").ok());
}

TEST(TokenizerConfigTest, SpecialTokensTemplatesAndFlags) {
  auto spec = ParseTokenizerJson(ReadAll(kFolder / "toy_tokenizer/tokenizer.json"));
  ASSERT_TRUE(spec.ok());
  const Status status = ApplyTokenizerConfig(R"({
      "bos_token": {"content": "<|endoftext|>"}, "eos_token": "<|im_end|>", "pad_token": null,
      "unk_token": "<not there>", "add_bos_token": true, "add_eos_token": true,
      "added_tokens_decoder": {"512": {"content": "<new>", "special": true},
                               "513": {"content": "<word>", "special": false, "rstrip": true}},
      "chat_template": [{"name": "tool_use", "template": "T"}, {"name": "default", "template": "D"}]})",
                                             &*spec);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(spec->bos, 0);
  EXPECT_EQ(spec->eos, 2);
  EXPECT_EQ(spec->unknown, kNoToken);
  EXPECT_EQ(spec->chat_template, "D");
  EXPECT_EQ(spec->kinds[512], TokenKind::kControl);
  EXPECT_EQ(spec->kinds[513], TokenKind::kUserDefined);
  ASSERT_TRUE(ApplyGenerationConfig(R"({"eos_token_id": [512, 2, 512]})", &*spec).ok());
  EXPECT_EQ(spec->end_of_generation, (TokenIds{2, 512}));
  const auto tokenizer = Tokenizer::Create(*spec);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  EXPECT_EQ((*tokenizer)->Encode("<new><word>  ", {true, true}), (TokenIds{0, 512, 513, 2}));
}

TEST(TokenizerConfigTest, SaysWhatIsWrong) {
  auto toy = ParseTokenizerJson(ReadAll(kFolder / "toy_tokenizer/tokenizer.json"));
  ASSERT_TRUE(toy.ok());
  const auto refusal = [&](std::string_view config) {
    VocabSpec spec = *toy;
    const Status status = ApplyTokenizerConfig(config, &spec);
    EXPECT_FALSE(status.ok());
    return status.message();
  };
  ExpectHas(refusal("3"), "object");
  ExpectHas(refusal(R"({"bos_token": 5})"), "bos_token");
  ExpectHas(refusal(R"({"add_bos_token": "yes"})"), "add_bos_token");
  ExpectHas(refusal(R"({"chat_template": 5})"), "chat_template");
  ExpectHas(refusal(R"({"added_tokens_decoder": {"x": {"content": "y"}}})"), "\"x\"");
  ExpectHas(refusal(R"({"added_tokens_decoder": {"9999999": {"content": "y"}}})"), "9999999");
  ExpectHas(refusal(R"({"added_tokens_decoder": {"9": {"content": "y"}}})"), "id 9");
  VocabSpec spec = *toy;
  ExpectHas(ApplyGenerationConfig(R"({"eos_token_id": 512})", &spec).message(), "512");
}

TEST(ReadVocabTest, MissingFilesAreNotFound) {
  EXPECT_EQ(ReadVocab("/nonexistent/tokenizer.json").status().code(), StatusCode::kNotFound);
  const auto folder = ReadVocab(kFolder);
  ASSERT_FALSE(folder.ok());
  EXPECT_EQ(folder.status().code(), StatusCode::kNotFound);
  ExpectHas(folder.status().message(), "tokenizer.json");
}

}  // namespace
}  // namespace tutti::text
