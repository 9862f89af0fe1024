#include "tutti/kernels/attention_split.h"

#include <limits>

namespace tutti::kernels {
namespace {

// Columns whose rows differ little are computed together; see Add.
constexpr int64_t kGroupColumns = 8;

class SplitOfBlock {
 public:
  SplitOfBlock(const AttentionBlock& block, const AttentionIsa& isa, int64_t split,
               const AttentionScratch& scratch, const Piece& piece)
      : block_(block),
        layout_(block.layout()),
        isa_(isa),
        split_(split),
        s_(scratch),
        piece_(piece),
        needed_(AttentionBlock::Within(block.Needed(), split)),
        first_page_(split * AttentionScratch::kSplitBlocks),
        page_begin_(first_page_ + needed_.begin / kKvBlockTokens),
        page_end_(first_page_ + DivCeil(needed_.end, kKvBlockTokens)),
        last_page_((block.Needed().end - 1) / kKvBlockTokens),
        // A latent serves many columns, and as keys it must be turned anyway.
        reads_stored_(isa.reads_stored(
            layout_.type, layout_.latent ? std::numeric_limits<int64_t>::max() : block.columns())) {
  }

  void Compute() {
    for (int64_t page = page_begin_; page < page_end_; ++page) Score(page);
    for (int64_t c = 0; c < block_.columns(); ++c) Soften(c);
    if (!layout_.latent) {
      for (int64_t page = page_begin_; page < page_end_; ++page) LoadValues(page);
    }
    std::fill_n(piece_.acc, block_.columns() * block_.padded_value_dim(), 0.0f);
    ahead_ = true;
    Add(0, block_.columns(), {0, kSplitTokens});
  }

 private:
  // What will be read after the keys of a page, and after its values.
  const std::byte* AfterKeys(int64_t page) const {
    return page + 1 < page_end_ ? block_.Keys(page + 1) : block_.Values(page_begin_);
  }
  const std::byte* AfterValues(int64_t page) const {
    if (page + 1 < page_end_) return block_.Values(page + 1);
    if (page == last_page_) return block_.Values(page);
    return layout_.latent ? block_.Values(page + 1) : block_.Keys(page + 1);
  }

  // The block of values as a tile.
  const std::byte* ValueTile(int64_t page) const {
    if (reads_stored_) return block_.Values(page);
    const int64_t rows = (page - first_page_) * kKvBlockTokens / isa_.group;
    return reinterpret_cast<const std::byte*>(s_.values + rows * s_.value_stride);
  }
  void LoadValues(int64_t page) const {
    if (reads_stored_) return;
    const int64_t rows = (page - first_page_) * kKvBlockTokens / isa_.group;
    isa_.unpack_values(layout_, block_.Values(page), AfterValues(page),
                       s_.values + rows * s_.value_stride);
  }

  void Score(int64_t page) const {
    const std::byte* tile = nullptr;
    const std::byte* ahead = nullptr;
    if (layout_.latent) {
      LoadValues(page);
      isa_.turn(reinterpret_cast<const Word*>(ValueTile(page)), s_.value_stride, layout_.key_dim,
                s_.keys);
    } else if (reads_stored_) {
      tile = block_.Keys(page);
      ahead = AfterKeys(page);
    } else {
      isa_.unpack_keys(layout_, block_.Keys(page), AfterKeys(page), s_.keys);
    }
    if (tile == nullptr) tile = ahead = reinterpret_cast<const std::byte*>(s_.keys);
    isa_.multiply(layout_.type, tile != block_.Keys(page),
                  {.factors = s_.queries,
                   .factor_stride = s_.query_stride,
                   .columns = block_.columns(),
                   .tile = tile,
                   .tile_stride = kKeyTileLanes,
                   .count = DivCeil(layout_.key_dim, isa_.group),
                   .lanes = kKeyTileLanes,
                   .sums = s_.scores + (page - first_page_) * kKvBlockTokens,
                   .sum_stride = kSplitTokens,
                   .ahead = ahead});
  }

  void Soften(int64_t c) const {
    const Range range = block_.VisibleIn(split_, c);
    piece_.max[c] = -std::numeric_limits<float>::infinity();
    piece_.sum[c] = 0;
    if (range.empty()) return;
    isa_.softmax(s_.scores + c * kSplitTokens, block_.shape->scale, range.begin, range.end,
                 s_.weights + c * s_.weight_stride, &piece_.max[c], &piece_.sum[c]);
  }

  TileProduct ValueProduct(int64_t c, int64_t columns, int64_t row, const std::byte* tile,
                           int64_t count) const {
    return {.factors = s_.weights + c * s_.weight_stride + row,
            .factor_stride = s_.weight_stride,
            .columns = columns,
            .tile = tile,
            .tile_stride = s_.value_stride,
            .count = count,
            .lanes = block_.padded_value_dim(),
            .sums = piece_.acc + c * block_.padded_value_dim(),
            .sum_stride = block_.padded_value_dim(),
            .add = true,
            .ahead = tile};
  }

