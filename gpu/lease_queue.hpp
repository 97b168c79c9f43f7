#pragma once

#include "messages/lease.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace lathe::gpu {

/// Decides who holds a GPU. Pure: no actors, no GPU, and time comes in as a parameter.
///
/// Any number of shared leases or one exclusive lease. Requests are served strictly by priority;
/// within a priority sessions take turns, and a session's own requests of one kind go in order of
/// arrival. Nobody overtakes the request whose turn it is: an exclusive one waits there until the
/// leases that are out come back, and cannot starve behind newer shared ones. Then those follow
/// that wait for an exclusive one, too, at that moment and with the same priority, before anybody
/// gets a shared one: waiting for what is out costs everybody's time, and is done once for all of
/// them. Who is passed keeps the place in the round.
class lease_queue {
public:
  using time_point = std::chrono::steady_clock::time_point;

  /// How the wait of one request ended.
  struct decision {
    std::uint64_t ticket = 0;
    std::optional<lease> granted; ///< nothing: its time ran out
  };

  /// @param bound the most requests that may wait at once
  explicit lease_queue(std::size_t bound);

  // -- waiting ------------------------------------------------------------------------

  /// Lets `request` wait and returns its ticket, or nothing when the queue is full. A negative
  /// timeout has run out already.
  std::optional<std::uint64_t> push(lease_request request, time_point now);

  /// Ends all waits that end now, in order. A request is reported once, and one whose time ran out
  /// is never granted.
  /// @param usable whether the GPU may be used: else nothing is granted
  std::vector<decision> decide(time_point now, bool usable = true);

  /// Forgets a waiting request. Returns false for a ticket that does not wait.
  bool cancel(std::uint64_t ticket);

  /// Returns when this ticket's wait times out, or nothing when it does not wait or never does.
  std::optional<time_point> deadline(std::uint64_t ticket) const;

  std::size_t waiting() const {
    return waiting_.size();
  }

  /// Whether somebody waits for an exclusive lease.
  bool is_wanted_alone() const;

  // -- holding ------------------------------------------------------------------------

  /// Takes the lease with this fence back. Returns false for a fence that holds nothing.
  bool release(std::uint64_t fence);

  std::size_t held() const {
    return held_.size();
  }

private:
  struct entry {
    std::uint64_t ticket;
    std::uint64_t turn; // its session's place in the round
    time_point deadline;
    lease_request request;
  };

  using position = std::vector<entry>::iterator;

  position first();
  bool follows(const entry& x) const;
  bool may_grant(lease_kind kind) const;
  lease grant(position first);

  std::size_t bound_;
  std::vector<entry> waiting_;               // by arrival
  std::map<std::uint64_t, lease_kind> held_; // by fence
  std::uint64_t last_ticket_ = 0;
  std::uint64_t last_turn_ = 0;
  std::uint64_t last_fence_ = 0; // only grows, over the life of the queue
  std::uint64_t following_ = 0;  // tickets up to this one follow an exclusive lease
  std::int32_t following_priority_ = 0; // of that lease, and of those that follow
};

} // namespace lathe::gpu
