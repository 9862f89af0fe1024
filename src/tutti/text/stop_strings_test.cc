#include "tutti/text/stop_strings.h"

#include <gtest/gtest.h>

#include "tutti/base/rng.h"

namespace tutti::text {
namespace {

StopStrings Make(std::vector<std::string> strings) {
  return StopStrings::Create(std::move(strings)).value();
}

TEST(StopStrings, WithoutStringsEverythingPasses) {
  StopStrings stop = Make({});
  EXPECT_EQ(stop.Push("abc"), "abc");
  EXPECT_EQ(stop.Finish(), "");
  EXPECT_FALSE(stop.stopped());
}

TEST(StopStrings, HoldsBackOnlyWhatMayBecomeAStopString) {
  StopStrings stop = Make({"</end>"});
  EXPECT_EQ(stop.Push("text <"), "text ");
  EXPECT_EQ(stop.Push("/e"), "");
  EXPECT_EQ(stop.Push("x"), "</ex");
  EXPECT_EQ(stop.Push("</en"), "");
  EXPECT_EQ(stop.Push("d> after"), "");
  EXPECT_TRUE(stop.stopped());
  EXPECT_EQ(stop.matched(), "</end>");
  EXPECT_EQ(stop.Push("more"), "");
  EXPECT_EQ(stop.Finish(), "");
}

TEST(StopStrings, FinishGivesWhatWasHeld) {
  StopStrings stop = Make({"\n\nUser:"});
  EXPECT_EQ(stop.Push("bye\n\nUs"), "bye");
  EXPECT_EQ(stop.Finish(), "\n\nUs");
}

TEST(StopStrings, TheOneThatBeginsFirstCounts) {
  StopStrings stop = Make({"c", "bcd"});
  EXPECT_EQ(stop.Push("abcd"), "a");
  EXPECT_EQ(stop.matched(), "bcd");
}

TEST(StopStrings, OverlapWithItself) {
  StopStrings stop = Make({"aab"});
  EXPECT_EQ(stop.Push("aaa"), "a");
  EXPECT_EQ(stop.Push("ab"), "a");  // a|aab
  EXPECT_TRUE(stop.stopped());
}

TEST(StopStrings, AnySplitGivesTheSameText) {
  const std::string text = "abababcabcabbacababcab<|x|>abcb";
  Rng rng(7);
  const std::vector<std::vector<std::string>> sets = {
      {"abcabb"}, {"<|x|>", "zz"}, {"bcb"}, {"q"}, {"abac", "cabb", "bacab"}};
  for (const auto& strings : sets) {
    size_t expected = text.size();
    for (const std::string& string : strings) expected = std::min(expected, text.find(string));
    for (int round = 0; round < 200; ++round) {
      StopStrings stop = Make(strings);
      std::string shown;
      for (size_t i = 0; i < text.size();) {
        const size_t n = 1 + rng.NextU64() % 5;
        shown += stop.Push(std::string_view(text).substr(i, n));
        i += n;
      }
      shown += stop.Finish();
      ASSERT_EQ(shown, text.substr(0, expected));
    }
  }
}

TEST(StopStrings, RefusesEmptyAndTooManyAndTooLong) {
  EXPECT_EQ(StopStrings::Create({""}).status().code(), StatusCode::kUsage);
  EXPECT_EQ(StopStrings::Create(std::vector<std::string>(65, "x")).status().code(),
            StatusCode::kUsage);
  EXPECT_EQ(StopStrings::Create({std::string(4097, 'x')}).status().code(), StatusCode::kUsage);
}

}  // namespace
}  // namespace tutti::text
