#include "tutti/memory/prefix_disk.h"

#include <algorithm>
#include <cstring>

#include "tutti/base/check.h"
#include "tutti/base/checked_math.h"

namespace tutti::memory {
namespace {

// Copies that wait for the disk, at most; one is always possible.
constexpr int64_t kQueueBytes = int64_t{64} << 20;

std::span<const TokenId> TokensOf(const PrefixRecord& record) { return record.tokens; }

}  // namespace

bool PrefixDisk::Before::operator()(std::span<const TokenId> a, std::span<const TokenId> b) const {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

Result<std::unique_ptr<PrefixDisk>> PrefixDisk::Open(const std::filesystem::path& path,
                                                     const PrefixHeader& header,
                                                     int64_t limit_bytes) {
  auto disk = std::make_unique<PrefixDisk>(Private());
  TUTTI_RETURN_IF_ERROR(disk->OpenFile(path, header, limit_bytes));
  PrefixDisk* const self = disk.get();
  disk->writer_ = std::thread([self] { self->WriteBehind(); });
  return disk;
}

Status PrefixDisk::OpenFile(const std::filesystem::path& path, const PrefixHeader& header,
                            int64_t limit_bytes) {
  page_bytes_ = static_cast<int64_t>(header.page_bytes);
  slot_bytes_ = static_cast<int64_t>(PrefixSlotBytes(header.page_bytes));
  slots_ = (limit_bytes - OffsetOf(0)) / slot_bytes_;
  if (slots_ < 1) {
    return Error(StatusCode::kResource,
                 "{}: {} bytes do not hold one page of keys and values ({} bytes): allow more",
                 path.string(), limit_bytes, OffsetOf(1));
  }
  TUTTI_ASSIGN_OR_RETURN(file_, os::LockedFile::Open(path));
  std::array<std::byte, kPrefixBlock> bytes = {};
  const Status read = file_.ReadAt(0, bytes);
  if (!read.ok() && read.code() != StatusCode::kData) return read;
  const auto found = read.ok() ? ReadPrefixHeader(bytes) : std::nullopt;
  if (!found || found->fingerprint != header.fingerprint ||
      found->page_bytes != header.page_bytes) {
    TUTTI_RETURN_IF_ERROR(file_.Resize(0));
    return file_.WriteAt(0, WritePrefixHeader(header));
  }
  TUTTI_ASSIGN_OR_RETURN(const int64_t size, file_.Size());
  const int64_t in_file = DivCeil(size - OffsetOf(0), slot_bytes_);
  if (in_file > slots_) TUTTI_RETURN_IF_ERROR(file_.Resize(OffsetOf(slots_)));
  ReadIndex(std::min(in_file, slots_));
  return Status();
}

PrefixDisk::~PrefixDisk() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (writer_.joinable()) writer_.join();
}

void PrefixDisk::ReadIndex(int64_t slots_in_file) {
  std::map<Id, std::pair<PrefixRecord, int64_t>> found;
  std::array<std::byte, kPrefixRecord> bytes;
  fresh_ = slots_in_file;
  for (int64_t slot = 0; slot < slots_in_file; ++slot) {
    const bool read = file_.ReadAt(OffsetOf(slot), bytes).ok();
    const auto record = read ? ReadPrefixRecord(bytes) : std::nullopt;
    if (!record || !found.try_emplace(record->id, *record, slot).second) free_.push_back(slot);
  }
  // Parents first: their numbers are smaller.
  for (const auto& [id, place] : found) {
    const PrefixRecord& record = place.first;
    const auto parent = all_.find(record.parent);
    const bool stands = record.parent == 0 ||
                        (parent != all_.end() && parent->second.record.tenant == record.tenant);
    if (stands && Find(record.tenant, record.parent, record.tokens) == 0) {
      Add(record, place.second);
    } else {
      free_.push_back(place.second);
    }
    last_id_ = id;
  }
}

PrefixDisk::Children& PrefixDisk::ChildrenOf(uint64_t tenant, Id parent) {
  return parent == 0 ? roots_[tenant] : all_.at(parent).children;
}

PrefixDisk::Id PrefixDisk::Find(uint64_t tenant, Id parent, std::span<const TokenId> tokens) const {
  const Children* children = nullptr;
  if (parent == 0) {
    const auto root = roots_.find(tenant);
    if (root != roots_.end()) children = &root->second;
  } else if (const auto page = all_.find(parent); page != all_.end()) {
    if (page->second.record.tenant == tenant) children = &page->second.children;
  }
  if (children == nullptr) return 0;
  const auto it = children->find(tokens);
  return it == children->end() ? 0 : it->second;
}

void PrefixDisk::Add(const PrefixRecord& record, int64_t slot) {
  if (record.parent != 0) {
    const Page& parent = all_.at(record.parent);
    leaves_.erase({parent.used, record.parent});
  }
  Page& page = all_[record.id];
  page.record = record;
  page.slot = slot;
  page.used = ++uses_;
  leaves_.insert({page.used, record.id});
  ChildrenOf(record.tenant, record.parent).emplace(TokensOf(page.record), record.id);
}

void PrefixDisk::ForgetLeaf(Id id) {
  const auto it = all_.find(id);
  const Page& page = it->second;
  TUTTI_CHECK(page.children.empty(), "a page goes before those that stand on it");
  const uint64_t tenant = page.record.tenant;
  const Id parent = page.record.parent;
  Children& siblings = ChildrenOf(tenant, parent);
  siblings.erase(TokensOf(page.record));
  if (siblings.empty() && parent == 0) roots_.erase(tenant);
  if (parent != 0 && all_.at(parent).children.empty()) {
    leaves_.insert({all_.at(parent).used, parent});
  }
  leaves_.erase({page.used, id});
  free_.push_back(page.slot);
  all_.erase(it);
}

void PrefixDisk::Forget(Id id) {
  std::vector<Id> above = {id};
  for (size_t i = 0; i < above.size(); ++i) {
    for (const auto& [tokens, child] : all_.at(above[i]).children) above.push_back(child);
  }
  for (size_t i = above.size(); i-- > 0;) ForgetLeaf(above[i]);
}

void PrefixDisk::Touch(Page& page) {
  const bool leaf = leaves_.erase({page.used, page.record.id}) > 0;
  page.used = ++uses_;
  if (leaf) leaves_.insert({page.used, page.record.id});
}

int64_t PrefixDisk::TakeSlot(Id parent) {
  if (free_.empty() && fresh_ < slots_) return fresh_++;
  if (free_.empty()) {
    auto oldest = leaves_.begin();
    if (oldest != leaves_.end() && oldest->second == parent) ++oldest;
    if (oldest == leaves_.end()) return -1;
    ForgetLeaf(oldest->second);
  }
  const int64_t slot = free_.back();
  free_.pop_back();
  return slot;
}

bool PrefixDisk::failed() const {
  const std::lock_guard lock(mutex_);
  return !error_.empty();
}

void PrefixDisk::Fail(const Status& status) {
  const std::lock_guard lock(mutex_);
  if (error_.empty()) error_ = status.message() + "; prefixes are not kept on disk any more";
}

bool PrefixDisk::CopyUnwritten(Id id, std::span<std::byte> page) const {
  const std::lock_guard lock(mutex_);
  for (const Job& job : jobs_) {
    if (job.id != id) continue;
    std::memcpy(page.data(), job.bytes.data() + kPrefixRecord, page.size());
    return true;
  }
  return false;
}

bool PrefixDisk::Read(Id id, std::span<std::byte> page) {
  TUTTI_CHECK(std::ssize(page) == page_bytes_, "a page of another size");
  const auto it = all_.find(id);
  if (it == all_.end() || failed()) return false;
  if (!CopyUnwritten(id, page)) {
    const Status read =
        file_.ReadAt(OffsetOf(it->second.slot) + static_cast<int64_t>(kPrefixRecord), page);
    // A file that ends here was cut, and only this page is lost.
    if (!read.ok() && read.code() != StatusCode::kData) Fail(read);
    if (!read.ok() || PrefixChecksum(page) != it->second.record.page_checksum) {
      Forget(id);
      return false;
    }
  }
  Touch(it->second);
  ++hits_;
  return true;
}

PrefixDisk::Id PrefixDisk::Write(uint64_t tenant, Id parent, std::span<const TokenId> tokens,
                                 std::span<const std::byte> page, bool wait) {
  TUTTI_CHECK(std::ssize(tokens) == kPageTokens && std::ssize(page) == page_bytes_,
              "whole pages are kept");
  if (failed()) return 0;
  if (const Id known = Find(tenant, parent, tokens); known != 0) {
    Touch(all_.at(known));
    return known;
  }
  if (parent != 0 && (!Contains(parent) || all_.at(parent).record.tenant != tenant)) return 0;
  {
    std::unique_lock lock(mutex_);
    const auto room = [&] {
      const auto waiting = std::ssize(jobs_) * slot_bytes_;
      return jobs_.empty() || waiting + slot_bytes_ <= kQueueBytes || !error_.empty();
    };
    if (wait) changed_.wait(lock, room);
    if (!room()) ++dropped_;
    if (!room() || !error_.empty()) return 0;
  }
  const int64_t slot = TakeSlot(parent);
  if (slot < 0) return 0;
  PrefixRecord record{
      .id = ++last_id_, .parent = parent, .tenant = tenant, .page_checksum = PrefixChecksum(page)};
  std::copy(tokens.begin(), tokens.end(), record.tokens.begin());
  Add(record, slot);
  Job job{.id = record.id, .slot = slot, .bytes = {}};
  job.bytes.resize(static_cast<size_t>(slot_bytes_));
  const auto head = WritePrefixRecord(record);
  std::memcpy(job.bytes.data(), head.data(), head.size());
  std::memcpy(job.bytes.data() + head.size(), page.data(), page.size());
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
  return record.id;
}

void PrefixDisk::WriteBehind() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    const Job& job = jobs_.front();  // a deque does not move it
    const bool off = !error_.empty();
    lock.unlock();
    const Status status = off ? Status() : file_.WriteAt(OffsetOf(job.slot), job.bytes);
    if (!status.ok()) Fail(status);
    lock.lock();
    jobs_.pop_front();
    if (status.ok() && !off) ++written_;
    changed_.notify_all();
  }
}

