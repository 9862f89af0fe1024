#include "tutti/engine/model_engine.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "tutti/engine/fingerprint.h"
#include "tutti/engine/memory_plan.h"
#include "tutti/format/gguf_reader.h"
#include "tutti/kernels/attention.h"
#include "tutti/model/architecture.h"
#include "tutti/model/weight_placement.h"
#include "tutti/os/page_nodes.h"

namespace tutti {

Result<std::unique_ptr<Engine>> Engine::Load(const std::filesystem::path& path,
                                             const EngineOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(format::Checkpoint checkpoint, format::OpenCheckpoint(path));
  return engine::ModelEngine::Create(std::move(checkpoint), options,
                                     os::ReadTopology(os::RealSystemFiles()));
}

Result<std::unique_ptr<Engine>> Engine::LoadEmbedded(std::span<const std::byte> gguf,
                                                     const EngineOptions& options) {
  TUTTI_ASSIGN_OR_RETURN(format::Checkpoint checkpoint,
                         format::OpenGgufBytes(gguf, "the embedded model"));
  return engine::ModelEngine::Create(std::move(checkpoint), options,
                                     os::ReadTopology(os::RealSystemFiles()));
}

}  // namespace tutti

namespace tutti::engine {
namespace {

constexpr int kMaxThreads = 1024;
constexpr int32_t kMaxPrefillChunk = 16384;
// Of one step; 512 tokens of the largest vocabularies are 0.4 GiB.
constexpr int64_t kMaxLogitsBytes = int64_t{4} << 30;

// So many tokens that an expert meets 128 of them where all are equally busy: reading and unpacking
// its weights is then a small part of the work.
int32_t PrefillChunk(const ModelSpec& spec) {
  constexpr int32_t kDense = 512;
  constexpr int32_t kMost = 2048;  // activations of all tokens are in memory
  constexpr int32_t kTokensPerExpert = 128;
  // A model may name experts and have no layer of them; then the numbers are nobody's.
  const bool any = std::any_of(spec.layers.begin(), spec.layers.end(),
                               [](const LayerSpec& layer) { return layer.moe; });
  if (!any) return kDense;
  const int64_t tokens = int64_t{kTokensPerExpert} * spec.moe.experts / spec.moe.experts_per_token;
  return static_cast<int32_t>(std::clamp<int64_t>(tokens, kDense, kMost));
}

int64_t LogitRows(const BatchEntry& entry) {
  switch (entry.logits) {
    case LogitsWanted::kNone:
    case LogitsWanted::kHidden:
      return 0;
    case LogitsWanted::kLast:
      return entry.tokens.empty() ? 0 : 1;
    case LogitsWanted::kAll:
      return std::ssize(entry.tokens);
  }
  return 0;
}

}  // namespace

Result<std::unique_ptr<Engine>> ModelEngine::Create(format::Checkpoint checkpoint,
                                                    const EngineOptions& options,
                                                    const os::Topology& topology) {
  if (options.threads < 0 || options.threads > kMaxThreads) {
    return UsageError("{} threads are wanted; 0 (automatic) to {} are possible", options.threads,
                      kMaxThreads);
  }
  if (options.prefill_chunk < 0 || options.prefill_chunk > kMaxPrefillChunk) {
    return UsageError("a prefill chunk of {} tokens is wanted; 0 (automatic) to {} are possible",
                      options.prefill_chunk, kMaxPrefillChunk);
  }
  const KvType kv_type =
      options.kv_type.value_or(options.exact ? KvType::kF32 : kernels::FastKvType());
  if (options.exact && kv_type != KvType::kF32) {
    return UsageError("exact arithmetic keeps keys and values as f32, {} is wanted: leave out one",
                      KvTypeName(kv_type));
  }
  auto engine = std::make_unique<ModelEngine>(Private());
  engine->checkpoint_ = std::move(checkpoint);
  engine->kv_type_ = kv_type;
  TUTTI_RETURN_IF_ERROR(engine->LoadModel(topology.available_memory_bytes));
  engine->prefill_chunk_ =
      options.prefill_chunk > 0 ? options.prefill_chunk : PrefillChunk(engine->spec_);
  TUTTI_RETURN_IF_ERROR(engine->ReserveMemory(options, topology));
  engine->OpenPrefixDisk(options);
  const int threads = options.threads > 0 ? options.threads : os::DefaultThreads(topology);
  TUTTI_ASSIGN_OR_RETURN(engine->pool_, os::ThreadPool::Create(os::MakeTeam(topology, threads)));
  if (engine->pool_->team().nodes.size() > 1) {
    model::PlaceWeights(engine->weights_, os::RealPageSystem(), *engine->pool_);
  }
  engine->kernels_ = std::make_unique<kernels::KernelContext>(
      kernels::KernelContext{.pool = *engine->pool_, .exact = options.exact});
  engine->transformer_ = std::make_unique<model::Transformer>(engine->spec_, engine->weights_,
                                                              *engine->kv_pool_, engine->kv_type_);
  return Result<std::unique_ptr<Engine>>(std::move(engine));
}

Status ModelEngine::LoadModel(int64_t available_bytes) {
  const model::ModelSource source{.gguf = checkpoint_.kind == format::CheckpointKind::kGguf,
                                  .where = checkpoint_.path.string(),
                                  .metadata = checkpoint_.metadata,
                                  .tensors = checkpoint_.tensors};
  TUTTI_ASSIGN_OR_RETURN(const model::Architecture* architecture, model::FindArchitecture(source));
  TUTTI_ASSIGN_OR_RETURN(spec_, model::ReadModelSpec(*architecture, source));
  TUTTI_ASSIGN_OR_RETURN(
      weights_, model::LoadWeights(spec_, model::NamesOf(*architecture, source.gguf), source,
                                   available_bytes > 0 ? available_bytes : INT64_MAX));
  return Status();
}

Status ModelEngine::ReserveMemory(const EngineOptions& options, const os::Topology& topology) {
  const std::vector<int64_t> per_token = model::BytesPerToken(spec_, kv_type_);
  TUTTI_ASSIGN_OR_RETURN(const MemoryPlan plan,
                         PlanMemory({.context = options.context,
                                     .model_context = spec_.context_length,
                                     .kv_budget_bytes = options.kv_budget_bytes,
                                     .kv_tokens = options.kv_tokens,
                                     .kv_contexts = options.kv_contexts,
                                     .weight_bytes = weights_.TotalBytes(),
                                     .available_bytes = topology.available_memory_bytes,
                                     .kv_bytes_per_token = per_token}));
  context_length_ = plan.context;
  kv_budget_bytes_ = plan.kv_budget_bytes;
  TUTTI_ASSIGN_OR_RETURN(kv_pool_, memory::KvPool::Create(per_token, plan.kv_budget_bytes));
  sequences_ = std::make_unique<Sequences>(*kv_pool_);
  return Status();
}

void ModelEngine::OpenPrefixDisk(const EngineOptions& options) {
  if (options.prefix_disk.empty()) return;
  const uint64_t fingerprint = Fingerprint(checkpoint_, kv_type_, options.exact);
  std::error_code error;  // Open says what is wrong
  std::filesystem::create_directories(options.prefix_disk, error);
  auto disk = memory::PrefixDisk::Open(
      options.prefix_disk / fmt::format("{:016x}.pages", fingerprint),
      {.fingerprint = fingerprint, .page_bytes = static_cast<uint64_t>(kv_pool_->page_bytes())},
      options.prefix_disk_bytes);
  if (disk.ok()) {
    sequences_->KeepOnDisk(std::move(disk).value());
  } else {
    disk_error_ = disk.status().message() + "; prefixes are not kept on disk";
  }
}

DiskUse ModelEngine::disk() const {
  DiskUse use = sequences_->disk();
  if (!disk_error_.empty()) use.error = disk_error_;
  return use;
}

EngineCosts ModelEngine::costs() const {
  EngineCosts costs;
  costs.weight_bytes = weights_.TotalBytes();
  costs.parameters = weights_.Parameters();
  costs.per_token = weights_.CostsPerToken(spec_);
  for (const auto& owned : weights_.owned) costs.converted_bytes += std::ssize(owned);
  costs.kv_bytes_by_layer = model::BytesPerToken(spec_, kv_type_);
  for (const int64_t bytes : costs.kv_bytes_by_layer) costs.kv_bytes_per_token += bytes;
  costs.kv_type = kv_type_;
  costs.kv_budget_bytes = kv_budget_bytes_;
  return costs;
}

WeightPlacement ModelEngine::placement() const {
  WeightPlacement placement{.nodes = os::Describe(pool_->team())};
  const os::PageCounts pages = model::CheckWeights(weights_, os::RealPageSystem(), pool_->team());
  if (!pages.known || pages.in_memory == 0) return placement;
  placement.pages_checked = pages.in_memory;
  placement.pages_near = pages.near;
  return placement;
}

Status ModelEngine::CheckEntry(const BatchEntry& entry) const {
  if (!sequences_->Contains(entry.sequence)) {
    return UsageError("the batch names sequence {}, which is not open", entry.sequence);
  }
  for (const TokenId token : entry.tokens) {
    if (token < 0 || token >= spec_.vocab_size) {
      return UsageError("token {} is not in the vocabulary of {} (0 to {})", token,
                        spec_.vocab_size, spec_.vocab_size - 1);
    }
  }
  const int32_t held = sequences_->Length(entry.sequence);
  const int64_t length = held + std::ssize(entry.tokens);
  if (length > context_length_) {
    return Error(StatusCode::kResource,
                 "sequence {} has {} tokens and {} more are {} in all; the context is {}: shorten "
                 "the text{}",
                 entry.sequence, held, entry.tokens.size(), length, context_length_,
                 context_length_ < spec_.context_length
                     ? fmt::format(" or raise --context (at most {})", spec_.context_length)
                     : "; the model was not made for more");
  }
  return Status();
}

Status ModelEngine::CheckBatch(const Batch& batch) const {
  std::set<SequenceId> seen;
  int64_t logit_rows = 0;
  for (const BatchEntry& entry : batch.entries) {
    TUTTI_RETURN_IF_ERROR(CheckEntry(entry));
    if (!seen.insert(entry.sequence).second) {
      return UsageError("sequence {} occurs twice in a batch", entry.sequence);
    }
    logit_rows += LogitRows(entry);
  }
  const int64_t bytes = logit_rows * spec_.vocab_size * int64_t{sizeof(float)};
  if (bytes > kMaxLogitsBytes) {
    return Error(StatusCode::kResource,
                 "logits of {} tokens at once are {}, the limit is {}: ask for them in parts",
                 logit_rows, FormatBytes(bytes), FormatBytes(kMaxLogitsBytes));
  }
  return CheckRoom(batch);
}

Status ModelEngine::CheckRoom(const Batch& batch) const {
  int64_t missing = 0;
  for (const BatchEntry& entry : batch.entries) {
    missing += sequences_->PagesMissing(entry.sequence, static_cast<int32_t>(entry.tokens.size()));
  }
  const PageUse pages = sequences_->pages();
  if (missing <= pages.available()) return Status();
  return Error(StatusCode::kResource,
               "the batch needs {} more pages of {} tokens for keys and values, {} of {} are free: "
               "end or shorten sequences, or give more memory",
               missing, pages.page_tokens, pages.available(), pages.total);
}

// Rows of the batch in order; a step takes the next ones, as many as fit.
struct ModelEngine::Progress {
  const Batch& batch;
  size_t entry = 0;
  size_t token = 0;  // of that entry
  // The step that was taken; model::Step points into these.
  std::vector<TokenId> tokens = {};
  std::vector<int32_t> positions = {};
  std::vector<int32_t> wanted = {};
  std::vector<int32_t> hidden = {};
  std::vector<model::SequenceRows> sequences = {};
  std::vector<SequenceId> ids = {};  // [sequences]

