// Why an answer ended.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tutti {

enum class FinishReason : uint8_t {
  kEndOfGeneration,  // the model's own end
  kStop,             // a stop string or a stop token of the request, or its grammar is complete
  kMaxTokens,
  kContextFull,
  kInterrupted,  // by the user, or whoever asked
  kSlowReader,   // nobody read what was generated
  kFailed,       // a Status says why
};

inline constexpr size_t kFinishReasons = 7;

constexpr std::string_view NameOf(FinishReason reason) {
  constexpr std::array<std::string_view, kFinishReasons> kNames = {
      "end", "stop", "length", "context", "interrupted", "slow reader", "failed"};
  return kNames[static_cast<size_t>(reason)];
}

}  // namespace tutti
