#include "tutti/text/token_index.h"

#include <cstring>

namespace tutti::text {
namespace {

uint64_t Mix(uint64_t a) {
  a *= 0x9e3779b97f4a7c15ull;
  return a ^ a >> 29;
}

uint32_t Hash(std::string_view text) {
  uint64_t hash = text.size();
  while (text.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, text.data(), 8);
    hash = Mix(hash ^ word);
    text.remove_prefix(8);
  }
  uint64_t rest = 0;
  std::memcpy(&rest, text.data(), text.size());
  return static_cast<uint32_t>(Mix(hash ^ rest) >> 32);
}

}  // namespace

TokenIndex::TokenIndex(size_t tokens_expected) {
  size_t size = 16;
  while (size < tokens_expected * 2) size *= 2;
  entries_.resize(size);
}

size_t TokenIndex::Slot(std::string_view text, uint32_t hash) const {
  const size_t mask = entries_.size() - 1;
  for (size_t slot = hash & mask;; slot = (slot + 1) & mask) {
    const Entry& entry = entries_[slot];
    if (entry.id == kNoToken || (entry.hash == hash && entry.text == text)) return slot;
  }
}

TokenId TokenIndex::Add(std::string_view text, TokenId id) {
  if ((used_ + 1) * 2 > entries_.size()) {
    std::vector<Entry> old(entries_.size() * 2);
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.id != kNoToken) entries_[Slot(entry.text, entry.hash)] = entry;
    }
  }
  const uint32_t hash = Hash(text);
  Entry& entry = entries_[Slot(text, hash)];
  if (entry.id != kNoToken) return entry.id;
  entry = {text, hash, id};
  ++used_;
  return kNoToken;
}

TokenId TokenIndex::Find(std::string_view text) const {
  return entries_[Slot(text, Hash(text))].id;
}

}  // namespace tutti::text
