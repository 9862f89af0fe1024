// The engine: one loaded model, token ids in, logits out.
//
// Text exists above (text/), scheduling exists above (scheduler/); this is the narrow waist between
// them and the mathematics.
//
// Ownership: an Engine owns the mapped weights, the memory of its sequences and its threads.
// Threads: one call at a time, but for expert_tokens; results are values and may go anywhere.
// Errors: kNotFound, kData, kUnsupported from Load; kResource where a sequence would exceed the
// context or the memory budget: the batch is then refused whole and every sequence is as before.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tutti/base/ids.h"
#include "tutti/base/status.h"
#include "tutti/spec/kv_type.h"
#include "tutti/spec/metadata.h"
#include "tutti/spec/model_spec.h"
#include "tutti/spec/token_costs.h"
#include "tutti/spec/vocab_spec.h"

namespace tutti {

struct EngineOptions {
  int threads = 0;     // 0: as many as the process may use
  bool exact = false;  // float32 arithmetic on dequantised weights
  // Longest sequence. 0: what the model was made for, or less where its keys and values would not
  // fit the memory that is available (Engine::context() says what it is). More than what the
  // model was made for is kUsage.
  int32_t context = 0;
  // Memory for keys and values: so many bytes or, with 0, so many tokens; both 0: one sequence of
  // `context`.
  int64_t kv_budget_bytes = 0;
  int64_t kv_tokens = 0;
  // With both 0: so many sequences of `context`, as far as half of what is available holds them.
  int32_t kv_contexts = 1;
  // Of keys and values in memory; not set: f32 where `exact`, which goes with f32 only, else the
  // 16-bit type that the machine multiplies faster, bf16 or f16.
  std::optional<KvType> kv_type = {};
  // Tokens computed at once, at most; 0: chosen for the model.
  int32_t prefill_chunk = 0;
  // A folder for remembered pages that memory has no room for, and for those of the next run: a
  // file for each model, of so many bytes at most. Empty: none. Where it cannot be used the engine
  // does without, and DiskUse::error says why.
  std::filesystem::path prefix_disk = {};
  int64_t prefix_disk_bytes = 0;
};

// What the model costs, for people who plan and for benchmarks that print their distance to a
// limit.
struct EngineCosts {
  int64_t parameters = 0;
  int64_t weight_bytes = 0;     // as published, mapped
  int64_t converted_bytes = 0;  // weights that had to be rewritten in memory
  TokenCosts per_token;         // the weights that one token is multiplied with
  KvType kv_type = KvType::kF32;
  int64_t kv_bytes_per_token = 0;
  std::vector<int64_t> kv_bytes_by_layer;  // [layers], the same
  int64_t kv_budget_bytes = 0;
};

// On which memory nodes the weights lie: on those of the threads that read them?
struct WeightPlacement {
  std::string nodes;          // "2 nodes: 32 threads on node 0, 32 on node 1"
  int64_t pages_checked = 0;  // a sample of what is in memory; 0: the system does not tell
  int64_t pages_near = 0;     // of these, on the node whose threads read them
};

// Where the time of steps went, by kind of operation.
struct OperationTime {
  std::string_view name;  // "attention"
  int64_t calls = 0;
  double seconds = 0;           // of the thread that leads
  double parallel_seconds = 0;  // of these, while the team was at work
  double waiting_seconds = 0;   // of these, without work: mean over the threads
  int64_t synchronisations = 0;
};
struct StepProfile {
  int64_t steps = 0;  // chunks of tokens computed together
  double seconds = 0;
  int64_t synchronisations = 0;
  std::vector<OperationTime> operations;  // that occurred, in the order of a layer
  // Routed experts, over all steps and layers.
  int64_t expert_layers = 0;  // layers that had some to compute
  int64_t experts = 0;        // distinct ones of each step
  int64_t expert_bytes = 0;   // of their weights
};

using SequenceId = int32_t;

// Whose sequence it is: those of one tenant may share pages, and learn from the time it takes what
// others of theirs have asked. Who gets which number is decided by whoever has the keys.
enum class TenantId : uint64_t {};

// The memory of keys and values, in pages of a fixed number of tokens.
struct PageUse {
  int32_t page_tokens = 0;
  int64_t total = 0;
  int64_t free = 0;
  int64_t idle = 0;     // remembered for later sequences only: taken when free ones are short
  int64_t evicted = 0;  // of those, since the start
  int64_t available() const { return free + idle; }
};

// Remembered pages on disk.
struct DiskUse {
  int64_t pages = 0;
  int64_t bytes = 0;
  // Since the start.
  int64_t hits = 0;     // pages that were read
  int64_t written = 0;  // ... written
  int64_t dropped = 0;  // ... not written because the disk was too slow
  std::string error;    // not empty: why the disk is not used, or not any more
};

// kHidden: instead of logits the last token's hidden state, behind the model's last norm.
enum class LogitsWanted : uint8_t { kNone, kLast, kAll, kHidden };

// Tokens that join one sequence in this step.
struct BatchEntry {
  SequenceId sequence = -1;
  std::span<const TokenId> tokens;
  LogitsWanted logits = LogitsWanted::kLast;
  // Length of the sequence's prompt: positions below it belong to the prompt, whether they come
  // now or in later batches, the others are generated. Latent attention has a form that suits long
  // prompts and one for all else; which one computes a token depends on its position and this
  // length, so for the same bits say the same length however a prompt is cut into batches. With 0
  // everything counts as generated: right, but slow for long prompts.
  int32_t prompt_length = 0;
  // So many of the tokens, the last ones, are guesses: they are computed as all others, and shared
  // with nobody. Truncate ends that, for what it leaves; the end of the sequence drops them.
  int32_t drafts = 0;
};

// One step. A sequence occurs at most once.
struct Batch {
  std::vector<BatchEntry> entries;
};

struct StepResult {
  std::vector<float> logits;  // [rows, vocab_size], entries in order, positions in order
  int64_t rows = 0;
  std::vector<float> hidden;  // [entries with kHidden, dim], in order
};

class Engine {
 public:
  static Result<std::unique_ptr<Engine>> Load(const std::filesystem::path& path,
                                              const EngineOptions& options);
  // A GGUF in memory, 8-byte aligned, that lives as long as the engine.
  static Result<std::unique_ptr<Engine>> LoadEmbedded(std::span<const std::byte> gguf,
                                                      const EngineOptions& options);
  virtual ~Engine() = default;

