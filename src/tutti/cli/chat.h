// A conversation on the terminal: prompts and talk on stderr, answers on stdout.
#pragma once
#include "tutti/base/status.h"
#include "tutti/cli/console.h"
#include "tutti/cli/generate.h"
#include "tutti/cli/options.h"

namespace tutti::cli {

// Returns when the user ends it. Ctrl-C stops an answer or gives up a line, not the program; where
// the lines come from a pipe it ends the program, kCancelled.
Status RunChat(Console& console, const ModelOptions& model, AnswerOptions answer, bool verbose);

// "prompt 37 tokens (21 kept), 210.5 tokens/s; answer 64 tokens, 55.1 tokens/s"
void SayAnswerSpeed(Console& console, const Generated& generated);

}  // namespace tutti::cli
