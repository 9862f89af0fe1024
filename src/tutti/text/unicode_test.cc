#include "tutti/text/unicode.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>

#include "tutti/text/nfc.h"

namespace tutti::text {
namespace {

TEST(UnicodeTest, EveryCodePointSurvivesUtf8) {
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    AppendUtf8(c, &text);
    const Rune rune = DecodeRune(text, 0);
    ASSERT_EQ(rune.kind, Rune::Kind::kValid);
    ASSERT_EQ(rune.value, c);
    ASSERT_EQ(rune.size, text.size());
  }
}

// The examples of Unicode 16, section 3.9, tables 3-8 to 3-11, and the ends of texts.
TEST(UnicodeTest, OneReplacementForEachMaximalSubpart) {
  const std::string r = "\uFFFD";
  EXPECT_EQ(ToValidUtf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(ToValidUtf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(ToValidUtf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"),
            r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(ToValidUtf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
  EXPECT_EQ(ToValidUtf8("x\xF0\x9F\x98"), "x" + r);
  EXPECT_EQ(ToValidUtf8("x\xF0\x9F\x98\x80"), "x\U0001F600");
  EXPECT_EQ(ToValidUtf8(""), "");
}

TEST(UnicodeTest, AnIncompleteCharacterIsToldFromABadOne) {
  EXPECT_EQ(DecodeRune("\xF0\x9F\x98", 0).kind, Rune::Kind::kIncomplete);
  EXPECT_EQ(DecodeRune("\xF0\x9F\x98", 0).size, 3);
  EXPECT_EQ(DecodeRune("\xF0\x9Fx", 0).kind, Rune::Kind::kInvalid);
  EXPECT_EQ(DecodeRune("\xF0\x9Fx", 0).size, 2);
  EXPECT_EQ(DecodeRune("\xF0\x80\x80\x80", 0).size, 1);
  EXPECT_EQ(DecodeRune("\xED\xA0", 0).kind, Rune::Kind::kInvalid);
  EXPECT_EQ(DecodeRune("\xC2", 0).kind, Rune::Kind::kIncomplete);
}

TEST(UnicodeTest, Properties) {
  using namespace property;
  const auto category = [](char32_t c) { return Properties(c) & ~(kSpace | kHan | kNfcCheck); };
  EXPECT_EQ(category('A'), kUpper);
  EXPECT_EQ(category(U'ß'), kLower);
  EXPECT_EQ(category(U'ǅ'), kTitle);
  EXPECT_EQ(category(U'ʰ'), kModifier);
  EXPECT_EQ(category(U'中'), kOtherLetter);
  EXPECT_EQ(category(0x301), kMark);
  EXPECT_EQ(category(U'٣'), kDigit);
  EXPECT_EQ(category(U'½'), kOtherNumber);
  EXPECT_EQ(category(U'_'), kPunctuation);
  EXPECT_EQ(category(U'€'), kSymbol);
  EXPECT_EQ(category(0x378), 0);  // unassigned
  EXPECT_EQ(category(0x10FFFF), 0);
  EXPECT_EQ(Properties(0x110000), 0);          // beyond Unicode
  EXPECT_EQ(category(0x2EBF0), kOtherLetter);  // assigned in Unicode 15.1
  EXPECT_EQ(category(0x1C89), kUpper);         // ... in 16.0
  for (const char32_t c : {U'\t', U'\n', U' ', char32_t{0x85}, char32_t{0xA0}, char32_t{0x3000}}) {
    EXPECT_TRUE(Properties(c) & kSpace) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {char32_t{0x1C}, char32_t{0x200B}, char32_t{0x180E}, char32_t{0xFEFF}}) {
    EXPECT_FALSE(Properties(c) & kSpace) << static_cast<uint32_t>(c);
  }
  for (const char32_t c : {U'中', U'々', U'〇', U'⺀', U'㐀'}) EXPECT_TRUE(Properties(c) & kHan);
  for (const char32_t c : {U'か', U'。', U'한'}) EXPECT_FALSE(Properties(c) & kHan);
}

TEST(NfcTest, AsPythonNormalises) {
  std::ifstream in(TUTTI_SOURCE_DIR "/tests/text/nfc_cases.jsonl", std::ios::binary);
  int cases = 0;
  for (std::string line; std::getline(in, line); ++cases) {
    const auto object = boost::json::parse(line).as_object();
    const std::string text(object.at("text").as_string()), want(object.at("nfc").as_string());
    EXPECT_EQ(ToNfc(text), want) << line;
    EXPECT_EQ(ToNfc(want), want) << line;
    if (text != want) {
      EXPECT_TRUE(MayChangeInNfc(text)) << line;
    }
  }
  EXPECT_GT(cases, 100);
}

TEST(NfcTest, BrokenBytesStay) {
  EXPECT_EQ(ToNfc("\xFF"
                  "e\u0301\xC3"),
            "\xFF\u00E9\xC3");
  EXPECT_FALSE(MayChangeInNfc("plain ASCII, \u00E9 and \xFF"));
}

TEST(NfcTest, MasksFollow) {
  std::string mask("\1\1\1\0\0\1", 6);
  EXPECT_EQ(ToNfc("xe\u0301yz", &mask), "x\u00E9yz");
  EXPECT_EQ(mask, std::string("\1\0\0\0\1", 5));
}

TEST(NfcTest, AMillionMarksTakeNoLongerThanTheySort) {
  std::string text = "a";
  while (text.size() < 1'000'000) text += "\u0323\u0301";
  const std::string composed = ToNfc(text);
  EXPECT_TRUE(composed.starts_with("\u1EA1\u0323"));
  EXPECT_TRUE(composed.ends_with("\u0301"));
}

}  // namespace
}  // namespace tutti::text
