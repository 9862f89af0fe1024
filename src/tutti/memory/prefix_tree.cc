#include "tutti/memory/prefix_tree.h"

#include <iterator>
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
  root.tenant = tenant;
  ++root.users;
  return &root;
}

void PrefixTree::Leave(Node* root) {
  if (--root->users == 0 && root->children.empty()) roots_.erase(root->tenant);
}

PrefixTree::Node* PrefixTree::RootOf(Node* node) {
  while (node->parent != nullptr) node = node->parent;
  return node;
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
  nodes_.push_front({.parent = &node,
                     .tokens = TokenIds(tokens.begin(), tokens.end()),
                     .page = page.Share(),
                     .depth = node.depth + 1,
                     .children = {},
                     .self = {}});
  Node& child = nodes_.front();
  child.self = nodes_.begin();
  pool_.SetDispensable(child.page, true);
  node.children.emplace(child.tokens, &child);
  return &child;
}

// Leaves first: a page is never used longer ago than those that stand on it.
void PrefixTree::Use(Node& node) {
  for (Node* at = &node; at->parent != nullptr; at = at->parent) {
    nodes_.splice(nodes_.begin(), nodes_, at->self);
  }
}

void PrefixTree::Remove(Node& node) {
  TUTTI_CHECK(node.parent != nullptr && node.children.empty(), "only leaves can be forgotten");
  Node* const parent = node.parent;
  parent->children.erase(node.tokens);
  pool_.SetDispensable(node.page, false);
  nodes_.erase(node.self);
  if (parent->parent == nullptr && parent->users == 0 && parent->children.empty()) {
    roots_.erase(parent->tenant);
  }
}

bool PrefixTree::Evict(int64_t free_pages) {
  if (pool_.free_pages() + pool_.idle_pages() < free_pages) return false;
  // Once through the list finds every leaf, and by then others have become leaves: each time at
  // least one goes.
  const int64_t most = (std::ssize(nodes_) + 1) * (std::ssize(nodes_) + 1);
  for (int64_t looked_at = 0; pool_.free_pages() < free_pages; ++looked_at) {
    TUTTI_CHECK(looked_at <= most, "idle pages cannot be found");
    Node& oldest = nodes_.back();
    if (oldest.children.empty() && !oldest.page.shared()) {
      Remove(oldest);
      ++evicted_;
    } else {
      // In use, or in the way of one that is.
      nodes_.splice(nodes_.begin(), nodes_, oldest.self);
    }
  }
  return true;
}

void PrefixTree::CountHolders(std::map<PageId, int32_t>& holders) const {
  for (const Node& node : nodes_) ++holders[node.page.id()];
}

std::string PrefixTree::CheckNode(const Node& node) const {
  if (node.children.empty() && node.parent == nullptr && node.users == 0) {
    return fmt::format("the root of tenant {} is left over", node.tenant);
  }
  for (const auto& [tokens, child] : node.children) {
    if (child->parent != &node || child->depth != node.depth + 1 ||
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
  int64_t reachable = 0;
  for (const auto& [tenant, root] : roots_) {
    reachable += std::ssize(root.children);
    if (std::string wrong = CheckNode(root); !wrong.empty()) return wrong;
  }
  for (const Node& node : nodes_) {
    reachable += std::ssize(node.children);
    if (&*node.self != &node || !node.page) return "a node is not where it says";
    if (std::string wrong = CheckNode(node); !wrong.empty()) return wrong;
  }
  if (reachable != std::ssize(nodes_)) {
    return fmt::format("{} of {} nodes hang in the tree", reachable, nodes_.size());
  }
  return {};
}

}  // namespace tutti::memory
