#pragma once

#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

#include <cstddef>
#include <functional>
#include <map>
#include <vector>

namespace lathe::runtime {

/// Which of several devices works for which session: the one that had fewest of them when the
/// session was first heard of, for as long as that device is not lost. Pure.
class session_places {
public:
  /// @param count how many devices there are, at least one
  explicit session_places(std::size_t count);

  /// Returns the number of the session's device. One whose device is lost gets another, if any is
  /// left.
  std::size_t of(const session_id& session);

  /// The session is over: its device has one less.
  void leave(const session_id& session);

  /// Nobody is sent to that device any more, as long as any other is left.
  void lose(std::size_t place);

  bool any_left() const;

private:
  struct device {
    std::size_t sessions = 0;
    bool lost = false;
  };

  std::size_t emptiest() const;

  std::vector<device> devices_;
  std::map<session_id, std::size_t> places_;
};

/// Called when a session has been prepared anew on another device, given by its number, because
/// its own was lost.
using session_moved = std::function<void(const session_id&, std::size_t place)>;

/// Spawns a front for the evaluators of several devices. All candidates of a session are judged on
/// the same one. When that is lost the session's task is prepared on another, and what was asked is
/// asked there; `device_lost` is answered when none is left.
/// @param fronts one a device, at least one
/// @param tell from any thread
evaluator_actor spawn_device_router(caf::actor_system& sys, std::vector<evaluator_actor> fronts,
                                    session_moved tell);

} // namespace lathe::runtime
