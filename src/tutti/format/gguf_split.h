// File names of split GGUF models: "NAME-00001-of-00004.gguf" is part 1 of 4.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace tutti::format {

struct SplitName {
  std::string prefix;
  int part = 1;   // 1 is the first
  int parts = 1;  // 1 to 99999
  std::string ToString() const;
};

// nullopt where `filename` is not of this form; 1 <= part <= parts otherwise.
std::optional<SplitName> ParseSplitName(std::string_view filename);

}  // namespace tutti::format
