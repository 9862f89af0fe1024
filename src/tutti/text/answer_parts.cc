#include "tutti/text/answer_parts.h"

#include <algorithm>

#include "tutti/text/answer_parts_impl.h"

namespace tutti::text {

size_t PossibleMarkerBytes(std::string_view text, std::span<const std::string_view> markers) {
  size_t most = 0;
  for (const std::string_view marker : markers) {
    for (size_t n = std::min(marker.size() - 1, text.size()); n > most; --n) {
      if (marker.starts_with(text.substr(text.size() - n))) most = n;
    }
  }
  return most;
}

void PartList::Add(PartKind kind, std::string_view text) {
  if (text.empty()) return;
  if (!parts_.empty() && parts_.back().kind == kind) {
    parts_.back().text += text;
  } else {
    parts_.push_back({.kind = kind, .text = std::string(text)});
  }
}

void PartList::BeginCall(const ToolCall& call) {
  parts_.push_back({.kind = PartKind::kToolCall, .text = call.name, .id = call.id});
}

void PartList::EndCall() { parts_.push_back({.kind = PartKind::kCallEnd}); }

void PartList::AddCalls(std::span<const ToolCall> calls) {
  for (const ToolCall& call : calls) {
    BeginCall(call);
    Add(PartKind::kArguments, call.arguments);
    EndCall();
  }
}

bool AnswerFormat::Knows(std::string_view control) const {
  if (control.empty()) return false;
  const auto has = [&](std::string_view markers) {
    return markers.find(control) != std::string_view::npos;
  };
  if (harmony) return has("<|channel|><|message|><|start|><|end|><|constrain|><|call|><|return|>");
  if (has(reasoning.open) || has(reasoning.close)) return true;
  for (const CallSyntax* syntax : calls) {
    if (has(syntax->open) || has(syntax->close) || has(syntax->inner)) return true;
  }
  return std::find(kSilentMarkers.begin(), kSilentMarkers.end(), control) != kSilentMarkers.end();
}

AnswerFormat AnswerFormatOf(std::string_view template_source) {
  AnswerFormat format;
  format.form = CallFormOf(template_source);
  format.harmony = format.form.syntax == &HarmonyCallSyntax();
  if (format.harmony) return format;
  format.reasoning = ReasoningMarksOf(template_source);
  format.calls = CallSyntaxesOf(template_source);
  return format;
}

std::unique_ptr<AnswerParts> MakeAnswerParts(const AnswerFormat& format,
                                             AnswerPartsOptions options) {
  if (format.harmony && !options.only_calls) return MakeHarmonyParts(std::move(options));
  return MakeMarkedParts(format, std::move(options));
}

}  // namespace tutti::text