  bool done() const { return entry == batch.entries.size(); }
  void Take(int32_t limit, const Sequences& all);
};

void ModelEngine::Progress::Take(int32_t limit, const Sequences& all) {
  tokens.clear();
  positions.clear();
  wanted.clear();
  hidden.clear();
  sequences.clear();
  ids.clear();
  while (!done() && std::ssize(tokens) < limit) {
    const BatchEntry& e = batch.entries[entry];
    const size_t room = static_cast<size_t>(limit) - tokens.size();
    const size_t count = std::min(room, e.tokens.size() - token);
    const memory::PageTable& table = all.table(e.sequence);
    const auto begin = static_cast<int32_t>(tokens.size());
    if (count > 0) {
      sequences.push_back({.begin = begin,
                           .rows = static_cast<int32_t>(count),
                           .first_position = table.length(),
                           .prompt_length = e.prompt_length,
                           .table = &table});
      ids.push_back(e.sequence);
    }
    for (size_t i = 0; i < count; ++i) {
      const bool last = token + i + 1 == e.tokens.size();
      if (e.logits == LogitsWanted::kAll || (e.logits == LogitsWanted::kLast && last)) {
        wanted.push_back(static_cast<int32_t>(tokens.size()));
      }
      if (e.logits == LogitsWanted::kHidden && last) {
        hidden.push_back(static_cast<int32_t>(tokens.size()));
      }
      tokens.push_back(e.tokens[token + i]);
      positions.push_back(table.length() + static_cast<int32_t>(i));
    }
    token += count;
    if (token == e.tokens.size()) {
      ++entry;
      token = 0;
    }
  }
}

void ModelEngine::Compute(Progress& progress, StepResult& result) {
  const int64_t offset = result.rows * spec_.vocab_size;
  result.rows += std::ssize(progress.wanted);
  const model::Step step{.tokens = progress.tokens,
                         .positions = progress.positions,
                         .sequences = progress.sequences,
                         .wanted = progress.wanted,
                         .hidden = progress.hidden};
  std::vector<float> hidden(progress.hidden.size() * static_cast<size_t>(spec_.dim));
  const auto begin = std::chrono::steady_clock::now();
  transformer_->Forward(step, result.logits.data() + offset, hidden.data(), *kernels_);
  result.hidden.insert(result.hidden.end(), hidden.begin(), hidden.end());
  if (profile_ != nullptr) {
    ++profile_steps_;
    profile_seconds_ +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  for (size_t i = 0; i < progress.ids.size(); ++i) {
    const model::SequenceRows& rows = progress.sequences[i];
    sequences_->Append(progress.ids[i], std::span(progress.tokens)
                                            .subspan(static_cast<size_t>(rows.begin),
                                                     static_cast<size_t>(rows.rows)));
  }
}

Result<StepResult> ModelEngine::Forward(const Batch& batch) {
  TUTTI_RETURN_IF_ERROR(CheckBatch(batch));
  const os::BindToNode bound(pool_->team(), 0);
  int64_t rows = 0;
  for (const BatchEntry& entry : batch.entries) {
    TUTTI_CHECK(sequences_->Reserve(entry.sequence, static_cast<int32_t>(entry.tokens.size()),
                                    entry.drafts),
                "pages were counted before");
    rows += LogitRows(entry);
  }
  StepResult result;
  result.logits.resize(static_cast<size_t>(rows * spec_.vocab_size));
  Progress progress{.batch = batch};
  while (!progress.done()) {
    progress.Take(prefill_chunk_, *sequences_);
    if (!progress.tokens.empty()) Compute(progress, result);
  }
  return result;
}

Status ModelEngine::ExtendWithNoise(SequenceId id, int32_t tokens) {
  // Forward would refuse these tokens for the same reasons.
  const TokenIds ids(static_cast<size_t>(tokens), 0);
  TUTTI_RETURN_IF_ERROR(
      CheckBatch({{{.sequence = id, .tokens = ids, .logits = LogitsWanted::kNone}}}));
  TUTTI_CHECK(sequences_->Reserve(id, tokens), "pages were counted before");
  const memory::PageTable& table = sequences_->table(id);
  transformer_->RememberNoise(table, table.length(), tokens, *pool_);
  sequences_->AppendNoise(id, tokens);
  return Status();
}

void ModelEngine::StartProfile() {
  profile_ = std::make_unique<kernels::Profile>(*pool_);
  kernels_->profile = profile_.get();
  profile_runs_ = pool_->runs();
  profile_steps_ = 0;
  profile_seconds_ = 0;
}

StepProfile ModelEngine::StopProfile() {
  TUTTI_CHECK(profile_ != nullptr, "a profile is stopped that was not started");
  StepProfile result{.steps = profile_steps_,
                     .seconds = profile_seconds_,
                     .synchronisations = static_cast<int64_t>(pool_->runs() - profile_runs_),
                     .operations = {},
                     .expert_layers = profile_->expert_layers(),
                     .experts = profile_->experts(),
                     .expert_bytes = profile_->expert_bytes()};
  for (size_t i = 0; i < kernels::kOperations; ++i) {
    const auto operation = static_cast<kernels::Operation>(i);
    const kernels::OperationTotals& totals = profile_->Of(operation);
    if (totals.calls == 0) continue;
    result.operations.push_back({.name = kernels::NameOf(operation),
                                 .calls = totals.calls,
                                 .seconds = totals.seconds,
                                 .parallel_seconds = totals.parallel_seconds,
                                 .waiting_seconds = totals.waiting_seconds,
                                 .synchronisations = totals.synchronisations});
  }
  kernels_->profile = nullptr;
  profile_.reset();
  return result;
}

}  // namespace tutti::engine
