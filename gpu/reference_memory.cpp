#include "gpu/reference_memory.hpp"

#include <algorithm>

namespace lathe::gpu {

namespace {

// Until it is known how much a task takes, it has such a part of the device's memory.
constexpr std::int64_t preparations_at_once = 12;

std::int64_t first_guess(const room& memory) {
  return memory.size() / preparations_at_once;
}

} // namespace

void reference_memory::begin() {
  if (memory_ != nullptr)
    share_.emplace(memory_->take(first_guess(*memory_), turn::later));
}

void reference_memory::begin_alone() {
  if (memory_ != nullptr)
    share_.emplace(memory_->take_all());
  has_all_ = true;
}

void reference_memory::look(const memory_use& x) {
  use_ = x;
  if (share_ && !has_all_)
    share_->resize(std::max({x.held, x.peak, call_ == 0 ? first_guess(*memory_) : 0}));
}

bool reference_memory::has_to_wait_for_exact() const {
  return share_ && !has_all_ && 2 * use_.needed > first_guess(*memory_);
}

void reference_memory::wait_for_exact(std::int64_t held) {
  share_->resize(held);
  share_->grow(held + 2 * use_.needed, turn::last);
}

void reference_memory::know_call(std::int64_t output) {
  if (memory_ == nullptr)
    return;
  call_ = use_.needed + output;
  look(use_);
}

// What a race that is not large takes stays there until the next one; of a large one, inputs alone
// are there at all.
void reference_memory::keep(const race_memory& race) {
  if (!share_)
    return;
  auto to_come = race.is_large() ? 0 : static_cast<std::int64_t>(race.bytes());
  share_->keep(use_.held + to_come);
  auto inputs = race.is_large() ? static_cast<std::int64_t>(race.input_bytes()) : 0;
  while_timed_.emplace(*timing_, std::max<std::int64_t>(0, use_.needed - use_.held) + inputs);
}

} // namespace lathe::gpu
