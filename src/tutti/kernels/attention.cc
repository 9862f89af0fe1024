#include "tutti/kernels/attention.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "tutti/base/check.h"
#include "tutti/kernels/attention_split.h"
#include "tutti/kernels/parallel.h"

namespace tutti::kernels {
namespace {

// Floats of partial results at a time, 64 MB: bounds the memory of long histories on many threads.
constexpr int64_t kMaxPartialFloats = int64_t{1} << 24;

constexpr float kNever = -std::numeric_limits<float>::infinity();

void AddBlocksOfJob(const AttentionShape& shape, const AttentionJob& job,
                    std::vector<AttentionBlock>& blocks) {
  const int64_t kv_heads = job.kv.layout.kv_heads;
  const int64_t group = shape.heads / kv_heads;
  const int64_t heads = std::min(group, kMaxColumns);
  const int64_t rows = std::max<int64_t>(1, kMaxColumns / heads);
  for (int64_t row = 0; row < job.rows; row += rows) {
    for (int64_t kv_head = 0; kv_head < kv_heads; ++kv_head) {
      for (int64_t head = 0; head < group; head += heads) {
        blocks.push_back({&shape, &job, kv_head, row, std::min(rows, job.rows - row),
                          kv_head * group + head, std::min(heads, group - head)});
      }
    }
  }
}

const AttentionIsa& IsaOf(const AttentionBlock& block, const KernelContext& context) {
  return context.attention != nullptr ? *context.attention
                                      : *AttentionIsas(block.layout().type).front();
}

// state = merge of state and piece, column by column.
void Merge(const AttentionBlock& block, const AttentionIsa& isa, const Piece& piece,
           const Piece& state) {
  const int64_t dim = block.padded_value_dim();
  for (int64_t c = 0; c < block.columns(); ++c) {
    if (piece.max[c] == kNever && piece.sum[c] == 0) continue;  // sees nothing of this piece
    float* acc = state.acc + c * dim;
    if (state.max[c] == kNever && state.sum[c] == 0) {
      state.max[c] = piece.max[c];
      state.sum[c] = piece.sum[c];
      std::memcpy(acc, piece.acc + c * dim, static_cast<size_t>(dim) * sizeof(float));
      continue;
    }
    const float max = std::max(state.max[c], piece.max[c]);
    // One of them is exp(0).
    const float a = state.max[c] == max ? 1 : std::exp(state.max[c] - max);
    const float b = piece.max[c] == max ? 1 : std::exp(piece.max[c] - max);
    state.max[c] = max;
    state.sum[c] = a * state.sum[c] + b * piece.sum[c];
    isa.blend(dim, a, acc, b, piece.acc + c * dim, acc);
  }
}

void Clear(const AttentionBlock& block, const Piece& state) {
  std::fill_n(state.max, block.columns(), kNever);
  std::fill_n(state.sum, block.columns(), 0.0f);
}

void Finish(const AttentionBlock& block, const AttentionIsa& isa, const Piece& state) {
  const int64_t dim = block.padded_value_dim();
  for (int64_t c = 0; c < block.columns(); ++c) {
    float scale = 1 / state.sum[c];
    if (block.shape->sinks != nullptr) {
      const float sink = block.shape->sinks[block.head_begin + c % block.heads];
      const float max = std::max(state.max[c], sink);
      const float weight = std::exp(state.max[c] - max);
      scale = weight / (weight * state.sum[c] + std::exp(sink - max));
    }
    float* acc = state.acc + c * dim;
    isa.blend(dim, scale, acc, 0, acc, acc);
    std::memcpy(block.OutOf(c), acc, static_cast<size_t>(block.layout().value_dim) * sizeof(float));
  }
}

// One member walks through the history of a block.
void AttendBlock(const AttentionBlock& block, int member, KernelContext& context) {
  const AttentionIsa& isa = IsaOf(block, context);
  const int64_t words = AttentionScratch::Words(block, isa);
  const int64_t piece_floats = Piece::Floats(block);
  float* memory = context.workspace.Get<float>(member, Slot::kAttention,
                                               static_cast<size_t>(words + 2 * piece_floats));
  const AttentionScratch scratch(block, isa, memory);
  const Piece piece(memory + words);
  const Piece state(memory + words + piece_floats);
  PrepareQueries(block, isa, scratch);
  Clear(block, state);
  const Range splits = block.Splits();
  for (int64_t split = splits.begin; split < splits.end; ++split) {
    AttendSplit(block, isa, split, scratch, piece);
    Merge(block, isa, piece, state);
  }
  Finish(block, isa, state);
}

// A block whose pieces are computed by several members. Whoever finishes the last one merges all,
// in the order in which one member alone would have.
struct SplitBlock {
  const AttentionBlock* block = nullptr;
  int64_t first_task = 0;
  float* pieces = nullptr;
  std::unique_ptr<std::atomic<int64_t>> left;
};

void MergeSplitBlock(const SplitBlock& split_block, int member, KernelContext& context) {
  const AttentionBlock& block = *split_block.block;
  const AttentionIsa& isa = IsaOf(block, context);
  const int64_t piece_floats = Piece::Floats(block);
  const Piece state(
      context.workspace.Get<float>(member, Slot::kAttention, static_cast<size_t>(piece_floats)));
  Clear(block, state);
  const Range splits = block.Splits();
  for (int64_t i = 0; i < splits.end - splits.begin; ++i) {
    Merge(block, isa, Piece(split_block.pieces + i * piece_floats), state);
  }
  Finish(block, isa, state);
}

void AttendSplitBlocks(std::span<const AttentionBlock> blocks, KernelContext& context) {
  std::vector<SplitBlock> split_blocks;
  int64_t tasks = 0;
  int64_t floats = 0;
  for (const AttentionBlock& block : blocks) {
    const Range splits = block.Splits();
    const int64_t count = splits.end - splits.begin;
    split_blocks.push_back({&block, tasks, nullptr, std::make_unique<std::atomic<int64_t>>(count)});
    tasks += count;
    floats += count * Piece::Floats(block);
  }
  float* memory = context.workspace.Get<float>(Workspace::kShared, Slot::kAttentionSplit,
                                               static_cast<size_t>(floats));
  for (SplitBlock& s : split_blocks) {
    s.pieces = memory;
    memory += s.left->load() * Piece::Floats(*s.block);
  }
  RunTasks(context.pool, tasks, [&](int member, int64_t task) {
    auto after = std::upper_bound(split_blocks.begin(), split_blocks.end(), task,
                                  [](int64_t t, const SplitBlock& s) { return t < s.first_task; });
    SplitBlock& s = *--after;
    const int64_t index = task - s.first_task;
    const AttentionBlock& block = *s.block;
    const AttentionIsa& isa = IsaOf(block, context);
    const AttentionScratch scratch(
        block, isa,
        context.workspace.Get<float>(member, Slot::kAttention,
                                     static_cast<size_t>(AttentionScratch::Words(block, isa))));
    PrepareQueries(block, isa, scratch);
    AttendSplit(block, isa, block.Splits().begin + index, scratch,
                Piece(s.pieces + index * Piece::Floats(block)));
    if (s.left->fetch_sub(1, std::memory_order_acq_rel) == 1) MergeSplitBlock(s, member, context);
  });
}

void CheckJob(const AttentionShape& shape, const AttentionJob& job) {
  const KvLayout& layout = job.kv.layout;
  TUTTI_CHECK(shape.heads > 0 && layout.kv_heads > 0 && shape.heads % layout.kv_heads == 0 &&
                  layout.key_dim > 0 && layout.value_dim > 0,
              "attention: impossible heads");
  TUTTI_CHECK(!layout.latent || (layout.kv_heads == 1 && layout.value_dim <= layout.key_dim),
              "attention: an impossible latent");
  const int64_t tokens = job.first_position + job.rows;
  TUTTI_CHECK(
      job.first_position >= 0 && std::ssize(job.kv.pages) >= DivCeil(tokens, kKvBlockTokens),
      "attention: the history has too few pages");
}

}  // namespace

void Attention(const AttentionShape& shape, std::span<const AttentionJob> jobs,
               KernelContext& context) {
  std::vector<AttentionBlock> blocks;
  for (const AttentionJob& job : jobs) {
    CheckJob(shape, job);
    AddBlocksOfJob(shape, job, blocks);
  }
  const int64_t count = static_cast<int64_t>(blocks.size());
  // Enough blocks for everybody, or nothing to split: the history of each is walked through.
  constexpr int64_t kBlocksPerMember = 4;
  if (context.pool.size() == 1 || count >= kBlocksPerMember * context.pool.size()) {
    // From the last, which sees the longest history, so that short ones fill the end.
    RunTasks(context.pool, count, [&](int member, int64_t task) {
      AttendBlock(blocks[static_cast<size_t>(count - 1 - task)], member, context);
    });
    return;
  }
  const std::span<const AttentionBlock> all(blocks);
  for (size_t begin = 0; begin < blocks.size();) {
    size_t end = begin;
    int64_t floats = 0;
    do {
      const Range splits = blocks[end].Splits();
      floats += (splits.end - splits.begin) * Piece::Floats(blocks[end]);
    } while (++end < blocks.size() && floats < kMaxPartialFloats);
    AttendSplitBlocks(all.subspan(begin, end - begin), context);
    begin = end;
  }
}

void AttentionReference(const AttentionShape& shape, const AttentionJob& job) {
  const KvLayout& layout = job.kv.layout;
  std::vector<float> key(static_cast<size_t>(layout.key_dim));
  std::vector<float> value(static_cast<size_t>(layout.value_dim));
  for (int64_t row = 0; row < job.rows; ++row) {
    for (int64_t head = 0; head < shape.heads; ++head) {
      const int64_t kv_head = head / (shape.heads / layout.kv_heads);
      const AttentionBlock block{&shape, &job, kv_head, row, 1, head, 1};
      const Range range = block.Visible(0);
      std::vector<double> scores;
      double max = shape.sinks != nullptr ? shape.sinks[head] : -1e300;
      for (int64_t p = range.begin; p < range.end; ++p) {
        LoadKey(layout, block.Page(p / kKvBlockTokens), kv_head, p % kKvBlockTokens, key);
        double score = 0;
        for (size_t d = 0; d < key.size(); ++d) {
          score += static_cast<double>(block.QueryOf(0)[d]) * key[d];
        }
        scores.push_back(score * shape.scale);
        max = std::max(max, scores.back());
      }
      double sum = shape.sinks != nullptr ? std::exp(shape.sinks[head] - max) : 0;
      std::vector<double> acc(value.size());
      for (size_t i = 0; i < scores.size(); ++i) {
        const double weight = std::exp(scores[i] - max);
        sum += weight;
        const int64_t p = range.begin + static_cast<int64_t>(i);
        LoadValue(layout, block.Page(p / kKvBlockTokens), kv_head, p % kKvBlockTokens, value);
        for (size_t d = 0; d < value.size(); ++d) acc[d] += weight * value[d];
      }
      for (size_t d = 0; d < acc.size(); ++d) block.OutOf(0)[d] = static_cast<float>(acc[d] / sum);
    }
  }
}

}  // namespace tutti::kernels
