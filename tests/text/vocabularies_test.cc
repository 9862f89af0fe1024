// Small tokenizers of every kind against the libraries that trained them (make_vocabularies.py),
// and the toy tokenizer of the golden models. Needs nothing from outside the repository.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tutti/text/tokenizer.h"
#include "tutti/text/tokenizer_files.h"

namespace tutti::text {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

const fs::path kFolder = TUTTI_SOURCE_DIR "/tests/text/vocabularies";

std::unique_ptr<Tokenizer> Open(const fs::path& path) {
  auto spec = ReadVocab(path);
  EXPECT_TRUE(spec.ok()) << spec.status().message();
  if (!spec.ok()) return nullptr;
  auto tokenizer = Tokenizer::Create(std::move(*spec));
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  return tokenizer.ok() ? std::move(*tokenizer) : nullptr;
}

class VocabulariesTest : public ::testing::TestWithParam<const char*> {};

TEST_P(VocabulariesTest, EncodesAndDecodesAsItsLibrary) {
  const fs::path file = kFolder / GetParam();
  const auto tokenizer = Open(file);
  ASSERT_NE(tokenizer, nullptr);
  std::ifstream in(kFolder / (file.stem().string() + ".cases.jsonl"), std::ios::binary);
  int cases = 0;
  for (std::string line; std::getline(in, line); ++cases) {
    const json::object object = json::parse(line).as_object();
    const std::string text(object.at("text").as_string());
    const auto want = json::value_to<TokenIds>(object.at("ids"));
    EXPECT_EQ(tokenizer->Encode(text, {true, object.at("parse_special").as_bool()}), want) << line;
    EXPECT_EQ(tokenizer->Decode(want, true), std::string(object.at("decoded").as_string())) << line;
  }
  EXPECT_GT(cases, 20);
  std::printf("%d cases\n", cases);
}

INSTANTIATE_TEST_SUITE_P(Trained, VocabulariesTest,
                         ::testing::Values("llama3_like.json", "nfc_added_tokens.json",
                                           "digits.json", "falcon_like.json", "llama2_like.json",
                                           "metaspace_first.json", "metaspace_never.json",
                                           "spm.model", "spm_trimmed.model",
                                           "spm_user_defined.model"));

}  // namespace
}  // namespace tutti::text
