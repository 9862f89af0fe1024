// The sequences of an engine: their tokens, their pages, and what they share.
//
// What every kind of engine does alike: reserve pages before a step (evicting what is only
// remembered), append what the step has computed, share full pages with the tenant's others. The
// engine itself writes and reads the bytes of the pages.
//
// Ownership: the pool must outlive it. Threads: one at a time. Errors: kResource where there are
// too many sequences; unknown ids are bugs.
#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tutti/base/ids.h"
#include "tutti/base/status.h"
#include "tutti/engine.h"
#include "tutti/memory/kv_pool.h"
#include "tutti/memory/page_table.h"
#include "tutti/memory/prefix_disk.h"
#include "tutti/memory/prefix_tree.h"

namespace tutti::engine {

class Sequences {
 public:
  explicit Sequences(memory::KvPool& pool) : pool_(pool), tree_(pool) {}
  Sequences(const Sequences&) = delete;
  Sequences& operator=(const Sequences&) = delete;
  ~Sequences();  // writes what is remembered to the disk, where there is one

  // From now on what memory forgets goes there, and Recall finds it.
  void KeepOnDisk(std::unique_ptr<memory::PrefixDisk> disk);
  DiskUse disk() const;

  // As in engine.h.
  bool WriteBehind(int64_t most_bytes);
  Result<SequenceId> New();
  void End(SequenceId id);
  bool Contains(SequenceId id) const { return all_.contains(id); }
  int32_t Length(SequenceId id) const { return Get(id).table.length(); }
  void Truncate(SequenceId id, int32_t length);
  int32_t Recall(SequenceId id, TenantId tenant, std::span<const TokenId> tokens);
  Result<SequenceId> Fork(SequenceId id);
  PageUse pages() const;
  int64_t PagesMissing(SequenceId id, int32_t tokens) const;

  // Room for `tokens` more, of which the last `drafts` are guesses; false, and nothing changed,
  // where too few pages are available.
  bool Reserve(SequenceId id, int32_t tokens, int32_t drafts = 0);
  // These tokens are computed and written; there was room for them.
  void Append(SequenceId id, std::span<const TokenId> tokens);
  // So many tokens of noise are written: from now on the sequence shares nothing.
  void AppendNoise(SequenceId id, int32_t tokens);

  const memory::PageTable& table(SequenceId id) const { return Get(id).table; }
  std::span<const TokenId> tokens(SequenceId id) const { return Get(id).tokens; }
  std::vector<SequenceId> ids() const;

  std::string CheckIntegrity() const;

 private:
  struct Sequence {
    memory::PageTable table;
    TokenIds tokens = {};  // [table.length()]
    bool noise = false;
    int32_t certain = INT32_MAX;  // tokens from here on are guesses
    // The node of the last full page, or the tenant's root; null while nothing is shared.
    memory::PrefixTree::Node* node = nullptr;
  };

  Sequence& Get(SequenceId id);
  const Sequence& Get(SequenceId id) const;
  Result<SequenceId> Add(Sequence sequence);
  // Of its tokens, those that are no guesses.
  static int32_t CertainLength(const Sequence& sequence);
  void ShareFullPages(Sequence& sequence);
  void ShareLastPage(Sequence& sequence);
  // The page in memory with the next tokens, read from the disk; null where it is not there, or
  // there is no room.
  memory::PrefixTree::Node* Load(memory::PrefixTree::Node& node, std::span<const TokenId> tokens);
  // Where the node is on the disk; 0: nowhere.
  memory::PrefixDisk::Id PlaceOnDisk(memory::PrefixTree::Node& node) const;
  // Puts it there, behind all before it, but no more pages than `most`; how many it was.
  int64_t Store(memory::PrefixTree::Node& node, bool wait, int64_t most = INT64_MAX);
  void Unshare(Sequence& sequence);
  std::string CheckSequence(const Sequence& sequence) const;

  memory::KvPool& pool_;
  memory::PrefixTree tree_;
  std::unique_ptr<memory::PrefixDisk> disk_;  // null: none
  std::map<SequenceId, Sequence> all_;
  SequenceId next_ = 0;
  int64_t written_until_ = 0;  // pages up to this one (PrefixTree::inserted) are on the disk
};

}  // namespace tutti::engine
