#include "tutti/scheduler/sequence.h"

#include <algorithm>

namespace tutti::scheduler {

void Bill(Sequence& sequence, int32_t tokens, bool computed, Usage& total) {
  const int32_t known = std::max(sequence.held, sequence.reached);
  sequence.held += tokens;
  sequence.reached = std::max(sequence.reached, sequence.held);
  const int64_t fresh = std::max(0, sequence.held - known);
  const int64_t prompt =
      std::max(0, std::min(sequence.held, sequence.answer.prompt_size()) - known);
  sequence.request->changed = true;
  for (Usage* usage : {&sequence.request->usage, &total}) {
    usage->prompt_tokens += prompt;
    if (computed) {
      usage->recomputed_tokens += tokens - fresh;
    } else {
      usage->cached_tokens += prompt;
    }
  }
}

}  // namespace tutti::scheduler
