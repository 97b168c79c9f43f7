#pragma once

#include "gpu/race_memory.hpp"
#include "gpu/room.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

namespace lathe::gpu {

/// What a process takes of a device's memory, as a worker answers to `memory` [bytes].
struct memory_use {
  std::int64_t held = 0;   ///< now
  std::int64_t peak = 0;   ///< held at most
  std::int64_t needed = 0; ///< at most, but for float64 runs
};

/// What a task's reference takes of a GPU's memory: its share of the room for it, while the task is
/// prepared and afterwards, and what a candidate is likely to take [bytes]. Nothing on the CPU. One
/// thread prepares; the amounts do not change after that.
class reference_memory {
public:
  /// Takes nothing yet.
  /// @param memory, timing are the device's, and must outlive this; nullptr: the CPU's
  reference_memory(room* memory, peak_room* timing) : memory_(memory), timing_(timing) {
    // nop
  }

  // -- while it is prepared ---------------------------------------------------------------

  /// Waits for room to begin in: nobody knows yet how much it will be.
  void begin();

  /// Waits for all of it, and keeps that until it is prepared.
  void begin_alone();

  /// It has run, and took so much. Before the first draw is done it keeps what it began with, for
  /// the float64 run.
  void look(const memory_use& x);

  /// Whether a float64 run, which takes twice what the float32 run took, is more than anybody could
  /// have thought when they gave it room.
  bool has_to_wait_for_exact() const;

  /// Waits until there is room for that run. Others pass, and use what this one gave back.
  /// @param held what is left when torch has given back what no tensor needs
  void wait_for_exact(std::int64_t held);

  /// The first draw is done: as much as that takes a call of a candidate, whose memory is filled
  /// with a pattern before it, in pieces of the output's size.
  void know_call(std::int64_t output);

  /// It is prepared: from here on nobody waits for what it has.
  void keep(const race_memory& race);

  // -- what is known ------------------------------------------------------------------------

  /// A candidate with all that a race takes.
  std::int64_t needed(const race_memory& race) const {
    return memory_ == nullptr ? 0 : use_.needed + static_cast<std::int64_t>(race.bytes());
  }

  /// The same for one that holds so much when torch has given back what no tensor needs: a CUDA
  /// graph keeps the memory of its call.
  std::int64_t needed(const race_memory& race, std::int64_t held) const {
    return std::max(needed(race), held + static_cast<std::int64_t>(race.bytes()));
  }

  /// A candidate's first call.
  std::int64_t of_call() const {
    return call_;
  }

  /// A candidate between its calls.
  std::int64_t between_calls() const {
    return use_.held;
  }

private:
  room* memory_;
  peak_room* timing_;
  std::optional<room::share> share_;
  std::optional<peak_room::claim> while_timed_; // beside that
  bool has_all_ = false;
  memory_use use_;
  std::int64_t call_ = 0; // before the first draw is done
};

} // namespace lathe::gpu
