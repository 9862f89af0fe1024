#include "tutti/text/grammar_automaton.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "tutti/base/check.h"

namespace tutti::text {
namespace {

// Moves and calls of all nodes together, after empty moves have been replaced by what they lead to.
constexpr size_t kEdgesMax = 4'000'000;

// An edge of the machine as it is first built. `what` is -1 for an empty move, otherwise a set or a
// rule.
struct Edge {
  int32_t from = 0;
  int32_t to = 0;
  int32_t what = -1;
};

// Edges by the node at one of their ends.
class Index {
 public:
  Index(const std::vector<Edge>& edges, size_t nodes, int32_t Edge::*end) : first_(nodes + 1) {
    for (const Edge& edge : edges) ++first_[static_cast<size_t>(edge.*end) + 1];
    for (size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
    order_.resize(edges.size());
    std::vector<int32_t> next(first_.begin(), first_.end() - 1);
    for (size_t i = 0; i < edges.size(); ++i) {
      order_[static_cast<size_t>(next[static_cast<size_t>(edges[i].*end)]++)] =
          static_cast<int32_t>(i);
    }
  }
  std::span<const int32_t> of(int32_t node) const {
    const auto first = static_cast<size_t>(first_[static_cast<size_t>(node)]);
    return std::span(order_).subspan(
        first, static_cast<size_t>(first_[static_cast<size_t>(node) + 1]) - first);
  }

 private:
  std::vector<int32_t> first_;
  std::vector<int32_t> order_;
};

}  // namespace

class GrammarAutomatonBuilder {
 public:
  GrammarAutomatonBuilder(const GrammarRules& rules, const ByteSet& bytes)
      : rules_(rules), bytes_(bytes) {}

  Result<GrammarAutomaton> Build(GrammarRules::Rule root);

 private:
  int32_t NewNode() { return nodes_++; }
  void AddExpr(GrammarRules::Expr expr, int32_t from, int32_t to);
  void AddRepeat(const GrammarRules::Node& node, int32_t from, int32_t to);
  int32_t SetOf(const ByteSet& set);

  // Nodes from which the rule's end can be reached: by empty moves only where `empty`, otherwise by
  // anything. A call counts when the called rule's start is such a node.
  std::vector<char> LeadsToEnd(bool empty) const;
  void Prune();
  Status AddNodes(GrammarRules::Rule root);
  Status AddNode(int32_t old, const Index& moves, const Index& calls, const Index& empties);
  int32_t Numbered(int32_t old);
  Status RankRules();
  void ClassifyBytes();

  const GrammarRules& rules_;
  const ByteSet bytes_;
  int32_t nodes_ = 0;
  std::vector<Edge> moves_;
  std::vector<Edge> calls_;
  std::vector<Edge> empties_;
  std::vector<std::pair<int32_t, int32_t>> ends_;  // [rules] first and last node
  std::vector<ByteSet> sets_;
  std::unordered_map<ByteSet, int32_t> set_ids_;

