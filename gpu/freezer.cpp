#include "gpu/freezer.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace lathe::gpu {

// The callbacks run under the mutex: a freeze and a thaw of one process must not change places.
struct freezer::state {
  std::function<clock::time_point()> now;
  std::mutex mutex;
  std::set<process*> processes;
  std::set<const hold*> holds;

  // Brings `x` to what the holds ask for.
  void settle(process& x) {
    set_frozen(x, !holds.empty()
                    && std::ranges::none_of(
                      holds, [&](const hold* y) { return y->awake_.contains(x.tag_); }));
  }

  void settle_all() {
    for (auto x : processes)
      settle(*x);
  }

  void set_frozen(process& x, bool frozen) {
    if (x.frozen_ == frozen)
      return;
    x.frozen_ = frozen;
    if (frozen) {
      x.frozen_since_ = now();
      x.freeze_();
    } else {
      x.thaw_();
      x.frozen_before_ += now() - x.frozen_since_;
    }
  }
};

// -- freezer --------------------------------------------------------------------------

freezer::freezer(std::function<clock::time_point()> now) : state_(std::make_shared<state>()) {
  state_->now = std::move(now);
}

std::unique_ptr<freezer::process> freezer::add(std::string tag, std::function<void()> freeze,
                                               std::function<void()> thaw) {
  return std::unique_ptr<process>{
    new process{state_, std::move(tag), std::move(freeze), std::move(thaw)}};
}

std::unique_ptr<freezer::hold> freezer::freeze_all_but(std::set<std::string> tags) {
  return std::unique_ptr<hold>{new hold{state_, std::move(tags)}};
}

// -- process --------------------------------------------------------------------------

freezer::process::process(std::shared_ptr<state> home, std::string tag,
                          std::function<void()> freeze, std::function<void()> thaw)
  : home_(std::move(home)), tag_(std::move(tag)), freeze_(std::move(freeze)),
    thaw_(std::move(thaw)) {
  auto guard = std::lock_guard{home_->mutex};
  home_->processes.insert(this);
  home_->settle(*this);
}

freezer::process::~process() {
  auto guard = std::lock_guard{home_->mutex};
  home_->processes.erase(this);
  home_->set_frozen(*this, false);
}

freezer::clock::duration freezer::process::frozen_for() const {
  auto guard = std::lock_guard{home_->mutex};
  return frozen_ ? frozen_before_ + (home_->now() - frozen_since_) : frozen_before_;
}

// -- hold -----------------------------------------------------------------------------

freezer::hold::hold(std::shared_ptr<state> home, std::set<std::string> awake)
  : home_(std::move(home)), awake_(std::move(awake)) {
  auto guard = std::lock_guard{home_->mutex};
  home_->holds.insert(this);
  home_->settle_all();
}

freezer::hold::~hold() {
  auto guard = std::lock_guard{home_->mutex};
  home_->holds.erase(this);
  home_->settle_all();
}

} // namespace lathe::gpu