  virtual const ModelSpec& spec() const = 0;
  virtual const Metadata& metadata() const = 0;
  // The vocabulary inside the checkpoint, null where it comes in files of its own.
  virtual const VocabSpec* vocab() const = 0;
  virtual int threads() const = 0;
  virtual int32_t context() const = 0;
  // Tokens that Forward computes at once, at most: more in a batch gain no speed.
  virtual int32_t prefill_chunk() const = 0;
  virtual EngineCosts costs() const = 0;
  // Looks at a sample of the pages, of every matrix one at least: milliseconds. Engines without
  // weights have nothing to say.
  virtual WeightPlacement placement() const { return {}; }

  // kResource where there are too many.
  virtual Result<SequenceId> NewSequence() = 0;
  virtual void EndSequence(SequenceId id) = 0;
  // Tokens the sequence holds; Truncate drops those from `length` on.
  virtual int32_t Length(SequenceId id) const = 0;
  virtual void Truncate(SequenceId id, int32_t length) = 0;

  // Shares the sequence's pages with the tenant's other sequences, from now on and after its end,
  // and continues it with as many of `tokens` as any of them has computed. Returns how many that
  // are; nothing is computed. A sequence has one tenant for good, and gets it while it is empty.
  virtual int32_t Recall(SequenceId id, TenantId tenant, std::span<const TokenId> tokens) = 0;
  // A new sequence with the same tokens and tenant. They share all pages; the one that both would
  // write to is copied when the first of them does. kResource where there are too many.
  virtual Result<SequenceId> Fork(SequenceId id) = 0;
  virtual PageUse pages() const = 0;
  virtual DiskUse disk() const { return {}; }
  // Writes remembered pages behind that the disk does not have yet: the oldest first, about
  // `most_bytes`, fewer where the disk is busy. True where something is still to be written.
  virtual bool WriteBehind(int64_t /*most_bytes*/) { return false; }
  // Of those available, how many `tokens` more would take.
  virtual int64_t PagesMissing(SequenceId id, int32_t tokens) const = 0;

  // kUsage for a batch that makes no sense (a sequence twice or unknown, a token outside of the
  // vocabulary), kResource as said above.
  virtual Result<StepResult> Forward(const Batch& batch) = 0;

  // Makes a sequence `tokens` longer without computing anything: its keys and values become random
  // numbers. For measuring the speed at a depth, where their content does not matter. Errors as
  // for Forward.
  virtual Status ExtendWithNoise(SequenceId id, int32_t tokens) = 0;

  // Records where the time goes, from StartProfile to StopProfile. Costs a little time itself.
  virtual void StartProfile() = 0;
  virtual StepProfile StopProfile() = 0;

  // How many tokens each expert was given since the start, [layers][experts]; layers without
  // experts are empty. From any thread, also while others compute.
  virtual std::vector<std::vector<int64_t>> expert_tokens() const { return {}; }

  // Is the accounting of the sequences' memory consistent? Says what is not; for tests and idle
  // moments.
  virtual std::string CheckIntegrity() const = 0;
};

}  // namespace tutti
