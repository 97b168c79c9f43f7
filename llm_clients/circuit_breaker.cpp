#include "llm_clients/circuit_breaker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lathe::llm_clients {

circuit_breaker::circuit_breaker(breaker_policy policy) : policy_(policy) {
  // nop
}

// -- calls --------------------------------------------------------------------------------

std::optional<circuit_breaker::pass> circuit_breaker::admit(time_point now) {
  auto now_is = state(now);
  if (now_is == breaker_state::open || trial_out_)
    return std::nullopt;
  trial_out_ = now_is == breaker_state::half_open;
  return current_;
}

void circuit_breaker::answered(pass id) {
  if (id != current_)
    return;
  failures_ = 0;
  openings_ = 0;
  trial_out_ = false;
}

void circuit_breaker::failed(time_point now, pass id, double chance) {
  if (id != current_)
    return;
  ++failures_;
  if (failures_ >= policy_.failures)
    open(now, chance);
}

void circuit_breaker::abandoned(pass id) {
  if (id == current_)
    trial_out_ = false;
}

void circuit_breaker::open(time_point now, double chance) {
  using std::chrono::milliseconds;
  auto doubled = static_cast<double>(policy_.cool_down.count()) * std::exp2(openings_);
  auto longest = std::min(doubled, static_cast<double>(policy_.longest.count()));
  cool_at_ = now + milliseconds{static_cast<milliseconds::rep>(longest * (1 + chance) / 2)};
  ++openings_;
  ++current_;
  trial_out_ = false;
}

// -- properties ---------------------------------------------------------------------------

breaker_state circuit_breaker::state(time_point now) const {
  if (openings_ == 0)
    return breaker_state::closed;
  return now < cool_at_ ? breaker_state::open : breaker_state::half_open;
}

std::optional<circuit_breaker::time_point> circuit_breaker::opens_at() const {
  return openings_ == 0 || trial_out_ ? std::nullopt : std::optional{cool_at_};
}

std::string circuit_breaker::describe(time_point now) const {
  auto times = failures_ == 1 ? std::string{"once"} : fmt::format("{} times in a row", failures_);
  switch (state(now)) {
    case breaker_state::closed:
      return failures_ == 0 ? "takes calls" : fmt::format("takes calls, but has failed {}", times);
    case breaker_state::open:
      return fmt::format("has failed {} and is left alone for another {} s", times,
                         std::chrono::ceil<std::chrono::seconds>(cool_at_ - now).count());
    case breaker_state::half_open:
      return fmt::format("has failed {}; {}", times,
                         trial_out_ ? "a trial call is out" : "the next call is a trial");
  }
  return {};
}

} // namespace lathe::llm_clients
