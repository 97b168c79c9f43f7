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

race_inputs::block race_inputs::repeat(std::size_t calls) const {
  block result;
  result.calls.assign(calls, familiar_);
  return result;
}

race_inputs::block race_inputs::next(std::size_t calls, race_blocks missing, bool calls_are_short) {
  block result;
  result.fresh = draws_fresh(missing, calls_are_short);
  auto* fresh = result.fresh ? take_unseen() : nullptr;
  for (std::size_t i = 0; i < calls; ++i)
    result.calls.push_back(seen_[random_() % seen_.size()]);
  // First in its block, for the same reason that it is handed over only then.
  if (fresh != nullptr) {
    result.calls.front() = fresh;
    seen_.push_back(fresh);
  }
  return result;
}

bool race_inputs::draws_fresh(race_blocks missing, bool calls_are_short) {
  if (unseen_.empty())
    return false;
  if (!calls_are_short)
    return missing.fresh > 0 || missing.repeated == 0;
  auto fresh = std::min(missing.fresh, unseen_.size());
  auto needed = fresh + missing.repeated;
  return needed > 0 ? random_() % needed < fresh : random_() % 2 == 0;
}

// Whose place it takes is gone.
const input_draw* race_inputs::take_unseen() {
  auto* result = unseen_.back();
  unseen_.pop_back();
  places_.push_back(std::move(places_.front()));
  places_.pop_front();
  if (auto* gone = std::exchange(places_.back().draw, result); gone != nullptr)
    std::erase(seen_, gone);
  return result;
}

const std::string& race_inputs::name_of(const input_draw& draw) const {
  auto place = std::ranges::find(places_, &draw, &place::draw);
  return place != places_.end() ? place->name : draw.name;
}

} // namespace lathe::gpu