  // Adds whole rows (of isa_.group tokens) of values.
  void AddRows(int64_t c, int64_t columns, Range rows) {
    const int64_t page_rows = kKvBlockTokens / isa_.group;
    while (rows.begin < rows.end) {
      const int64_t page = first_page_ + rows.begin / page_rows;
      // Unpacked pages lie behind each other.
      const int64_t end =
          reads_stored_ ? std::min(rows.end, (rows.begin / page_rows + 1) * page_rows) : rows.end;
      const int64_t offset = rows.begin % page_rows * s_.value_stride * int64_t{sizeof(Word)};
      TileProduct product =
          ValueProduct(c, columns, rows.begin, ValueTile(page) + offset, end - rows.begin);
      if (reads_stored_ && !layout_.latent && ahead_) {
        product.ahead = AfterValues(page) + offset;
      }
      isa_.multiply(layout_.type, !reads_stored_, product);
      rows.begin = end;
    }
  }

  // Adds one token of the two that share a row; what it does not see must not even be multiplied
  // with zero.
  void AddHalfRow(int64_t c, int64_t columns, int64_t token) {
    const Word mask = token % 2 == 0 ? 0x0000ffffu : 0xffff0000u;
    const int64_t row = token / 2;
    const auto* from =
        reinterpret_cast<const Word*>(ValueTile(first_page_ + token / kKvBlockTokens)) +
        token % kKvBlockTokens / 2 * s_.value_stride;
    for (int64_t v = 0; v < s_.value_stride; ++v) s_.edge[v] = from[v] & mask;
    isa_.multiply(layout_.type, !reads_stored_,
                  ValueProduct(c, columns, row, reinterpret_cast<const std::byte*>(s_.edge), 1));
  }

  // Adds the values of the tokens in `range`, which all these columns see.
  void AddRange(int64_t c, int64_t columns, Range range) {
    if (range.empty()) return;
    if (isa_.group == 2 && range.begin % 2 == 1) AddHalfRow(c, columns, range.begin++);
    AddRows(c, columns, {range.begin / isa_.group, range.end / isa_.group});
    if (isa_.group == 2 && range.end % 2 == 1 && range.begin < range.end) {
      AddHalfRow(c, columns, range.end - 1);
    }
  }

  // Adds the values within `limits` that each of the columns [begin, end), heads of whole rows,
  // sees: what all of them see at once, what is left before and after it with fewer columns, down
  // to the heads of one row, which see the same. A column's tokens are added in ascending order,
  // and rows of tiles are divided only where its own range begins and ends.
  void Add(int64_t begin, int64_t end, Range limits) {
    if (limits.empty()) return;
    Range common = limits;
    for (int64_t c = begin; c < end; c += block_.heads)
      common = common & block_.VisibleIn(split_, c);
    if (end - begin <= block_.heads) return AddRange(begin, end - begin, common);
    common = {RoundUp(common.begin, isa_.group), common.end / isa_.group * isa_.group};
    const int64_t rows = end - begin > kGroupColumns ? kGroupColumns / block_.heads : 1;
    const int64_t step = std::max<int64_t>(1, rows) * block_.heads;
    const auto add_parts = [&](Range part) {
      for (int64_t c = begin; c < end; c += step) Add(c, std::min(c + step, end), part);
    };
    if (common.empty()) return add_parts(limits);
    add_parts({limits.begin, common.begin});
    AddRange(begin, end - begin, common);
    ahead_ = false;  // has been asked for
    add_parts({common.end, limits.end});
  }

  const AttentionBlock& block_;
  const KvLayout& layout_;
  const AttentionIsa& isa_;
  const int64_t split_;
  const AttentionScratch& s_;
  const Piece& piece_;
  const Range needed_;
  const int64_t first_page_;  // of the split
  const int64_t page_begin_;  // that is needed
  const int64_t page_end_;
  const int64_t last_page_;  // of the history
  const bool reads_stored_;
  bool ahead_ = false;
};

}  // namespace

void PrepareQueries(const AttentionBlock& block, const AttentionIsa& isa,
                    const AttentionScratch& scratch) {
  const int64_t dim = block.layout().key_dim;
  const int64_t rotation = block.layout().KeyRotation();
  for (int64_t c = 0; c < block.columns(); ++c) {
    const float* query = block.QueryOf(c);
    if (rotation > 1) {
      std::copy_n(query, dim, scratch.query);
      Rotate(rotation, {scratch.query, static_cast<size_t>(dim)});
      query = scratch.query;
    }
    isa.convert_factors(query, dim, scratch.queries + c * scratch.query_stride);
  }
}

void AttendSplit(const AttentionBlock& block, const AttentionIsa& isa, int64_t split,
                 const AttentionScratch& scratch, const Piece& piece) {
  SplitOfBlock(block, isa, split, scratch, piece).Compute();
}

}  // namespace tutti::kernels
