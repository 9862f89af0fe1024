// How much speculation gains: speculation MODEL
//
// One user, greedy, whose prompt is a run of 48 tokens five times over, so that the text repeats
// itself; without guesses and with them in turns, three times. Prints tokens per second, the
// guesses and how many came true; ends with 1 where the answers differ.
#include <chrono>
#include <cstdio>
#include <string>

#include "tutti/base/rng.h"
#include "tutti/scheduler/scheduler.h"

namespace tutti {
namespace {

struct Run {
  TokenIds answer;
  double tokens_per_s = 0;
  scheduler::DraftCount drafts;
};

Run Generate(Engine& engine, int32_t tokens, bool speculate, uint64_t tenant) {
  scheduler::SchedulerOptions options;
  options.prompt_lookup = speculate;
  const auto scheduler = std::move(scheduler::Scheduler::Create(engine, options)).value();
  scheduler::Request request;
  Rng rng(7);
  TokenIds text;
  while (text.size() < 48) {
    text.push_back(
        static_cast<TokenId>(rng.NextU64() % static_cast<uint64_t>(engine.spec().vocab_size)));
  }
  for (int i = 0; i < 5; ++i) request.prompt.insert(request.prompt.end(), text.begin(), text.end());
  request.sampling.temperature = 0;
  request.max_tokens = tokens;
  request.tenant = TenantId{tenant};  // nothing is remembered from the run before
  const auto stream = std::move(scheduler->Submit(request)).value();
  while (scheduler->Step()) {
  }
  Run run;
  for (const scheduler::Event& event : stream->Read()) {
    if (!event.finished) run.answer.push_back(event.token.id);
  }
  const scheduler::Times times = stream->progress().times;
  run.tokens_per_s = (tokens - 1) / (times.finished_s - times.first_token_s);
  run.drafts = scheduler->statistics().drafts[0];
  return run;
}

int Main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: speculation MODEL\n");
    return 64;
  }
  constexpr int32_t kTokens = 150;
  auto engine = Engine::Load(argv[1], {.context = 512, .kv_tokens = 8192});
  if (!engine.ok()) {
    std::fprintf(stderr, "speculation: %s\n", engine.status().message().c_str());
    return 65;
  }
  uint64_t tenant = 0;
  for (int turn = 0; turn < 3; ++turn) {
    const Run without = Generate(**engine, kTokens, false, tenant++);
    const Run with = Generate(**engine, kTokens, true, tenant++);
    std::printf("%.1f tok/s without, %.1f with: %.2fx, %lld guessed, %lld came true\n",
                without.tokens_per_s, with.tokens_per_s, with.tokens_per_s / without.tokens_per_s,
                static_cast<long long>(with.drafts.drafted),
                static_cast<long long>(with.drafts.accepted));
    if (without.answer != with.answer) {
      std::fprintf(stderr, "speculation: the answers differ\n");
      return 1;
    }
  }
  return 0;
}

}  // namespace
}  // namespace tutti

int main(int argc, char** argv) { return tutti::Main(argc, argv); }
