#include "actors/search/branching.hpp"

#include <algorithm>

namespace lathe::actors {

// -- what happened ----------------------------------------------------------------------

void branching::add_ideas(std::int32_t count) {
  ideas_ += count;
}

void branching::add_correct(const candidate_id& id, double speedup) {
  auto slower = [&](const auto& x) { return x.first < speedup; };
  elite_.insert(std::find_if(elite_.begin(), elite_.end(), slower), std::pair{speedup, id});
  if (elite_.size() > static_cast<std::size_t>(parents_))
    elite_.pop_back();
}

void branching::begin(const search_choice& choice) {
  ++begun_;
  ++in_flight_;
  if (choice.idea && !choice.parents.empty())
    ++tried_[{choice.parents.front(), *choice.idea}];
}

void branching::conclude() {
  --in_flight_;
}

// -- what next --------------------------------------------------------------------------

std::optional<search_choice> branching::choose() const {
  if (in_flight_ >= population_)
    return std::nullopt;
  search_choice choice;
  if (begun_ < population_) {
    if (ideas_ > 0)
      choice.idea = begun_ % ideas_;
    if (!elite_.empty())
      choice.parents = {elite_.front().second};
  } else if (!elite_.empty()) {
    auto& parent = elite_[pick(begun_, elite_.size())].second;
    choice.parents = {parent};
    choice.idea = least_tried_idea(parent);
  } else if (ideas_ > 0) {
    choice.idea = begun_ % ideas_;
  }
  return choice;
}

std::size_t branching::pick(std::int32_t line, std::size_t count) const {
  auto slot = static_cast<std::size_t>(line % population_);
  auto share = static_cast<std::size_t>(population_) / count;
  auto larger = static_cast<std::size_t>(population_) % count; // this many parents get one line more
  auto in_larger = larger * (share + 1);
  return slot < in_larger ? slot / (share + 1) : larger + (slot - in_larger) / share;
}

std::optional<std::int32_t> branching::least_tried_idea(const candidate_id& parent) const {
  std::optional<std::int32_t> best;
  std::int32_t fewest = 0;
  for (std::int32_t idea = 0; idea < ideas_; ++idea) {
    auto i = tried_.find({parent, idea});
    auto lines = i == tried_.end() ? 0 : i->second;
    if (!best || lines < fewest) {
      best = idea;
      fewest = lines;
    }
  }
  return best;
}

} // namespace lathe::actors
