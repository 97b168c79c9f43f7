#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <set>
#include <utility>

namespace lathe::gpu {

/// What processes share.
struct resources {
  std::int64_t device = 0; ///< memory of the device [bytes]
  std::int64_t host = 0;   ///< memory of the host [bytes]
  std::int64_t cores = 0;
  std::int64_t places = 0; ///< of those who are checked and timed
};

/// Who goes first where several wait for room, of those who have some already and of those who have
/// nothing yet.
enum class turn : std::uint8_t {
  first, ///< nobody passes
  later, ///< lets those pass who fit while it does not, but only some
  last,  ///< lets many pass
};

/// Room that many share. Whoever wants some waits until all of it is there, and holds nothing
/// meanwhile. Safe to use from any thread.
///
/// Estimates may be wrong: a share can turn out larger than what is free, and who is the only one
/// to use something gets as much of it as they want.
class room {
public:
  class share;

  explicit room(const resources& size) : size_(size), free_(size) {
    // nop
  }

  room(const room&) = delete;
  room& operator=(const room&) = delete;

  /// Waits for so much. Among those with the same turn, and room for each, whoever came first is
  /// served first. The result must not outlive this object.
  [[nodiscard]] share take(const resources& amount, turn when = turn::first);

  /// Waits until all who use the device have gone but those who keep theirs, and lets nobody in
  /// beside it.
  [[nodiscard]] share take_device();

  /// Returns a share of nothing that nobody waits for, at once: to be resized.
  [[nodiscard]] share keep_nothing();

  const resources& size() const {
    return size_;
  }

  /// How much is kept by those whom nobody waits for, but for those who wait for more.
  resources kept();

  /// How many wait.
  std::size_t waiting();

private:
  struct waiter {
    turn when;
    std::uint64_t ticket;
    resources amount;
    bool grows;     // has some already
    int passed = 0; // by those who came after it
  };

  enum class use : std::uint8_t { works, keeps, grows };

  void wait(std::unique_lock<std::mutex>& guard, const resources& amount, turn when, bool grows);
  bool fits(const resources& amount, const resources& working) const;
  bool is_tired(const waiter& x) const;
  bool is_before(const waiter& x, const waiter& y) const;
  bool is_next(const waiter& x) const;
  void add(const resources& amount, use how);
  void remove(const resources& amount, use how);
  resources& held_by(use how);

  const resources size_;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  resources free_;    // less than nothing where shares grew
  resources working_; // will be given back: others wait for it
  resources kept_;
  resources growing_; // of those who wait for more
  std::uint64_t last_ticket_ = 0;
  std::list<waiter> waiting_;
};

/// Gives its room back when it goes.
class room::share {
public:
  share(share&& other) noexcept
    : home_(std::exchange(other.home_, nullptr)), amount_(other.amount_), use_(other.use_) {
    // nop
  }

  share& operator=(share&& other) noexcept {
    std::swap(home_, other.home_);
    std::swap(amount_, other.amount_);
    std::swap(use_, other.use_);
    return *this;
  }

  ~share();

  const resources& amount() const {
    return amount_;
  }

  /// Takes more or less, at once: where there is not so much, nobody else gets in until there is.
  void resize(const resources& amount);

  /// Takes so much at once, if there is.
  bool try_resize(const resources& amount);

  /// Waits until it has so much, of nothing less than before. Meanwhile it keeps what it has, and
  /// nobody waits for that. It goes before all who have nothing yet: they may be waiting for what
  /// it will give back.
  void grow(const resources& amount, turn when = turn::first);

  /// Takes so much for as long as it lives: nobody waits for it to go.
  void keep(const resources& amount);

private:
  friend class room;

  share(room& home, const resources& amount, use how) : home_(&home), amount_(amount), use_(how) {
    // nop
  }

  // Whoever calls it has the room's mutex.
  void change(const resources& amount, use how);

  room* home_;
  resources amount_;
  use use_;
};

/// A device's memory for many who need some of it for a while, one at a time: as much as the one
/// who needs most. Safe to use from any thread.
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
    share_.resize({.device = amounts_.empty() ? 0 : *amounts_.rbegin()});
  }

  std::mutex mutex_; // guards what follows
  std::multiset<std::int64_t> amounts_;
  room::share share_;
};

/// Sees to it that there is so much [bytes], at once: where there is not, nobody else gets in until
/// there is. Must not outlive its room.
class peak_room::claim {
public:
  claim(peak_room& home, std::int64_t amount);

  claim(const claim&) = delete;
  claim& operator=(const claim&) = delete;

  ~claim();

private:
  peak_room& home_;
  std::multiset<std::int64_t>::iterator place_;
};

} // namespace lathe::gpu
