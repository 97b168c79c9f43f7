#include "gpu/reference_memory.hpp"

#include <algorithm>

namespace lathe::gpu {

namespace {

// Until it is known how much a task takes, it has such a part of the device's memory.
constexpr std::int64_t preparations_at_once = 12;

std::int64_t first_guess(const room& memory) {
  return memory.size().device / preparations_at_once;
}

} // namespace

void reference_memory::begin() {
  if (memory_ != nullptr)
    share_.emplace(memory_->take({.device = first_guess(*memory_)}, turn::later));
}

void reference_memory::begin_alone() {
  if (memory_ != nullptr)
    share_.emplace(memory_->take_device());
  has_all_ = true;
}

void reference_memory::look(const memory_use& x) {
  use_ = x;
  if (share_ && !has_all_)
    share_->resize({.device = std::max({x.held, x.peak, call_ == 0 ? first_guess(*memory_) : 0})});
}

bool reference_memory::has_to_wait_for_exact() const {
  return share_ && !has_all_ && 2 * use_.needed > first_guess(*memory_);
}

void reference_memory::wait_for_exact(std::int64_t held) {
  share_->resize({.device = held});
  share_->grow({.device = held + 2 * use_.needed}, turn::last);
}

void reference_memory::know_call(std::int64_t output) {
  if (memory_ == nullptr)
    return;
  call_ = use_.needed + output;
  look(use_);
}

// One reference is timed at a time, and gives back afterwards what it took for that. In a large race
// it keeps no outputs.
void reference_memory::keep(const race_memory& race) {
  if (!share_)
    return;
  share_->keep({.device = use_.held});
  auto taken = static_cast<std::int64_t>(race.is_large() ? race.input_bytes() : race.bytes());
  while_timed_.emplace(*timing_, std::max<std::int64_t>(0, use_.needed - use_.held) + taken);
}

} // namespace lathe::gpu
