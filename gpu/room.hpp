#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>

namespace lathe::gpu {

/// Who goes first where several wait for room.
enum class turn : std::uint8_t {
  first,
  later, ///< lets those pass who will give theirs back sooner, but only some
  last,  ///< lets many pass
};

/// Room that many share: a device's memory in bytes, or a host's cores. Safe to use from any
/// thread.
///
/// Estimates may be wrong: a share can turn out larger than what is free, and who is alone gets in
/// however much they want.
class room {
public:
  class share;

  explicit room(std::int64_t size) : size_(size), free_(size) {
    // nop
  }

  room(const room&) = delete;
  room& operator=(const room&) = delete;

  /// Waits for so much. Among those with the same turn whoever came first is served first. The
  /// result must not outlive this object.
  [[nodiscard]] share take(std::int64_t amount, turn when = turn::first);

  /// Waits until all have gone but those who keep theirs, and lets nobody in beside it.
  [[nodiscard]] share take_all();

  /// Returns a share of nothing that nobody waits for, at once: to be resized.
  [[nodiscard]] share keep_nothing();

  std::int64_t size() const {
    return size_;
  }

  /// How much is kept by those whom nobody waits for.
  std::int64_t kept() {
    std::lock_guard guard{mutex_};
    return kept_;
  }

  /// How many wait.
  std::size_t waiting() {
    std::lock_guard guard{mutex_};
    return waiting_.size();
  }

private:
  struct waiter {
    turn when;
    std::uint64_t ticket;
    std::int64_t amount;
    bool grows;     // has some already
    int passed = 0; // by those who came later
  };

  share take(std::int64_t amount, turn when, bool grows);
  bool is_next(const waiter& x) const;
  void leave(std::int64_t amount, bool works);

  const std::int64_t size_;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::int64_t free_;       // less than nothing where shares grew
  std::int64_t kept_ = 0;   // by those who do not work
  std::size_t working_ = 0; // shares that will be given back, others wait for them
  std::uint64_t last_ticket_ = 0;
  std::list<waiter> waiting_;
};

/// Gives its room back when it goes.
class room::share {
public:
  share(room& home, std::int64_t amount, bool works)
    : home_(&home), amount_(amount), works_(works) {
    // nop
  }

  share(share&& other) noexcept
    : home_(std::exchange(other.home_, nullptr)), amount_(other.amount_), works_(other.works_) {
    // nop
  }

  share& operator=(share&& other) noexcept {
    std::swap(home_, other.home_);
    std::swap(amount_, other.amount_);
    std::swap(works_, other.works_);
    return *this;
  }

  ~share() {
    if (home_ != nullptr)
      home_->leave(amount_, works_);
  }

  /// Takes more or less, at once: where there is not so much, nobody else gets in until there is.
  void resize(std::int64_t amount) {
    std::lock_guard guard{home_->mutex_};
    change(amount);
  }

  /// Takes so much at once, if there is. Who is alone gets it however much it is.
  bool try_resize(std::int64_t amount) {
    std::lock_guard guard{home_->mutex_};
    auto is_alone = home_->working_ == (works_ ? 1 : 0);
    if (amount - amount_ > home_->free_ && !is_alone)
      return false;
    change(amount);
    return true;
  }

  /// Waits until it has so much, or more. Meanwhile it keeps what it has, and nobody waits for
  /// that.
  void grow(std::int64_t amount, turn when = turn::first);

  /// Takes so much for as long as it lives: nobody waits for it to go.
  void keep(std::int64_t amount) {
    resize(amount);
    std::lock_guard guard{home_->mutex_};
    if (std::exchange(works_, false)) {
      --home_->working_;
      home_->kept_ += amount_;
    }
    home_->changed_.notify_all();
  }

private:
  // Whoever calls it has the room's mutex.
  void change(std::int64_t amount) {
    auto before = std::exchange(amount_, amount);
    home_->free_ += before - amount;
    if (!works_)
      home_->kept_ += amount - before;
    home_->changed_.notify_all();
  }

  room* home_;
  std::int64_t amount_;
  bool works_;
};

/// Room for many who need some of it for a while, one at a time: as much as the one who needs most.
/// Safe to use from any thread.
class peak_room {
public:
  class claim;

  explicit peak_room(room& home) : share_(home.keep_nothing()) {
    // nop
  }

  peak_room(const peak_room&) = delete;
  peak_room& operator=(const peak_room&) = delete;

private:
  void adjust() {
    share_.resize(amounts_.empty() ? 0 : *amounts_.rbegin());
  }

  std::mutex mutex_; // guards what follows
  std::multiset<std::int64_t> amounts_;
  room::share share_;
};

/// Sees to it that there is so much, at once: where there is not, nobody else gets in until there
/// is. Must not outlive its room.
class peak_room::claim {
public:
  claim(peak_room& home, std::int64_t amount) : home_(home) {
    std::lock_guard guard{home_.mutex_};
    place_ = home_.amounts_.insert(amount);
    home_.adjust();
  }

  claim(const claim&) = delete;
  claim& operator=(const claim&) = delete;

  ~claim() {
    std::lock_guard guard{home_.mutex_};
    home_.amounts_.erase(place_);
    home_.adjust();
  }

private:
  peak_room& home_;
  std::multiset<std::int64_t>::iterator place_;
};

inline room::share room::take_all() {
  return take(size_, turn::last);
}

inline room::share room::keep_nothing() {
  return {*this, 0, false};
}

inline room::share room::take(std::int64_t amount, turn when) {
  return take(amount, when, false);
}

inline room::share room::take(std::int64_t amount, turn when, bool grows) {
  std::unique_lock guard{mutex_};
  auto me = waiting_.insert(waiting_.end(), {when, last_ticket_++, amount, grows});
  changed_.wait(guard, [&] { return is_next(*me) && (free_ >= amount || working_ == 0); });
  for (auto other = waiting_.begin(); other != me; ++other)
    ++other->passed;
  waiting_.erase(me);
  free_ -= amount;
  ++working_;
  changed_.notify_all();
  return {*this, amount, true};
}

inline void room::share::grow(std::int64_t amount, turn when) {
  keep(amount_);
  auto more = home_->take(std::max<std::int64_t>(0, amount - amount_), when, true);
  std::lock_guard guard{home_->mutex_};
  home_->kept_ -= amount_;
  amount_ += std::exchange(more.amount_, 0);
  std::swap(works_, more.works_);
}

inline bool room::is_next(const waiter& x) const {
  constexpr int patience[] = {0, 16, 64};
  auto rank = [&](const waiter& who) {
    auto is_tired = who.passed >= patience[static_cast<std::size_t>(who.when)];
    // When nobody works somebody gets in who may not fit: one of those who will give most back.
    return std::tuple{working_ > 0 || !who.grows, is_tired ? turn::first : who.when, who.ticket};
  };
  for (auto& other : waiting_)
    if (rank(other) < rank(x))
      return false;
  return true;
}

inline void room::leave(std::int64_t amount, bool works) {
  std::lock_guard guard{mutex_};
  free_ += amount;
  if (works)
    --working_;
  else
    kept_ -= amount;
  changed_.notify_all();
}

} // namespace lathe::gpu