int64_t PrefixDisk::pending_bytes() const {
  const std::lock_guard lock(mutex_);
  return std::ssize(jobs_) * slot_bytes_;
}

PrefixDisk::Use PrefixDisk::use() const {
  const std::lock_guard lock(mutex_);
  return {.pages = std::ssize(all_),
          .bytes = std::ssize(all_) * slot_bytes_,
          .hits = hits_,
          .written = written_,
          .dropped = dropped_,
          .error = error_};
}

std::string PrefixDisk::CheckIntegrity() const {
  std::set<int64_t> slots(free_.begin(), free_.end());
  if (slots.size() != free_.size()) return "a slot is free twice";
  for (const auto& [id, page] : all_) {
    const PrefixRecord& record = page.record;
    if (record.id != id || !slots.insert(page.slot).second || page.slot >= fresh_) {
      return fmt::format("the slot of page {} is another's", id);
    }
    if (Find(record.tenant, record.parent, record.tokens) != id) {
      return fmt::format("page {} cannot be found", id);
    }
    if (leaves_.contains({page.used, id}) != page.children.empty()) {
      return fmt::format("page {} is no leaf, or one too many", id);
    }
  }
  if (std::ssize(slots) != fresh_ || fresh_ > slots_) {
    return fmt::format("{} slots are known, {} were used", slots.size(), fresh_);
  }
  return {};
}

}  // namespace tutti::memory