  GrammarAutomaton out_;
  std::vector<int32_t> numbers_;  // [nodes_] in the result, -1: not yet
  std::vector<int32_t> wanted_;   // nodes in the order of their numbers
  std::vector<int32_t> seen_;     // [nodes_] last closure that met it
  std::vector<char> is_end_;      // [nodes_]
  std::vector<int32_t> closure_;
  size_t work_ = 0;
};

int32_t GrammarAutomatonBuilder::SetOf(const ByteSet& set) {
  const auto [it, added] = set_ids_.emplace(set, static_cast<int32_t>(sets_.size()));
  if (added) sets_.push_back(set);
  return it->second;
}

void GrammarAutomatonBuilder::AddExpr(GrammarRules::Expr expr, int32_t from, int32_t to) {
  using Op = GrammarRules::Op;
  const GrammarRules::Node& node = rules_.nodes()[static_cast<size_t>(expr)];
  switch (node.op) {
    case Op::kNothing:
      return;
    case Op::kLiteral: {
      for (const char c : node.literal) {
        const int32_t next = NewNode();
        ByteSet set;
        set.set(static_cast<uint8_t>(c));
        moves_.push_back({from, next, SetOf(set)});
        from = next;
      }
      empties_.push_back({from, to});
      return;
    }
    case Op::kBytes:
      moves_.push_back({from, to, SetOf(rules_.sets()[static_cast<size_t>(node.max)])});
      return;
    case Op::kSequence:
      for (size_t i = 0; i < node.parts.size(); ++i) {
        const int32_t next = i + 1 == node.parts.size() ? to : NewNode();
        AddExpr(node.parts[i], from, next);
        from = next;
      }
      return;
    case Op::kChoice:
      for (const GrammarRules::Expr part : node.parts) AddExpr(part, from, to);
      return;
    case Op::kRepeat:
      AddRepeat(node, from, to);
      return;
    case Op::kCall:
      calls_.push_back({from, to, static_cast<int32_t>(node.max)});
      return;
  }
}

// Nodes in between are new, so that what goes in circles inside of a part leads nowhere else.
void GrammarAutomatonBuilder::AddRepeat(const GrammarRules::Node& node, int32_t from, int32_t to) {
  const GrammarRules::Expr part = node.parts.front();
  for (int64_t i = 0; i < (node.max == -1 ? node.min : node.max); ++i) {
    if (i >= node.min) empties_.push_back({from, to});
    const int32_t next = NewNode();
    AddExpr(part, from, next);
    from = next;
  }
  if (node.max == -1) {
    const int32_t loop = NewNode();
    empties_.push_back({from, loop});
    AddExpr(part, loop, loop);
    from = loop;
  }
  empties_.push_back({from, to});
}

std::vector<char> GrammarAutomatonBuilder::LeadsToEnd(bool empty) const {
  const auto nodes = static_cast<size_t>(nodes_);
  const Index empties(empties_, nodes, &Edge::to);
  const Index moves(moves_, nodes, &Edge::to);
  const Index calls(calls_, nodes, &Edge::to);
  std::vector<std::vector<int32_t>> waiting(ends_.size());  // calls whose end is reached, by rule
  std::vector<int32_t> rule_of_start(nodes, -1);
  std::vector<char> leads(nodes, 0);
  std::vector<int32_t> open;
  const auto reach = [&](int32_t node) {
    if (leads[static_cast<size_t>(node)]) return;
    leads[static_cast<size_t>(node)] = 1;
    open.push_back(node);
  };
  for (size_t rule = 0; rule < ends_.size(); ++rule) {
    rule_of_start[static_cast<size_t>(ends_[rule].first)] = static_cast<int32_t>(rule);
    reach(ends_[rule].second);
  }
  while (!open.empty()) {
    const int32_t node = open.back();
    open.pop_back();
    for (const int32_t e : empties.of(node)) reach(empties_[static_cast<size_t>(e)].from);
    for (const int32_t e : moves.of(node)) {
      const Edge& edge = moves_[static_cast<size_t>(e)];
      if (!empty && (sets_[static_cast<size_t>(edge.what)] & bytes_).any()) reach(edge.from);
    }
    for (const int32_t e : calls.of(node)) {
      const Edge& edge = calls_[static_cast<size_t>(e)];
      const auto rule = static_cast<size_t>(edge.what);
      if (leads[static_cast<size_t>(ends_[rule].first)]) {
        reach(edge.from);
      } else {
        waiting[rule].push_back(edge.from);
      }
    }
    if (const int32_t rule = rule_of_start[static_cast<size_t>(node)]; rule >= 0) {
      for (const int32_t from : waiting[static_cast<size_t>(rule)]) reach(from);
    }
  }
  return leads;
}

// Drops what cannot be completed, and lets calls of rules that may be empty be skipped.
void GrammarAutomatonBuilder::Prune() {
  const std::vector<char> alive = LeadsToEnd(false);
  const auto is_dead = [&](const Edge& edge) {
    return !alive[static_cast<size_t>(edge.from)] || !alive[static_cast<size_t>(edge.to)];
  };
  std::erase_if(empties_, is_dead);
  std::erase_if(moves_, [&](const Edge& edge) {
    return is_dead(edge) || (sets_[static_cast<size_t>(edge.what)] & bytes_).none();
  });
  std::erase_if(calls_, [&](const Edge& edge) {
    return is_dead(edge) ||
           !alive[static_cast<size_t>(ends_[static_cast<size_t>(edge.what)].first)];
  });
  const std::vector<char> empty = LeadsToEnd(true);
  for (const Edge& call : calls_) {
    if (empty[static_cast<size_t>(ends_[static_cast<size_t>(call.what)].first)]) {
      empties_.push_back({call.from, call.to});
    }
  }
  for (ByteSet& set : sets_) set &= bytes_;
}

int32_t GrammarAutomatonBuilder::Numbered(int32_t old) {
  int32_t& number = numbers_[static_cast<size_t>(old)];
  if (number < 0) {
    number = static_cast<int32_t>(wanted_.size());
    wanted_.push_back(old);
  }
  return number;
}

// The node of the result with all that can be reached from `old` by empty moves.
Status GrammarAutomatonBuilder::AddNode(int32_t old, const Index& moves, const Index& calls,
                                        const Index& empties) {
  const auto stamp = static_cast<int32_t>(out_.nodes_.size());
  GrammarAutomaton::Node node{.first_move = static_cast<int32_t>(out_.moves_.size()),
                              .first_call = static_cast<int32_t>(out_.calls_.size())};
  closure_.assign(1, old);
  seen_[static_cast<size_t>(old)] = stamp;
  for (size_t i = 0; i < closure_.size(); ++i) {
    const int32_t at = closure_[i];
    for (const int32_t e : moves.of(at)) {
      const Edge& edge = moves_[static_cast<size_t>(e)];
      out_.moves_.push_back({edge.what, Numbered(edge.to)});
    }
    for (const int32_t e : calls.of(at)) {
      const Edge& edge = calls_[static_cast<size_t>(e)];
      int32_t& start = out_.starts_[static_cast<size_t>(edge.what)];
      start = Numbered(ends_[static_cast<size_t>(edge.what)].first);
      out_.calls_.push_back({edge.what, Numbered(edge.to)});
    }
    if (is_end_[static_cast<size_t>(at)]) node.final = true;
    for (const int32_t e : empties.of(at)) {
      const int32_t to = empties_[static_cast<size_t>(e)].to;
      if (std::exchange(seen_[static_cast<size_t>(to)], stamp) != stamp) closure_.push_back(to);
    }
    work_ += 1 + moves.of(at).size() + calls.of(at).size() + empties.of(at).size();
    if (work_ > kEdgesMax) {
      return UsageError(
          "the grammar is too ambiguous: parts that may be empty or many alternatives lead to more "
          "than {} possible steps; name each text in one way only",
          kEdgesMax);
    }
  }
  const auto tidy = [](auto& list, int32_t first) {
    std::sort(list.begin() + first, list.end());
    list.erase(std::unique(list.begin() + first, list.end()), list.end());
    return static_cast<int32_t>(list.size()) - first;
  };
  node.moves = tidy(out_.moves_, node.first_move);
  node.calls = tidy(out_.calls_, node.first_call);
  out_.nodes_.push_back(node);
  return {};
}

Status GrammarAutomatonBuilder::AddNodes(GrammarRules::Rule root) {
  const auto nodes = static_cast<size_t>(nodes_);
  const Index moves(moves_, nodes, &Edge::from);
  const Index calls(calls_, nodes, &Edge::from);
  const Index empties(empties_, nodes, &Edge::from);
  numbers_.assign(nodes, -1);
  seen_.assign(nodes, -1);
  is_end_.assign(nodes, 0);
  for (const auto& end : ends_) is_end_[static_cast<size_t>(end.second)] = 1;
  out_.starts_.assign(ends_.size(), -1);
  out_.root_ = root;
  out_.starts_[static_cast<size_t>(root)] = Numbered(ends_[static_cast<size_t>(root)].first);
  for (size_t i = 0; i < wanted_.size(); ++i) {
    TUTTI_RETURN_IF_ERROR(AddNode(wanted_[i], moves, calls, empties));
  }
  return {};
}

// Orders the rules so that each comes before those it calls at once.
Status GrammarAutomatonBuilder::RankRules() {
  const size_t rules = ends_.size();
  std::vector<int32_t> callers(rules, 0);
  const auto called = [&](size_t rule) { return out_.calls(out_.node(out_.starts_[rule])); };
  for (size_t rule = 0; rule < rules; ++rule) {
    if (out_.starts_[rule] < 0) continue;
    for (const auto& call : called(rule)) ++callers[static_cast<size_t>(call.rule)];
  }
  std::vector<size_t> ready;
  size_t left = 0;
  for (size_t rule = 0; rule < rules; ++rule) {
    if (out_.starts_[rule] < 0) continue;
    ++left;
    if (callers[rule] == 0) ready.push_back(rule);
  }
  out_.ranks_.assign(rules, -1);
  int32_t rank = 0;
  while (!ready.empty()) {
    const size_t rule = ready.back();
    ready.pop_back();
    --left;
    out_.ranks_[rule] = rank++;
    for (const auto& call : called(rule)) {
      const auto next = static_cast<size_t>(call.rule);
      if (--callers[next] == 0) ready.push_back(next);
    }
  }
  if (left == 0) return {};
  for (size_t rule = 0; rule < rules; ++rule) {
    if (out_.starts_[rule] < 0 || out_.ranks_[rule] >= 0) continue;
    // The rule may only be called by those in the circle; it is named because it is there.
    return UsageError(
        "the grammar is left-recursive: a rule can begin with itself, near \"{}\"; write it so "
        "that text comes before the rule calls itself",
        rules_.name(static_cast<GrammarRules::Rule>(rule)));
  }
  return {};
}

void GrammarAutomatonBuilder::ClassifyBytes() {
  std::array<int32_t, 256> classes = {};
  int32_t count = 1;
  for (const ByteSet& set : sets_) {
    std::array<int32_t, 512> ids;  // by the class before and whether it is in the set
    ids.fill(-1);
    count = 0;
    for (size_t byte = 0; byte < 256; ++byte) {
      int32_t& id = ids[2 * static_cast<size_t>(classes[byte]) + (set.test(byte) ? 1 : 0)];
      if (id < 0) id = count++;
      classes[byte] = id;
    }
    if (count == 256) break;
  }
  out_.class_count_ = count;
  out_.sets_.resize(sets_.size());
  for (size_t byte = 0; byte < 256; ++byte) {
    out_.classes_[byte] = static_cast<uint8_t>(classes[byte]);
    for (size_t i = 0; i < sets_.size(); ++i) {
      if (sets_[i].test(byte)) out_.sets_[i].set(static_cast<size_t>(classes[byte]));
    }
  }
}

Result<GrammarAutomaton> GrammarAutomatonBuilder::Build(GrammarRules::Rule root) {
  TUTTI_RETURN_IF_ERROR(rules_.status());
  for (size_t rule = 0; rule < rules_.rules(); ++rule) {
    const auto id = static_cast<GrammarRules::Rule>(rule);
    if (rules_.body(id) < 0) {
      return UsageError("the grammar calls the rule \"{}\", which it does not define",
                        rules_.name(id));
    }
    const int32_t first = NewNode();
    ends_.emplace_back(first, NewNode());
    AddExpr(rules_.body(id), ends_.back().first, ends_.back().second);
  }
  Prune();
  const std::vector<char> alive = LeadsToEnd(false);
  if (!alive[static_cast<size_t>(ends_[static_cast<size_t>(root)].first)]) {
    return UsageError(
        "no text satisfies the grammar: its rules contradict each other or never end");
  }
  TUTTI_RETURN_IF_ERROR(AddNodes(root));
  TUTTI_RETURN_IF_ERROR(RankRules());
  ClassifyBytes();
  return std::move(out_);
}

Result<GrammarAutomaton> GrammarAutomaton::Create(const GrammarRules& rules,
                                                  GrammarRules::Rule root, const ByteSet& bytes) {
  return GrammarAutomatonBuilder(rules, bytes).Build(root);
}

size_t GrammarAutomaton::size_bytes() const {
  return nodes_.size() * sizeof(Node) + moves_.size() * sizeof(Move) +
         calls_.size() * sizeof(Call) + sets_.size() * sizeof(ByteSet) +
         starts_.size() * 2 * sizeof(int32_t);
}

}  // namespace tutti::text
