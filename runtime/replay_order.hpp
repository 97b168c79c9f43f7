#pragma once

#include "runtime/recording.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lathe::runtime {

/// Keeps what is written by a run that is played again in the order of its recording. Whoever
/// drives it asks where the recording stands, has that happen, and offers what is written then.
/// Pure.
class replay_order {
public:
  enum class decision {
    write, ///< it is what the recording has here, which stands behind it now
    hold,  ///< its turn comes later
    parts, ///< the recording has something else
    late,  ///< the recording is over, or has parted already
  };

  struct ruling {
    decision what = decision::late;
    std::size_t place = 0; ///< parts: in the recording, perhaps just behind it
    std::optional<std::size_t>
      offered; ///< parts: the record in place of it; nothing: there is none
  };

  /// @param events outlive this
  explicit replay_order(const std::vector<recorded_event>& events);

  /// Rules on what somebody wants to write at once. All that a session decides after it heard of
  /// something is written with it, so less or more than that differs, too.
  ruling offer(const std::vector<journal_record>& records);

  /// Returns what comes next that nobody offers, the records of devices, and passes over it.
  std::vector<journal_record> pass_devices();

  /// Whether records with these would be ruled on now, not held.
  bool is_due(const std::vector<journal_record>& records) const;

  /// What comes next.
  std::size_t due() const {
    return due_;
  }

  bool is_over() const {
    return parted_ || due_ == events_.size();
  }

private:
  std::size_t end_of_turn() const;

  const std::vector<recorded_event>& events_;
  std::map<std::string, std::size_t> last_; // place by writer
  std::size_t due_ = 0;
  bool parted_ = false;
};

} // namespace lathe::runtime
