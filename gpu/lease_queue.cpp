#include "gpu/lease_queue.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace lathe::gpu {

namespace {

// Keeps `now + timeout` far from overflow.
constexpr auto longest_timeout = std::chrono::milliseconds{std::chrono::hours{24 * 365}};

lease_queue::time_point deadline_of(const lease_request& request, lease_queue::time_point now) {
  if (request.timeout_ms == 0)
    return lease_queue::time_point::max();
  if (request.timeout_ms < 0)
    return now;
  return now + std::min(std::chrono::milliseconds{request.timeout_ms}, longest_timeout);
}

bool same_line(const lease_request& x, const lease_request& y) {
  return x.session == y.session && x.priority == y.priority;
}

} // namespace

lease_queue::lease_queue(std::size_t bound) : bound_(bound) {
  // nop
}

// -- waiting --------------------------------------------------------------------------

std::optional<std::uint64_t> lease_queue::push(lease_request request, time_point now) {
  if (waiting_.size() >= bound_)
    return std::nullopt;
  auto turn = last_turn_ + 1;
  for (auto& x : waiting_)
    if (same_line(x.request, request))
      turn = std::min(turn, x.turn);
  last_turn_ = std::max(last_turn_, turn);
  auto deadline = deadline_of(request, now);
  waiting_.push_back(entry{++last_ticket_, turn, deadline, std::move(request)});
  return last_ticket_;
}

std::vector<lease_queue::decision> lease_queue::decide(time_point now, bool usable) {
  std::vector<decision> result;
  std::erase_if(waiting_, [&](const entry& x) {
    if (x.deadline > now)
      return false;
    result.push_back({x.ticket, std::nullopt});
    return true;
  });
  while (usable && !waiting_.empty()) {
    auto next = first();
    if (!may_grant(next->request.kind))
      break;
    auto ticket = next->ticket;
    result.push_back({ticket, grant(next)});
  }
  return result;
}

bool lease_queue::cancel(std::uint64_t ticket) {
  return std::erase_if(waiting_, [&](const entry& x) { return x.ticket == ticket; }) > 0;
}

std::optional<lease_queue::time_point> lease_queue::deadline(std::uint64_t ticket) const {
  auto i = std::find_if(waiting_.begin(), waiting_.end(),
                        [&](const entry& x) { return x.ticket == ticket; });
  if (i == waiting_.end() || i->deadline == time_point::max())
    return std::nullopt;
  return i->deadline;
}

bool lease_queue::is_wanted_alone() const {
  return std::ranges::any_of(
    waiting_, [](const entry& x) { return x.request.kind == lease_kind::exclusive; });
}

// -- holding --------------------------------------------------------------------------

bool lease_queue::release(std::uint64_t fence) {
  return held_.erase(fence) > 0;
}

// -- the rules ------------------------------------------------------------------------

lease_queue::position lease_queue::first() {
  auto rank = [](const entry& x) {
    return std::tuple{-std::int64_t{x.request.priority}, x.turn, x.ticket};
  };
  auto result = std::ranges::min_element(waiting_, {}, rank);
  auto next = waiting_.end();
  for (auto i = waiting_.begin(); i != waiting_.end(); ++i)
    if (follows(*i) && (next == waiting_.end() || rank(*i) < rank(*next)))
      next = i;
  auto follows_now = next != waiting_.end() && next->request.priority == result->request.priority;
  return follows_now ? next : result;
}

bool lease_queue::follows(const entry& x) const {
  return x.request.kind == lease_kind::exclusive && x.ticket <= following_
         && x.request.priority == following_priority_;
}

bool lease_queue::may_grant(lease_kind kind) const {
  if (kind == lease_kind::exclusive)
    return held_.empty();
  return held_.empty() || held_.begin()->second == lease_kind::shared;
}

lease lease_queue::grant(position first) {
  auto is_follower = follows(*first);
  if (!is_follower) {
    following_ = first->request.kind == lease_kind::exclusive ? last_ticket_ : 0;
    following_priority_ = first->request.priority;
  }
  auto granted = std::move(first->request);
  waiting_.erase(first);
  ++last_turn_; // what else the session waits for goes to the end of the round
  for (auto& x : waiting_)
    if (same_line(x.request, granted) && (!is_follower || x.request.kind == lease_kind::exclusive))
      x.turn = last_turn_; // a shared one that was passed keeps its place
  held_.emplace(++last_fence_, granted.kind);
  return lease{last_fence_, granted.kind};
}

} // namespace lathe::gpu
