#include "gpu/device_health.hpp"

#include "messages/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace lathe::gpu {

namespace {

// "10 min", or "90 s" where minutes would not be exact.
std::string length_of(device_health::duration x) {
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(x).count();
  return seconds % 60 == 0 && seconds > 0 ? fmt::format("{} min", seconds / 60)
                                          : fmt::format("{} s", seconds);
}

} // namespace

std::string in_words(const device_event& x) {
  switch (x.state) {
    case device_state::quarantined:
      return fmt::format("{} is in quarantine and probed again until it recovers: {}", x.device,
                         x.reason);
    case device_state::recovered:
      return fmt::format("{} has recovered", x.device);
    default:
      return fmt::format("{} is lost: {}", x.device, x.reason);
  }
}

device_health::device_health(std::string device) : device_health(std::move(device), limits{}) {
  // nop
}

device_health::device_health(std::string device, limits bounds)
  : device_(std::move(device)), limits_(bounds) {
  // nop
}

caf::error device_health::loss() const {
  return make_error(errc::device_lost,
                    fmt::format("{} did not recover within {} from what ran on it: {}", device_,
                                length_of(limits_.patience), reason_));
}

bool device_health::doubt() {
  if (state_ == state::sound) {
    state_ = state::doubted;
    return true;
  }
  doubted_again_ = true;
  return false;
}

device_health::step device_health::passed() {
  if (std::exchange(doubted_again_, false))
    return {duration{0}, std::nullopt};
  auto before = std::exchange(state_, state::sound);
  if (before != state::quarantined)
    return {};
  return {std::nullopt, device_event{device_, device_state::recovered, {}}};
}

device_health::step device_health::failed(std::string reason, time_point now) {
  doubted_again_ = false; // the next probe begins after all doubts so far
  reason_ = std::move(reason);
  if (state_ != state::quarantined) {
    state_ = state::quarantined;
    since_ = now;
    pause_ = limits_.first_pause;
    return {pause_, device_event{device_, device_state::quarantined, reason_}};
  }
  auto end = since_ + limits_.patience;
  if (now >= end) {
    state_ = state::lost;
    return {std::nullopt, device_event{device_, device_state::lost, reason_}};
  }
  pause_ = std::min(2 * pause_, limits_.longest_pause);
  return {std::min(pause_, std::chrono::ceil<duration>(end - now)), std::nullopt};
}

} // namespace lathe::gpu
