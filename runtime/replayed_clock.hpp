#pragma once

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

namespace lathe::runtime {

/// Says in a session that is played again what its clock said when it was recorded, so that a
/// budget of time ends it where it did. For any thread.
class replayed_clock {
public:
  /// @param turns what to say, see `recording::clock_of`; each ends with what is said from then on
  explicit replayed_clock(std::vector<std::vector<double>> turns)
    : turns_(filled(std::move(turns))) {
    // nop
  }

  /// Something is about to come to the session from outside.
  void next_turn() {
    std::lock_guard guard{mutex_};
    turn_ = std::min(turn_ + 1, turns_.size() - 1);
    said_ = 0;
  }

  /// [seconds]
  double operator()() {
    std::lock_guard guard{mutex_};
    const auto& turn = turns_[turn_];
    return turn[std::min(said_++, turn.size() - 1)];
  }

private:
  static std::vector<std::vector<double>> filled(std::vector<std::vector<double>> turns) {
    turns.resize(std::max<std::size_t>(turns.size(), 1));
    for (auto& turn : turns)
      turn.resize(std::max<std::size_t>(turn.size(), 1));
    return turns;
  }

  std::mutex mutex_; // guards the next two
  std::size_t turn_ = 0;
  std::size_t said_ = 0;
  const std::vector<std::vector<double>> turns_; // none of them is empty, nor is the list
};

} // namespace lathe::runtime
