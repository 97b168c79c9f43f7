#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>

namespace lathe::gpu {

/// Knows the evaluation processes that compete for a host and its devices, and stops all but a few
/// of them while somebody times. Safe to use from any thread.
///
/// A process is frozen as long as there is a hold and none names its tag: who is timed on one device
/// goes on while somebody is timed on another. One that is added meanwhile is frozen at once. Nothing
/// stays frozen by accident: processes thaw when the last hold goes, and holds live in the state of
/// whoever times.
class freezer {
public:
  using clock = std::chrono::steady_clock;

  class process;
  class hold;

  /// @param now tells the time; only tests give another clock
  explicit freezer(std::function<clock::time_point()> now = clock::now);

  /// Adds a process group until the result is destroyed, which thaws it; destroy it before the
  /// group is reaped, since its number may then name somebody else.
  /// @param tag whose process it is; processes may share one
  /// @param freeze stops the group; called in turn with `thaw`, starting with `freeze`. Both must
  ///               be quick, must not throw, and must not use the freezer
  [[nodiscard]] std::unique_ptr<process> add(std::string tag, std::function<void()> freeze,
                                             std::function<void()> thaw);

  /// Freezes every process but those with one of these tags, or with one that another hold names,
  /// until the result is destroyed.
  [[nodiscard]] std::unique_ptr<hold> freeze_all_but(std::set<std::string> tags);

private:
  struct state;

  std::shared_ptr<state> state_; // shared with processes and holds: they may outlive the freezer
};

/// A process group that the freezer knows.
class freezer::process {
public:
  ~process();

  process(const process&) = delete;

  process& operator=(const process&) = delete;

  /// Returns how long the group has been frozen so far, all in all. This time is not its own: time
  /// limits must leave it out.
  clock::duration frozen_for() const;

private:
  friend class freezer;

  process(std::shared_ptr<state> home, std::string tag, std::function<void()> freeze,
          std::function<void()> thaw);

  std::shared_ptr<state> home_;
  std::string tag_;
  std::function<void()> freeze_;
  std::function<void()> thaw_;
  bool frozen_ = false;              // guarded, as the next two, by the mutex in `state`
  clock::time_point frozen_since_{}; // meaningful only while frozen
  clock::duration frozen_before_{0}; // over all earlier times
};

/// Keeps processes frozen while it lives.
class freezer::hold {
public:
  ~hold();

  hold(const hold&) = delete;

  hold& operator=(const hold&) = delete;

private:
  friend class freezer;

  hold(std::shared_ptr<state> home, std::set<std::string> awake);

  std::shared_ptr<state> home_;
  std::set<std::string> awake_;
};

} // namespace lathe::gpu
