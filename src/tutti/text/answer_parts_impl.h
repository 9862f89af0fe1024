// The two ways in which answers are marked. Only for sources in text/.
#pragma once
#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "tutti/text/answer_parts.h"

namespace tutti::text {

std::unique_ptr<AnswerParts> MakeHarmonyParts(AnswerPartsOptions options);
std::unique_ptr<AnswerParts> MakeMarkedParts(const AnswerFormat& format,
                                             AnswerPartsOptions options);

// Around final answers; they say nothing.
inline constexpr auto kSilentMarkers = std::to_array<std::string_view>(
    {"<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TEXT|>", "<|END_TEXT|>"});

// The bytes at the end of `text` that one of the markers may begin with: as many as the next text
// has to be looked at together with.
size_t PossibleMarkerBytes(std::string_view text, std::span<const std::string_view> markers);

// Collects parts; neighbours of one kind become one.
class PartList {
 public:
  void Add(PartKind kind, std::string_view text);
  void BeginCall(const ToolCall& call);
  void EndCall();
  void AddCalls(std::span<const ToolCall> calls);  // with their arguments
  std::vector<AnswerPart> Take() { return std::exchange(parts_, {}); }

 private:
  std::vector<AnswerPart> parts_;
};

}  // namespace tutti::text
