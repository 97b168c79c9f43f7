#include "gpu/room.hpp"

#include <algorithm>
#include <tuple>

namespace lathe::gpu {

namespace {

constexpr std::int64_t resources::*kinds[] = {&resources::device, &resources::host,
                                              &resources::cores, &resources::places};

// How many may pass, by turn.
constexpr int patience[] = {0, 16, 64};

resources& operator+=(resources& x, const resources& y) {
  for (auto kind : kinds)
    x.*kind += y.*kind;
  return x;
}

resources& operator-=(resources& x, const resources& y) {
  for (auto kind : kinds)
    x.*kind -= y.*kind;
  return x;
}

resources operator-(resources x, const resources& y) {
  return x -= y;
}

// Whether they want some of the same.
bool compete(const resources& x, const resources& y) {
  return std::ranges::any_of(kinds, [&](auto kind) { return x.*kind > 0 && y.*kind > 0; });
}

} // namespace

// -- room -----------------------------------------------------------------------------

room::share room::take(const resources& amount, turn when) {
  std::unique_lock guard{mutex_};
  wait(guard, amount, when, false);
  add(amount, use::works);
  return {*this, amount, use::works};
}

room::share room::take_device() {
  return take({.device = size_.device}, turn::last);
}

room::share room::keep_nothing() {
  return {*this, {}, use::keeps};
}

resources room::kept() {
  std::lock_guard guard{mutex_};
  return kept_;
}

std::size_t room::waiting() {
  std::lock_guard guard{mutex_};
  return waiting_.size();
}

// For the turn of one who wants so much.
void room::wait(std::unique_lock<std::mutex>& guard, const resources& amount, turn when,
                bool grows) {
  auto me = waiting_.insert(waiting_.end(), {when, last_ticket_++, amount, grows});
  changed_.wait(guard, [&] { return is_next(*me); });
  for (auto& other : waiting_)
    if (other.ticket < me->ticket && compete(other.amount, amount))
      ++other.passed;
  waiting_.erase(me);
}

// Of each kind there is as much, or nobody who would give some back.
bool room::fits(const resources& amount, const resources& working) const {
  return std::ranges::all_of(kinds, [&](auto kind) {
    return amount.*kind <= 0 || amount.*kind <= free_.*kind || working.*kind == 0;
  });
}

bool room::is_tired(const waiter& x) const {
  return x.passed >= patience[static_cast<std::size_t>(x.when)];
}

bool room::is_before(const waiter& x, const waiter& y) const {
  auto rank = [&](const waiter& who) {
    // When nobody works somebody gets in who may not fit: one of those who will give most back.
    auto gives_most = who.grows && std::ranges::all_of(kinds, [&](auto kind) {
                        return who.amount.*kind <= 0 || working_.*kind == 0;
                      });
    return std::tuple{!gives_most, !who.grows, is_tired(who) ? turn::first : who.when, who.ticket};
  };
  return rank(x) < rank(y);
}

// It fits, and of those before it who want some of the same none does, and none has been passed
// often enough.
bool room::is_next(const waiter& x) const {
  return fits(x.amount, working_) && std::ranges::none_of(waiting_, [&](const waiter& other) {
           return compete(other.amount, x.amount) && is_before(other, x)
                  && (is_tired(other) || fits(other.amount, working_));
         });
}

void room::add(const resources& amount, use how) {
  free_ -= amount;
  held_by(how) += amount;
  changed_.notify_all();
}

void room::remove(const resources& amount, use how) {
  free_ += amount;
  held_by(how) -= amount;
  changed_.notify_all();
}

resources& room::held_by(use how) {
  return how == use::works ? working_ : how == use::keeps ? kept_ : growing_;
}

// -- share ----------------------------------------------------------------------------

room::share::~share() {
  if (home_ == nullptr)
    return;
  std::lock_guard guard{home_->mutex_};
  home_->remove(amount_, use_);
}

void room::share::resize(const resources& amount) {
  std::lock_guard guard{home_->mutex_};
  change(amount, use_);
}

bool room::share::try_resize(const resources& amount) {
  std::lock_guard guard{home_->mutex_};
  auto others = use_ == use::works ? home_->working_ - amount_ : home_->working_;
  if (!home_->fits(amount - amount_, others))
    return false;
  change(amount, use_);
  return true;
}

// Without a gap in which it is among nobody: who would be alone then would be let in beside it.
void room::share::grow(const resources& amount, turn when) {
  std::unique_lock guard{home_->mutex_};
  change(amount_, use::grows);
  home_->wait(guard, amount - amount_, when, true);
  change(amount, use::works);
}

void room::share::keep(const resources& amount) {
  std::lock_guard guard{home_->mutex_};
  change(amount, use::keeps);
}

void room::share::change(const resources& amount, use how) {
  home_->remove(amount_, use_);
  amount_ = amount;
  use_ = how;
  home_->add(amount_, use_);
}

// -- peak_room ------------------------------------------------------------------------

peak_room::claim::claim(peak_room& home, std::int64_t amount) : home_(home) {
  std::lock_guard guard{home_.mutex_};
  place_ = home_.amounts_.insert(amount);
  home_.adjust();
}

peak_room::claim::~claim() {
  std::lock_guard guard{home_.mutex_};
  home_.amounts_.erase(place_);
  home_.adjust();
}

} // namespace lathe::gpu
