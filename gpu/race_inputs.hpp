#pragma once

#include "gpu/task_oracle.hpp"

#include <cstddef>
#include <deque>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace lathe::gpu {

/// So many pairs of blocks.
struct race_blocks {
  std::size_t fresh = 0;    ///< with a call whose inputs are new to the candidate
  std::size_t repeated = 0; ///< without
};

/// What the blocks of a race are called with, drawn at random: inputs that were seen before, and in
/// some blocks, at some place, ones that are new. These lie locked in a few places of both
/// processes, well before they are called with; the next ones take the place of those that were new
/// the longest ago.
class race_inputs {
public:
  /// The calls of one block.
  struct block {
    std::vector<const input_draw*> calls;
    std::optional<std::size_t> fresh = std::nullopt; ///< the call whose inputs are new
    std::size_t control = 0; ///< one that counts and is treated as if its inputs were new
  };

  /// @param known draws that both processes have; at least one
  /// @param unseen draws that the candidate has never seen
  /// @param places how many of these a process holds at once; at least one where there are any
  race_inputs(std::vector<const input_draw*> known, std::span<const input_draw> unseen,
              std::size_t places, std::mt19937_64& random);

  /// The names of the places, to be reserved before the race.
  std::vector<std::string> places() const;

  /// One of the known draws.
  const input_draw& familiar() const {
    return *familiar_;
  }

  /// Returns the draw that both processes have to be given now, under its name here, before another
  /// block is drawn; nullptr if none: to be asked until then. All places are filled at first, and
  /// later one of them, when no place holds anything new.
  const input_draw* hand_over();

  /// As many calls with the familiar draw.
  block repeat(std::size_t calls) const;

  /// Draws the next block. Blocks of both kinds lie among each other, as the weather changes: of
  /// those that are still needed one is drawn as from an urn, and afterwards either is as likely.
  /// @param calls at least two more than are skipped
  /// @param skipped so many calls of a block do not count: none of them is new
  block next(std::size_t calls, std::size_t skipped, race_blocks missing);

  /// How many draws are left that would be new.
  std::size_t unseen() const {
    return unseen_.size() + waiting_.size();
  }

  /// How both processes call the inputs of a draw.
  const std::string& name_of(const input_draw& draw) const;

private:
  struct place {
    std::string name;
    const input_draw* draw = nullptr; // none: nobody's yet
  };

  bool draws_fresh(race_blocks missing);

  std::mt19937_64& random_;
  const input_draw* familiar_;
  std::vector<const input_draw*> seen_;
  std::vector<const input_draw*> unseen_;
  std::deque<const input_draw*> waiting_; // in a place, and new
  std::deque<place> places_;              // the first one gets the next new inputs
};

} // namespace lathe::gpu
