#include "tutti/engine/sequences.h"

#include <algorithm>
#include <utility>

#include "tutti/base/check.h"

namespace tutti::engine {
namespace {

using memory::kPageTokens;
using memory::PrefixTree;

constexpr size_t kMaxSequences = 1 << 16;
// Read from the disk in one call of Recall: some tens of milliseconds. The rest is found by the
// next call.
constexpr int64_t kReadBytes = int64_t{32} << 20;

}  // namespace

Sequences::Sequence& Sequences::Get(SequenceId id) {
  const auto it = all_.find(id);
  TUTTI_CHECK(it != all_.end(), "a sequence is used that is not open");
  return it->second;
}

const Sequences::Sequence& Sequences::Get(SequenceId id) const {
  const auto it = all_.find(id);
  TUTTI_CHECK(it != all_.end(), "a sequence is used that is not open");
  return it->second;
}

Result<SequenceId> Sequences::Add(Sequence sequence) {
  if (all_.size() >= kMaxSequences) {
    return Error(StatusCode::kResource, "{} sequences are open, no more are possible: end some",
                 all_.size());
  }
  const auto following = [](SequenceId id) { return id == INT32_MAX ? 0 : id + 1; };
  while (all_.contains(next_)) next_ = following(next_);
  const SequenceId id = next_;
  next_ = following(next_);
  all_.emplace(id, std::move(sequence));
  return id;
}

Result<SequenceId> Sequences::New() { return Add({.table = memory::PageTable(pool_)}); }

Result<SequenceId> Sequences::Fork(SequenceId id) {
  const Sequence& source = Get(id);
  TUTTI_ASSIGN_OR_RETURN(const SequenceId fork, Add({.table = source.table.Fork(),
                                                     .tokens = source.tokens,
                                                     .noise = source.noise,
                                                     .certain = source.certain,
                                                     .node = source.node}));
  if (source.node != nullptr) ++PrefixTree::RootOf(source.node)->users;
  return fork;
}

void Sequences::End(SequenceId id) {
  Sequence& sequence = Get(id);
  Truncate(id, CertainLength(sequence));
  ShareLastPage(sequence);
  Unshare(sequence);
  all_.erase(id);
}

// The page that is not full is remembered too. While somebody else holds it, it is that one's.
void Sequences::ShareLastPage(Sequence& sequence) {
  const auto full = static_cast<size_t>(sequence.table.length() / kPageTokens);
  if (sequence.node == nullptr) return;
  PrefixTree::Node* last = sequence.node;
  const auto rest = std::span(sequence.tokens).subspan(full * kPageTokens);
  if (!rest.empty() && !sequence.table.pin(full).shared()) {
    last = tree_.Insert(*last, rest, sequence.table.pin(full));
  }
  tree_.Use(*last);
}

void Sequences::Unshare(Sequence& sequence) {
  if (sequence.node != nullptr) tree_.Leave(PrefixTree::RootOf(sequence.node));
  sequence.node = nullptr;
}

int32_t Sequences::CertainLength(const Sequence& sequence) {
  return std::min(sequence.table.length(), sequence.certain);
}

void Sequences::ShareFullPages(Sequence& sequence) {
  if (sequence.node == nullptr) return;
  const int32_t full = CertainLength(sequence) / kPageTokens;
  while (sequence.node->depth < full) {
    const auto index = static_cast<size_t>(sequence.node->depth);
    const auto tokens = std::span(sequence.tokens).subspan(index * kPageTokens, kPageTokens);
    const memory::PagePin& pin = sequence.table.pin(index);
    sequence.node = tree_.Insert(*sequence.node, tokens, pin);
    // Somebody was faster: one of the two is enough.
    if (sequence.node->page.id() != pin.id()) {
      sequence.table.Replace(index, sequence.node->page.Share());
    }
  }
}

void Sequences::Truncate(SequenceId id, int32_t length) {
  Sequence& sequence = Get(id);
  sequence.table.Truncate(length);
  sequence.tokens.resize(static_cast<size_t>(length));
  sequence.certain = INT32_MAX;
  if (sequence.node == nullptr) return;
  PrefixTree::Node* cut = nullptr;  // whose page the sequence ends in now
  while (sequence.node->depth > length / kPageTokens) {
    cut = sequence.node;
    sequence.node = cut->parent;
  }
  // It will be written to. Where nobody else knows it, it need not be copied first.
  const auto last = static_cast<size_t>(length / kPageTokens);
  const bool ours = cut != nullptr && length % kPageTokens != 0 && cut->children.empty() &&
                    pool_.Holders(sequence.table.pin(last).id()) == 2;
  if (ours) tree_.Remove(*cut);
  ShareFullPages(sequence);
}

int32_t Sequences::Recall(SequenceId id, TenantId tenant, std::span<const TokenId> tokens) {
  Sequence& sequence = Get(id);
  if (sequence.noise) return 0;
  if (sequence.node == nullptr) {
    TUTTI_CHECK(sequence.tokens.empty(), "a sequence gets its tenant before its tokens");
    sequence.node = tree_.Enter(static_cast<uint64_t>(tenant));
  }
  TUTTI_CHECK(PrefixTree::RootOf(sequence.node)->tenant == static_cast<uint64_t>(tenant),
              "a sequence has one tenant");
  TUTTI_CHECK(sequence.table.length() <= sequence.certain,
              "nothing is known of what follows guesses");
  const int32_t length = sequence.table.length();
  int32_t reached = length / kPageTokens * kPageTokens;
  TokenIds wanted(sequence.tokens.begin() + reached, sequence.tokens.end());
  wanted.insert(wanted.end(), tokens.begin(), tokens.end());
  std::span<const TokenId> rest = wanted;
  const auto adopt = [&](PrefixTree::Node& node, int32_t count) {
    if (sequence.table.length() > reached) sequence.table.Truncate(reached);
    sequence.table.Adopt(node.page.Share(), count);
    reached += count;
    rest = rest.subspan(static_cast<size_t>(count));
  };
  int64_t to_read = kReadBytes;
  while (true) {
    PrefixTree::Node* page = PrefixTree::FindPage(*sequence.node, rest);
    if (page == nullptr && to_read > 0) {
      page = Load(*sequence.node, rest);
      to_read -= pool_.page_bytes();
    }
    if (page == nullptr) break;
    adopt(*page, kPageTokens);
    sequence.node = page;
  }
  // A part of a page has to be copied before it can be continued, so another one must be left.
  const auto beginning = PrefixTree::FindBeginning(*sequence.node, rest);
  if (reached + beginning.tokens > length && beginning.tokens > 0 &&
      pool_.free_pages() + pool_.idle_pages() > 1) {
    adopt(*beginning.node, beginning.tokens);
    tree_.Use(*beginning.node);
  } else if (reached <= length) {
    return 0;
  }
  tree_.Use(*sequence.node);
  sequence.tokens.insert(sequence.tokens.end(), tokens.begin(), tokens.begin() + reached - length);
  return reached - length;
}

Sequences::~Sequences() {
  if (disk_ == nullptr) return;
  std::vector<PrefixTree::Node*> nodes = tree_.Newest(static_cast<size_t>(disk_->slots()));
  std::reverse(nodes.begin(), nodes.end());
  for (PrefixTree::Node* node : nodes) Store(*node, true);
}

void Sequences::KeepOnDisk(std::unique_ptr<memory::PrefixDisk> disk) {
  disk_ = std::move(disk);
  tree_.before_eviction = [this](PrefixTree::Node& node) { Store(node, false); };
}

bool Sequences::WriteBehind(int64_t most_bytes) {
  if (disk_ == nullptr || !disk_->use().error.empty()) return false;
  if (disk_->pending_bytes() > 0) return true;  // what is evicted goes first
  if (written_until_ == tree_.inserted()) return false;
  int64_t left = std::max<int64_t>(most_bytes / pool_.page_bytes(), 1);
  std::vector<PrefixTree::Node*> nodes = tree_.Newest(static_cast<size_t>(disk_->slots()));
  bool written = false;
  for (size_t i = nodes.size(); i-- > 0;) {
    if (PlaceOnDisk(*nodes[i]) != 0) continue;
    left -= Store(*nodes[i], false, left);
    written = true;
    if (left == 0) return true;
    if (nodes[i]->stored == 0) break;  // no room; nor would there be the next time
  }
  written_until_ = tree_.inserted();
  return written;
}

DiskUse Sequences::disk() const {
  if (disk_ == nullptr) return {};
  const memory::PrefixDisk::Use use = disk_->use();
  return {.pages = use.pages,
          .bytes = use.bytes,
          .hits = use.hits,
          .written = use.written,
          .dropped = use.dropped,
          .error = use.error};
}

memory::PrefixDisk::Id Sequences::PlaceOnDisk(PrefixTree::Node& node) const {
  // Up to a page whose place is known, and down from there.
  std::vector<PrefixTree::Node*> way;
  PrefixTree::Node* at = &node;
  for (; at->parent != nullptr && !disk_->Contains(at->stored); at = at->parent) way.push_back(at);
  memory::PrefixDisk::Id id = at->parent == nullptr ? 0 : at->stored;
  for (size_t i = way.size(); i-- > 0;) {
    id = disk_->Find(node.root->tenant, id, way[i]->tokens);
    if (id == 0) return 0;
    way[i]->stored = id;
  }
  return id;
}

PrefixTree::Node* Sequences::Load(PrefixTree::Node& node, std::span<const TokenId> tokens) {
  if (disk_ == nullptr || std::ssize(tokens) < kPageTokens) return nullptr;
  tokens = tokens.first(kPageTokens);
  const auto find = [&]() -> memory::PrefixDisk::Id {
    const memory::PrefixDisk::Id before = PlaceOnDisk(node);
    if (before == 0 && node.parent != nullptr) return 0;
    return disk_->Find(node.root->tenant, before, tokens);
  };
  if (find() == 0 || !tree_.Evict(1)) return nullptr;
  // Eviction may have taken its place.
  const memory::PrefixDisk::Id id = find();
  const memory::PagePin page = pool_.Take();
  if (id == 0 || !disk_->Read(id, {page.data(), static_cast<size_t>(pool_.page_bytes())})) {
    return nullptr;
  }
  PrefixTree::Node* child = tree_.Insert(node, tokens, page);
  child->stored = id;
  return child;
}

int64_t Sequences::Store(PrefixTree::Node& node, bool wait, int64_t most) {
  if (std::ssize(node.tokens) != kPageTokens) return 0;
  std::vector<PrefixTree::Node*> way;
  PrefixTree::Node* at = &node;
  for (; at->parent != nullptr && !disk_->Contains(at->stored); at = at->parent) way.push_back(at);
  memory::PrefixDisk::Id id = at->parent == nullptr ? 0 : at->stored;
  int64_t pages = 0;
  for (size_t i = way.size(); i-- > 0 && pages < most; ++pages) {
    PrefixTree::Node& page = *way[i];
    id = disk_->Write(page.root->tenant, id, page.tokens,
                      {page.page.data(), static_cast<size_t>(pool_.page_bytes())}, wait);
    if (id == 0) break;
    page.stored = id;
  }
  return pages;
}

PageUse Sequences::pages() const {
  return {.page_tokens = kPageTokens,
          .total = pool_.pages(),
          .free = pool_.free_pages(),
          .idle = pool_.idle_pages(),
          .evicted = tree_.evicted()};
}

int64_t Sequences::PagesMissing(SequenceId id, int32_t tokens) const {
  const memory::PageTable& table = Get(id).table;
  return table.PagesMissing(table.length() + tokens);
}

bool Sequences::Reserve(SequenceId id, int32_t tokens, int32_t drafts) {
  Sequence& sequence = Get(id);
  const int32_t length = sequence.table.length() + tokens;
  if (!tree_.Evict(PagesMissing(id, tokens)) || !sequence.table.Reserve(length)) return false;
  if (drafts > 0) sequence.certain = std::min(sequence.certain, length - drafts);
  return true;
}

void Sequences::Append(SequenceId id, std::span<const TokenId> tokens) {
  Sequence& sequence = Get(id);
  sequence.table.Advance(static_cast<int32_t>(tokens.size()));
  sequence.tokens.insert(sequence.tokens.end(), tokens.begin(), tokens.end());
  ShareFullPages(sequence);
}

void Sequences::AppendNoise(SequenceId id, int32_t tokens) {
  Sequence& sequence = Get(id);
  Unshare(sequence);
  sequence.noise = true;
  sequence.table.Advance(tokens);
  sequence.tokens.resize(sequence.tokens.size() + static_cast<size_t>(tokens), 0);
}

std::vector<SequenceId> Sequences::ids() const {
  std::vector<SequenceId> ids;
  for (const auto& [id, sequence] : all_) ids.push_back(id);
  return ids;
}

std::string Sequences::CheckSequence(const Sequence& sequence) const {
  if (std::ssize(sequence.tokens) != sequence.table.length()) return "tokens and length differ";
  if (std::string wrong = sequence.table.CheckIntegrity(); !wrong.empty()) return wrong;
  if (sequence.node == nullptr) return {};
  if (sequence.node->depth != CertainLength(sequence) / kPageTokens) {
    return fmt::format("{} tokens stand on {} shared pages", sequence.tokens.size(),
                       sequence.node->depth);
  }
  for (const PrefixTree::Node* node = sequence.node; node->parent != nullptr; node = node->parent) {
    const auto index = static_cast<size_t>(node->depth - 1);
    const auto tokens = std::span(sequence.tokens).subspan(index * kPageTokens, kPageTokens);
    if (!std::equal(tokens.begin(), tokens.end(), node->tokens.begin(), node->tokens.end()) ||
        sequence.table.pin(index).id() != node->page.id()) {
      return fmt::format("page {} is not the tree's", index);
    }
  }
  return {};
}

std::string Sequences::CheckIntegrity() const {
  std::string wrong = pool_.CheckIntegrity();
  if (wrong.empty()) wrong = tree_.CheckIntegrity();
  std::map<memory::PageId, int32_t> holders;
  tree_.CountHolders(holders);
  for (const auto& [id, sequence] : all_) {
    for (size_t i = 0; i < sequence.table.pages().size(); ++i) {
      ++holders[sequence.table.pin(i).id()];
    }
    if (wrong.empty()) wrong = CheckSequence(sequence);
  }
  if (!wrong.empty()) return wrong;
  for (const auto& [page, count] : holders) {
    if (pool_.Holders(page) != count) {
      return fmt::format("page {} has {} holders, {} are known", static_cast<int32_t>(page),
                         pool_.Holders(page), count);
    }
  }
  const int64_t held = pool_.pages() - pool_.free_pages();
  if (std::ssize(holders) != held) {
    return fmt::format("{} pages are held, sequences and prefixes hold {}", held, holders.size());
  }
  return {};
}

}  // namespace tutti::engine
