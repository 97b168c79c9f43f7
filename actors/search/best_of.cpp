#include "actors/search/best_of.hpp"

namespace lathe::actors {

void best_of::add_ideas(std::int32_t count) {
  ideas_ += count;
}

void best_of::add_correct(const candidate_id&, double) {
  // nop: a sample does not depend on the others
}

void best_of::begin(const search_choice&) {
  ++begun_;
}

void best_of::conclude() {
  // nop
}

std::optional<search_choice> best_of::choose() const {
  if (begun_ == samples_)
    return std::nullopt;
  search_choice choice;
  if (ideas_ > 0)
    choice.idea = begun_ % ideas_;
  return choice;
}

} // namespace lathe::actors
