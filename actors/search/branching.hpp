#pragma once

#include "actors/search/search_policy.hpp"

#include <map>
#include <utility>

namespace lathe::actors {

/// PIKE-B's search without its barriers. The first `population` lines of work try the planner's
/// ideas. After that every line that ends is replaced by one that starts from one of the `parents`
/// fastest candidates found *so far*; the faster ones get more lines (with 10 and 4: 3, 3, 2, 2).
/// So no line waits for another, and the best candidate can never be lost.
///
/// A line that starts from a candidate also gets the idea that was tried least on it.
///
/// Source: K. Nagaitsev et al., "Optimizing PyTorch Inference with LLM-Based Multi-Agent Systems",
/// arXiv 2511.16964, strategy PIKE-B.
class branching : public search_policy {
public:
  branching(std::int32_t population, std::int32_t parents)
    : population_(population), parents_(parents) {
    // nop
  }

  void add_ideas(std::int32_t count) override;
  void add_correct(const candidate_id& id, double speedup) override;
  void begin(const search_choice& choice) override;
  void conclude() override;
  std::optional<search_choice> choose() const override;

private:
  /// Returns which of `count` parents, best first, line number `line` starts from.
  std::size_t pick(std::int32_t line, std::size_t count) const;

  std::optional<std::int32_t> least_tried_idea(const candidate_id& parent) const;

  std::int32_t population_;
  std::int32_t parents_;
  std::int32_t ideas_ = 0;
  std::int32_t begun_ = 0;
  std::int32_t in_flight_ = 0;
  std::vector<std::pair<double, candidate_id>> elite_; // fastest first, at most `parents_`
  std::map<std::pair<candidate_id, std::int32_t>, std::int32_t> tried_; // (parent, idea) -> lines
};

} // namespace lathe::actors
