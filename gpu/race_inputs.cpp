#include "gpu/race_inputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lathe::gpu {

race_inputs::race_inputs(std::vector<const input_draw*> known, std::span<const input_draw> unseen,
                         std::size_t places, std::mt19937_64& random)
  : random_(random), familiar_(known.front()), seen_(std::move(known)) {
  for (auto& draw : unseen)
    unseen_.push_back(&draw);
  for (std::size_t i = 0; i < places; ++i)
    places_.push_back({fmt::format("timed{}", i)});
}

std::vector<std::string> race_inputs::places() const {
  std::vector<std::string> result;
  for (auto& x : places_)
    result.push_back(x.name);
  return result;
}

// Whose place is taken is gone.
const input_draw* race_inputs::hand_over() {
  if (unseen_.empty() || (places_.front().draw != nullptr && !waiting_.empty()))
    return nullptr;
  auto* result = unseen_.back();
  unseen_.pop_back();
  waiting_.push_back(result);
  places_.push_back(std::move(places_.front()));
  places_.pop_front();
  if (auto* gone = std::exchange(places_.back().draw, result); gone != nullptr)
    std::erase(seen_, gone);
  return result;
}

race_inputs::block race_inputs::repeat(std::size_t calls) const {
  block result;
  result.calls.assign(calls, familiar_);
  return result;
}

race_inputs::block race_inputs::next(std::size_t calls, std::size_t skipped, race_blocks missing) {
  block result;
  for (std::size_t i = 0; i < calls; ++i)
    result.calls.push_back(seen_[random_() % seen_.size()]);
  auto counted = calls - skipped;
  auto first = random_() % counted;
  result.control = skipped + (first + 1 + random_() % (counted - 1)) % counted;
  if (!draws_fresh(missing))
    return result;
  result.fresh = skipped + first;
  result.calls[*result.fresh] = waiting_.front();
  seen_.push_back(waiting_.front());
  waiting_.pop_front();
  return result;
}

bool race_inputs::draws_fresh(race_blocks missing) {
  if (waiting_.empty())
    return false;
  auto fresh = std::min(missing.fresh, unseen());
  auto needed = fresh + missing.repeated;
  return needed > 0 ? random_() % needed < fresh : random_() % 2 == 0;
}

const std::string& race_inputs::name_of(const input_draw& draw) const {
  auto place = std::ranges::find(places_, &draw, &place::draw);
  return place != places_.end() ? place->name : draw.name;
}

} // namespace lathe::gpu
