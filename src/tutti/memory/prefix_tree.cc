#include "tutti/memory/prefix_tree.h"

#include <iterator>
#include <set>
#include <utility>

#include "tutti/base/check.h"

namespace tutti::memory {
namespace {

using Tokens = std::span<const TokenId>;

int32_t CommonTokens(Tokens a, Tokens b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return static_cast<int32_t>(end - a.begin());
}

}  // namespace

PrefixTree::Node* PrefixTree::Enter(uint64_t tenant) {
  Node& root = roots_[tenant];
  root.root = &root;
  root.tenant = tenant;
  ++root.users;
  return &root;
}

void PrefixTree::Leave(Node* root) {
  if (--root->users == 0 && root->children.empty()) roots_.erase(root->tenant);
}

PrefixTree::Node* PrefixTree::FindPage(const Node& node, Tokens tokens) {
  if (std::ssize(tokens) < kPageTokens) return nullptr;
  const auto it = node.children.find(tokens.first(kPageTokens));
  return it == node.children.end() ? nullptr : it->second;
}

// In their order, the neighbours of where the tokens would stand have most in common with them.
PrefixTree::Beginning PrefixTree::FindBeginning(const Node& node, Tokens tokens) {
  tokens = tokens.first(std::min<size_t>(tokens.size(), kPageTokens));
  Beginning best;
  const auto consider = [&](Children::const_iterator it) {
    const int32_t common = CommonTokens(it->first, tokens);
    if (common > best.tokens) best = {it->second, common};
  };
  const auto after = node.children.lower_bound(tokens);
  if (after != node.children.end()) consider(after);
  if (after != node.children.begin()) consider(std::prev(after));
  return best;
}

PrefixTree::Node* PrefixTree::Insert(Node& node, Tokens tokens, const PagePin& page) {
  TUTTI_CHECK(!tokens.empty() && std::ssize(tokens) <= kPageTokens, "a node is a page");
  TUTTI_CHECK(node.parent == nullptr || std::ssize(node.tokens) == kPageTokens,
              "nothing stands on a page that is not full");
  const auto after = node.children.lower_bound(tokens);
  if (after != node.children.end() &&
      CommonTokens(after->first, tokens) == static_cast<int32_t>(tokens.size())) {
    return after->second;
  }
  if (after != node.children.begin()) {
    Node& before = *std::prev(after)->second;
    if (CommonTokens(before.tokens, tokens) == static_cast<int32_t>(before.tokens.size())) {
      Remove(before);  // it is the beginning of the new one
    }
  }
  std::list<Node>& nodes = node.root->nodes;
  nodes.push_front({.parent = &node,
                    .root = node.root,
                    .tokens = TokenIds(tokens.begin(), tokens.end()),
                    .page = page.Share(),
                    .depth = node.depth + 1,
                    .children = {},
                    .self = {},
                    .stored = 0,
                    .used = ++inserted_,
                    .nodes = {}});
  Node& child = nodes.front();
  child.self = nodes.begin();
  pool_.SetDispensable(child.page, true);
  node.children.emplace(child.tokens, &child);
  return &child;
}

// Leaves first: a page is never used longer ago than those that stand on it.
void PrefixTree::Use(Node& node) {
  std::list<Node>& nodes = node.root->nodes;
  for (Node* at = &node; at->parent != nullptr; at = at->parent) {
    at->used = inserted_;
    nodes.splice(nodes.begin(), nodes, at->self);
  }
}

void PrefixTree::Remove(Node& node) {
  TUTTI_CHECK(node.parent != nullptr && node.children.empty(), "only leaves can be forgotten");
  Node* const parent = node.parent;
  Node* const root = node.root;
  parent->children.erase(node.tokens);
  pool_.SetDispensable(node.page, false);
  root->nodes.erase(node.self);
  if (root->users == 0 && root->children.empty()) roots_.erase(root->tenant);
}

std::vector<PrefixTree::Node*> PrefixTree::Newest(size_t most) {
  std::vector<Node*> pages;
  for (auto& [tenant, root] : roots_) {
    for (Node& node : root.nodes) {
      if (std::ssize(node.tokens) == kPageTokens) pages.push_back(&node);
    }
  }
  std::stable_sort(pages.begin(), pages.end(),
                   [](const Node* a, const Node* b) { return a->used > b->used; });
  pages.resize(std::min(pages.size(), most));
  return pages;
}

int64_t PrefixTree::size() const {
  int64_t size = 0;
  for (const auto& [tenant, root] : roots_) size += std::ssize(root.nodes);
  return size;
}

bool PrefixTree::EvictOne(Node& root) {
  // Once through the list finds every leaf.
  for (size_t left = root.nodes.size(); left > 0; --left) {
    Node& oldest = root.nodes.back();
    if (oldest.children.empty() && !oldest.page.shared()) {
      if (before_eviction) before_eviction(oldest);
      Remove(oldest);
      ++evicted_;
      return true;
    }
    // In use, or in the way of one that is.
    oldest.used = inserted_;
    root.nodes.splice(root.nodes.begin(), root.nodes, oldest.self);
  }
  return false;
}

bool PrefixTree::Evict(int64_t free_pages) {
  if (pool_.free_pages() + pool_.idle_pages() < free_pages) return false;
  std::set<uint64_t> exhausted;  // tenants
  while (pool_.free_pages() < free_pages) {
    Node* victim = nullptr;
    int64_t most = -1;
    for (auto& [tenant, root] : roots_) {
      if (root.nodes.empty() || exhausted.contains(tenant)) continue;
      const int64_t age = inserted_ + 1 - root.nodes.back().used;
      const int64_t weight = std::ssize(root.nodes) * age;
      if (weight <= most) continue;
      most = weight;
      victim = &root;
    }
    TUTTI_CHECK(victim != nullptr, "idle pages cannot be found");
    if (const uint64_t tenant = victim->tenant; !EvictOne(*victim)) exhausted.insert(tenant);
  }
  return true;
}

void PrefixTree::CountHolders(std::map<PageId, int32_t>& holders) const {
  for (const auto& [tenant, root] : roots_) {
    for (const Node& node : root.nodes) ++holders[node.page.id()];
  }
}

std::string PrefixTree::CheckNode(const Node& node) const {
  if (node.children.empty() && node.parent == nullptr && node.users == 0) {
    return fmt::format("the root of tenant {} is left over", node.tenant);
  }
  for (const auto& [tokens, child] : node.children) {
    if (child->parent != &node || child->root != node.root || child->depth != node.depth + 1 ||
        tokens.data() != child->tokens.data() || tokens.size() != child->tokens.size()) {
      return fmt::format("a node at depth {} is not its parent's", child->depth);
    }
    if (node.parent != nullptr && std::ssize(node.tokens) != kPageTokens) {
      return fmt::format("a node of {} tokens has children", node.tokens.size());
    }
    if (node.parent != nullptr && child->page.shared() && !node.page.shared() &&
        std::ssize(child->tokens) == kPageTokens) {
      return fmt::format("a page at depth {} is held, the one before it is not", child->depth);
    }
  }
  return {};
}

std::string PrefixTree::CheckIntegrity() const {
  for (const auto& [tenant, root] : roots_) {
    int64_t reachable = std::ssize(root.children);
    if (std::string wrong = CheckNode(root); !wrong.empty()) return wrong;
    for (const Node& node : root.nodes) {
      reachable += std::ssize(node.children);
      if (&*node.self != &node || !node.page) return "a node is not where it says";
      if (std::string wrong = CheckNode(node); !wrong.empty()) return wrong;
    }
    if (reachable != std::ssize(root.nodes)) {
      return fmt::format("{} of {} nodes hang in the tree", reachable, root.nodes.size());
    }
  }
  return {};
}

}  // namespace tutti::memory
