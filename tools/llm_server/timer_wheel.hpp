#pragma once

#include <boost/intrusive/list.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace lathe::llm_server {

/// Timers that cost a few pointers each, to be set and to be dropped alike: a wheel of slots of a
/// millisecond. What is due within the same millisecond is due at once, so that thousands of
/// streams share a wake-up. Pure: the time comes from outside.
class timer_wheel {
public:
  using clock = std::chrono::steady_clock;
  using hook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

  /// Waits for one time at most. Its destruction takes it out.
  class timer : public hook {
  public:
    virtual ~timer() = default;

    /// Called at the time, or up to a millisecond later. May set any timer and destroy any.
    virtual void due() = 0;

    void stop() {
      unlink();
    }

  private:
    friend class timer_wheel;

    std::int64_t tick_ = 0;
  };

  explicit timer_wheel(clock::time_point start) : start_(start) {
    // nop
  }

  /// Makes `x` due at `when`, instead of what it waited for until now.
  void set(timer& x, clock::time_point when) {
    x.unlink();
    auto tick = std::chrono::ceil<std::chrono::milliseconds>(when - start_).count();
    x.tick_ = tick > done_ ? tick : done_ + 1;
    slots_[slot_of(x.tick_)].push_back(x);
  }

  /// Calls what is due by `now`.
  void advance(clock::time_point now) {
    auto last = std::chrono::floor<std::chrono::milliseconds>(now - start_).count();
    if (last - done_ > slot_count)
      done_ = last - slot_count; // one round sees every slot
    while (done_ < last)
      turn(++done_, last);
  }

  /// When `advance` has something to do next, at the earliest.
  std::optional<clock::time_point> next() const {
    for (auto tick = done_ + 1; tick <= done_ + slot_count; ++tick)
      if (!slots_[slot_of(tick)].empty())
        return start_ + std::chrono::milliseconds{tick};
    return std::nullopt;
  }

private:
  using timers = boost::intrusive::list<timer, boost::intrusive::constant_time_size<false>>;

  static constexpr std::int64_t slot_count = 1024;

  static std::size_t slot_of(std::int64_t tick) {
    return static_cast<std::size_t>(tick % slot_count);
  }

  // Timers of later rounds stay in the slot of `tick`.
  void turn(std::int64_t tick, std::int64_t last) {
    timers found;
    found.swap(slots_[slot_of(tick)]);
    while (!found.empty()) {
      auto& x = found.front();
      found.pop_front();
      if (x.tick_ > last)
        slots_[slot_of(tick)].push_back(x);
      else
        x.due();
    }
  }

  clock::time_point start_;
  std::int64_t done_ = 0; // [milliseconds since `start_`] up to which all is done
  std::array<timers, slot_count> slots_;
};

} // namespace lathe::llm_server
