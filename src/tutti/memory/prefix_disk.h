// Remembered pages on disk: what memory had no room for any more, and what it held when the program
// ended, is found again by later texts, also by those of the next run.
//
// One file of a bounded number of slots per model (prefix_file.h), written behind: Write takes a
// copy and a thread of its own does the rest. The index of what is in the file is a tree in memory,
// by tenant and tokens as PrefixTree, and like there tokens are compared and not hashed. Where all
// slots are taken, the page used longest ago goes, leaves before what they stand on.
//
// A record that is torn, damaged or of a chain that lacks a page is not found, and its slot is used
// again. An error of the disk (full, gone) switches everything off, and error() says why; the file
// then stays as it is.
//
// Threads: one at a time, beside its own. Write never waits for the disk unless it is told to; Read
// does.
// Errors: of LockedFile::Open, and kResource where the limit holds no page.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tutti/base/ids.h"
#include "tutti/base/status.h"
#include "tutti/memory/prefix_file.h"
#include "tutti/os/locked_file.h"

namespace tutti::memory {

class PrefixDisk {
  struct Private {};  // only Open can name it

 public:
  using Id = uint64_t;  // of a page; 0: none, or the beginning of all texts

  struct Use {
    int64_t pages = 0;
    int64_t bytes = 0;    // that they take in the file
    int64_t hits = 0;     // pages that were read, since the start
    int64_t written = 0;  // ... and written
    int64_t dropped = 0;  // ... and not written because the disk was too slow
    std::string error;    // not empty: switched off
  };

  // `path` is made where it does not exist, and begun anew where it is another model's or
  // version's.
  static Result<std::unique_ptr<PrefixDisk>> Open(const std::filesystem::path& path,
                                                  const PrefixHeader& header, int64_t limit_bytes);
  explicit PrefixDisk(Private) {}
  PrefixDisk(const PrefixDisk&) = delete;
  PrefixDisk& operator=(const PrefixDisk&) = delete;
  ~PrefixDisk();  // writes what is still to be written

  // The tenant's page with these tokens behind `parent`; 0 where there is none.
  Id Find(uint64_t tenant, Id parent, std::span<const TokenId> tokens) const;
  bool Contains(Id id) const { return all_.contains(id); }
  // Fills `page`; false, and the page is forgotten, where it cannot be read as it was written.
  bool Read(Id id, std::span<std::byte> page);
  // Remembers the page, a copy of it, unless it is known. 0 where that is not possible: the parent
  // is gone, or the disk is behind and `wait` does not allow to wait for it.
  Id Write(uint64_t tenant, Id parent, std::span<const TokenId> tokens,
           std::span<const std::byte> page, bool wait = false);

  int64_t slots() const { return slots_; }
  int64_t pending_bytes() const;  // that wait to be written
  Use use() const;
  // Says what is wrong with the index, empty if nothing is.
  std::string CheckIntegrity() const;

 private:
  struct Before {
    bool operator()(std::span<const TokenId> a, std::span<const TokenId> b) const;
  };
  using Children = std::map<std::span<const TokenId>, Id, Before>;  // tokens are the child's
  struct Page {
    PrefixRecord record;
    int64_t slot = 0;
    uint64_t used = 0;
    Children children = {};
  };
  struct Job {
    Id id = 0;
    int64_t slot = 0;
    std::vector<std::byte> bytes;  // [slot_bytes_]
  };

  Status OpenFile(const std::filesystem::path& path, const PrefixHeader& header,
                  int64_t limit_bytes);
  void ReadIndex(int64_t slots_in_file);
  void Add(const PrefixRecord& record, int64_t slot);
  Children& ChildrenOf(uint64_t tenant, Id parent);
  // The page and all that stand on it.
  void Forget(Id id);
  void ForgetLeaf(Id id);
  void Touch(Page& page);
  // -1 where no page can go for one behind `parent`.
  int64_t TakeSlot(Id parent);
  // Of a page that waits to be written.
  bool CopyUnwritten(Id id, std::span<std::byte> page) const;
  int64_t OffsetOf(int64_t slot) const {
    return static_cast<int64_t>(kPrefixBlock) + slot * slot_bytes_;
  }
  void WriteBehind();
  bool failed() const;
  void Fail(const Status& status);

  os::LockedFile file_;
  int64_t page_bytes_ = 0;
  int64_t slot_bytes_ = 0;
  int64_t slots_ = 0;
  std::map<Id, Page> all_;
  std::map<uint64_t, Children> roots_;        // by tenant
  std::set<std::pair<uint64_t, Id>> leaves_;  // by when they were used
  std::vector<int64_t> free_;                 // slots that were used before
  int64_t fresh_ = 0;                         // slots from here on never were
  uint64_t uses_ = 0;
  Id last_id_ = 0;
  int64_t hits_ = 0;
  int64_t dropped_ = 0;

  mutable std::mutex mutex_;  // of what follows, which the writing thread shares
  std::condition_variable changed_;
  std::deque<Job> jobs_;  // the first one is being written
  int64_t written_ = 0;
  std::string error_;
  bool ending_ = false;
  std::thread writer_;
};

}  // namespace tutti::memory
