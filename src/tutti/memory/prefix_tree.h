// What is remembered of texts that begin alike: a tree over pages of keys and values.
//
//   root of a tenant -- [page of 32 tokens] -- [page] -- [page]
//                                           \- [page] -- [part of a page]
//
// A node is a page and its tokens; the way from the root to it is the whole text before it, so two
// nodes never stand for the same text. Children are ordered by their tokens and compared with them,
// not with hashes: no text can be mistaken for another. Each tenant has a tree of its own. Pages
// that are filled in part are leaves; a longer page with the same beginning takes their place.
//
// Nodes are held by the tree, pages are shared with the sequences that run. Evict gives back those
// that nobody else holds: of one tenant, the one used longest ago first, leaves before what they
// stand on. A page that a sequence holds stays, and so does every page before it. It is taken from
// the tenant whose pages times the age of its oldest one are most: whoever floods the memory pushes
// out his own pages, and the few of others only when they have not been used for long.
//
// Ownership: the pool must outlive the tree. A Node lives as long as a sequence holds its page, its
// tenant's root between Enter and Leave.
// Threads: one at a time. Errors: none.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "tutti/base/ids.h"
#include "tutti/memory/kv_pool.h"

namespace tutti::memory {

class PrefixTree {
 public:
  struct Node;
  // Children by their tokens, which they own.
  struct Before {
    bool operator()(std::span<const TokenId> a, std::span<const TokenId> b) const {
      return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
    }
  };
  using Children = std::map<std::span<const TokenId>, Node*, Before>;
  struct Node {
    Node* parent = nullptr;  // null: a root
    Node* root = nullptr;    // of a root: itself
    TokenIds tokens;         // kPageTokens, fewer in a leaf, none in a root
    PagePin page;            // none in a root
    int32_t depth = 0;       // pages on the way to it, itself included
    Children children;
    std::list<Node>::iterator self;  // not of a root
    uint64_t stored = 0;             // whoever owns the tree may note a place elsewhere; 0: none
    int64_t used = 0;                // the last time, in pages that were inserted since the start
    // Of a root.
    uint64_t tenant = 0;
    int64_t users = 0;      // calls of Enter without Leave
    std::list<Node> nodes;  // all of the tenant, the one used last in front
  };

  explicit PrefixTree(KvPool& pool) : pool_(pool) {}
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  Node* Enter(uint64_t tenant);
  void Leave(Node* root);
  static Node* RootOf(Node* node) { return node->root; }

  // The child with the next kPageTokens of `tokens`; null where there is none.
  static Node* FindPage(const Node& node, std::span<const TokenId> tokens);
  // The child that begins most like `tokens`, and in how many of them; null and 0 for none.
  struct Beginning {
    Node* node = nullptr;
    int32_t tokens = 0;
  };
  static Beginning FindBeginning(const Node& node, std::span<const TokenId> tokens);

  // The child with these tokens, at most a page of them. Where there was none, it has `page`, which
  // holds them and will not be written again; where a child has these tokens and more, that one.
  Node* Insert(Node& node, std::span<const TokenId> tokens, const PagePin& page);
  // Used now: the node and all before it.
  void Use(Node& node);
  // Forgets a leaf.
  void Remove(Node& node);

  // Gives back idle pages until the pool has `free_pages`; false where it cannot.
  bool Evict(int64_t free_pages);
  // Called with every node that Evict is about to forget.
  std::function<void(Node&)> before_eviction;
  int64_t evicted() const { return evicted_; }
  int64_t inserted() const { return inserted_; }  // since the start
  // The full pages that were used last, at most so many, the latest in front.
  std::vector<Node*> Newest(size_t most);
  int64_t size() const;

  // Adds the tree's pins to counts by page.
  void CountHolders(std::map<PageId, int32_t>& holders) const;
  std::string CheckIntegrity() const;

 private:
  // Forgets a page of the tenant; false where it has none that can go.
  bool EvictOne(Node& root);
  std::string CheckNode(const Node& node) const;

  KvPool& pool_;
  std::map<uint64_t, Node> roots_;  // by tenant
  int64_t inserted_ = 0;
  int64_t evicted_ = 0;
};

}  // namespace tutti::memory
