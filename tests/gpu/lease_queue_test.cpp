#include "gpu/lease_queue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <set>

using namespace lathe;
using namespace std::chrono_literals;
using gpu::lease_queue;

namespace {

using time_point = lease_queue::time_point;

constexpr auto start = time_point{} + 1h;

const auto shared = lease_request{"a", lease_kind::shared};
const auto exclusive = lease_request{"b", lease_kind::exclusive};

lease_request request(session_id session, std::int32_t priority = 0) {
  return {std::move(session), lease_kind::exclusive, priority};
}

lease_request impatient(std::int64_t timeout_ms) {
  return {"a", lease_kind::exclusive, 0, timeout_ms};
}

// Grants one exclusive lease after the other, and returns the tickets in the order of grants.
std::vector<std::uint64_t> drain(lease_queue& queue) {
  std::vector<std::uint64_t> result;
  for (auto granted = queue.decide(start); !granted.empty(); granted = queue.decide(start)) {
    result.push_back(granted.front().ticket);
    queue.release(granted.front().granted->fence);
  }
  return result;
}

} // namespace

TEST(lease_queue, shared_leases_are_granted_together) {
  lease_queue queue{8};
  queue.push(shared, start);
  queue.push(shared, start);
  EXPECT_EQ(queue.decide(start).size(), 2u);
  EXPECT_EQ(queue.held(), 2u);
}

TEST(lease_queue, an_exclusive_lease_is_alone) {
  lease_queue queue{8};
  queue.push(exclusive, start);
  queue.push(shared, start);
  auto first = queue.decide(start);
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].granted->kind, lease_kind::exclusive);
  EXPECT_TRUE(queue.release(first[0].granted->fence));
  auto second = queue.decide(start);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].granted->kind, lease_kind::shared);
}

TEST(lease_queue, a_waiting_exclusive_request_stops_new_shared_grants) {
  lease_queue queue{8};
  queue.push(shared, start);
  auto held = queue.decide(start);
  ASSERT_EQ(held.size(), 1u);
  queue.push(exclusive, start);
  queue.push(shared, start);
  EXPECT_TRUE(queue.decide(start).empty());
  queue.release(held[0].granted->fence);
  auto next = queue.decide(start);
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].granted->kind, lease_kind::exclusive);
}

TEST(lease_queue, a_higher_priority_goes_first) {
  lease_queue queue{8};
  auto low = queue.push(request("a", -1), start);
  auto lowest = queue.push(request("a", std::numeric_limits<std::int32_t>::min()), start);
  auto high = queue.push(request("a", 3), start);
  EXPECT_EQ(drain(queue), (std::vector{*high, *low, *lowest}));
}

TEST(lease_queue, sessions_take_turns_within_a_priority) {
  lease_queue queue{8};
  auto a1 = queue.push(request("a"), start);
  auto a2 = queue.push(request("a"), start);
  auto a3 = queue.push(request("a"), start);
  auto b1 = queue.push(request("b"), start);
  auto c1 = queue.push(request("c"), start);
  auto b2 = queue.push(request("b"), start);
  EXPECT_EQ(drain(queue), (std::vector{*a1, *b1, *c1, *a2, *b2, *a3}));
}

TEST(lease_queue, a_session_that_comes_back_does_not_overtake_one_that_kept_waiting) {
  lease_queue queue{8};
  auto b1 = queue.push(request("b"), start);
  auto a1 = queue.push(request("a"), start);
  queue.push(request("a"), start);
  auto first = queue.decide(start);
  ASSERT_EQ(first[0].ticket, b1);
  queue.push(request("b"), start);
  queue.release(first[0].granted->fence);
  auto second = queue.decide(start);
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(second[0].ticket, a1);
}

TEST(lease_queue, those_who_wait_for_exclusive_leases_follow_each_other) {
  lease_queue queue{8};
  queue.push(shared, start);
  auto out = queue.decide(start)[0].granted->fence;
  auto first = queue.push(request("a"), start);
  auto second = queue.push(shared, start);
  auto third = queue.push({"b", lease_kind::shared}, start);
  auto fourth = queue.push(request("c"), start);
  EXPECT_TRUE(queue.decide(start).empty());
  queue.release(out);
  auto granted = queue.decide(start);
  ASSERT_EQ(granted.size(), 1u);
  EXPECT_EQ(granted[0].ticket, *first);
  queue.push(request("d"), start);
  queue.release(granted[0].granted->fence);
  granted = queue.decide(start);
  ASSERT_EQ(granted.size(), 1u);
  EXPECT_EQ(granted[0].ticket, *fourth);
  queue.release(granted[0].granted->fence);
  granted = queue.decide(start);
  ASSERT_EQ(granted.size(), 2u) << "who came later waits for its turn";
  EXPECT_EQ(granted[0].ticket, *third);
  EXPECT_EQ(granted[1].ticket, *second);
}

TEST(lease_queue, a_shared_request_waits_for_one_turn_of_others_however_many_follow_it) {
  lease_queue queue{8};
  auto one = request("a");
  auto other = request("b");
  queue.push(other, start);
  auto fence = queue.decide(start)[0].granted->fence;
  queue.push(other, start);
  auto patient = queue.push({"a", lease_kind::shared}, start);
  queue.push(one, start);
  // Whoever had a lease wants the next one.
  auto rounds = 0;
  for (auto served = false; !served && rounds < 10; ++rounds) {
    queue.release(fence);
    for (auto& x : queue.decide(start)) {
      served = served || x.ticket == *patient;
      fence = x.granted->fence;
    }
    queue.push(rounds % 2 == 0 ? other : one, start);
  }
  EXPECT_LE(rounds, 3);
}

TEST(lease_queue, who_follows_does_not_do_so_after_a_more_urgent_one) {
  lease_queue queue{8};
  queue.push(request("a", 1), start);
  auto fence = queue.decide(start)[0].granted->fence;
  auto patient = queue.push({"a", lease_kind::shared}, start);
  queue.push(request("b"), start);
  queue.push(request("c", 1), start);
  queue.release(fence);
  fence = queue.decide(start)[0].granted->fence; // the urgent one's: b waits for exclusive, too
  queue.release(fence);
  auto next = queue.decide(start);
  ASSERT_FALSE(next.empty());
  EXPECT_EQ(next[0].ticket, *patient);
}

TEST(lease_queue, who_is_more_urgent_does_not_wait_for_those_who_follow) {
  lease_queue queue{8};
  auto first = queue.push(request("a"), start);
  auto second = queue.push(request("b"), start);
  auto granted = queue.decide(start);
  ASSERT_EQ(granted.size(), 1u);
  EXPECT_EQ(granted[0].ticket, *first);
  auto urgent = queue.push({"c", lease_kind::shared, 1}, start);
  queue.release(granted[0].granted->fence);
  EXPECT_EQ(drain(queue), (std::vector{*urgent, *second}));
}

TEST(lease_queue, a_full_queue_refuses) {
  lease_queue queue{1};
  EXPECT_TRUE(queue.push(exclusive, start));
  EXPECT_FALSE(queue.push(exclusive, start));
  queue.decide(start);
  EXPECT_TRUE(queue.push(exclusive, start)) << "a lease that is out does not count as waiting";
}

TEST(lease_queue, a_request_that_timed_out_is_told_so_once_and_never_granted) {
  lease_queue queue{8};
  queue.push(exclusive, start);
  auto held = queue.decide(start);
  auto late = queue.push(impatient(100), start);
  EXPECT_EQ(queue.deadline(*late), start + 100ms);
  EXPECT_TRUE(queue.decide(start + 99ms).empty());
  queue.release(held[0].granted->fence);
  auto ended = queue.decide(start + 100ms);
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].ticket, late);
  EXPECT_FALSE(ended[0].granted);
  EXPECT_TRUE(queue.decide(start + 200ms).empty());
}

TEST(lease_queue, an_exclusive_request_that_timed_out_lets_shared_ones_pass) {
  lease_queue queue{8};
  queue.push(shared, start);
  queue.decide(start);
  queue.push(impatient(100), start);
  auto behind = queue.push(shared, start);
  auto ended = queue.decide(start + 100ms);
  ASSERT_EQ(ended.size(), 2u);
  EXPECT_FALSE(ended[0].granted);
  EXPECT_EQ(ended[1].ticket, behind);
  EXPECT_TRUE(ended[1].granted);
}

TEST(lease_queue, a_timeout_may_be_as_long_as_numbers_go_or_over_already) {
  lease_queue queue{8};
  auto longest = queue.push(impatient(std::numeric_limits<std::int64_t>::max()), start);
  auto forever = queue.push(impatient(0), start);
  auto over = queue.push(impatient(-1), start);
  EXPECT_GT(queue.deadline(*longest), start + 24h);
  EXPECT_FALSE(queue.deadline(*forever));
  auto ended = queue.decide(start);
  ASSERT_EQ(ended.size(), 2u);
  EXPECT_EQ(ended[0].ticket, over);
  EXPECT_FALSE(ended[0].granted);
  EXPECT_EQ(ended[1].ticket, longest);
  EXPECT_TRUE(ended[1].granted);
}

TEST(lease_queue, a_cancelled_request_is_never_granted) {
  lease_queue queue{8};
  auto ticket = queue.push(exclusive, start);
  EXPECT_TRUE(queue.cancel(*ticket));
  EXPECT_FALSE(queue.cancel(*ticket));
  EXPECT_TRUE(queue.decide(start).empty());
}

TEST(lease_queue, a_stale_fence_releases_nothing) {
  lease_queue queue{8};
  EXPECT_FALSE(queue.release(7));
  queue.push(exclusive, start);
  auto fence = queue.decide(start)[0].granted->fence;
  queue.release(fence);
  queue.push(exclusive, start);
  ASSERT_EQ(queue.decide(start).size(), 1u);
  EXPECT_FALSE(queue.release(fence));
  EXPECT_EQ(queue.held(), 1u);
}

// -- random histories against a model ---------------------------------------------------

namespace {

// What the rules say, kept apart from how the queue does it.
class model {
public:
  explicit model(std::uint32_t seed) : random_(seed) {
    // nop
  }

  void step() {
    auto dice = below(100);
    if (dice < 50)
      push();
    else if (dice < 75)
      release();
    else if (dice < 80)
      cancel();
    else if (dice < 84)
      kill_holder();
    else
      now_ += std::chrono::milliseconds{below(40)};
    settle();
  }

  void drain() {
    for (int round = 0; round < 1000 && !waiting_.empty(); ++round) {
      release();
      settle();
    }
    EXPECT_TRUE(waiting_.empty());
    EXPECT_EQ(pushed_, granted_ + expired_ + cancelled_) << "every request ends once";
  }

  int granted() const {
    return granted_;
  }

  int expired() const {
    return expired_;
  }

private:
  struct waiter {
    lease_request request;
    time_point deadline;
    std::uint64_t holder;
  };

  struct holding {
    lease_kind kind;
    std::uint64_t holder;
  };

  using line = std::pair<std::int32_t, session_id>;
  using kind_of_line = std::pair<line, lease_kind>;

  static line line_of(const lease_request& x) {
    return {x.priority, x.session};
  }

  std::uint64_t below(std::uint64_t bound) {
    return random_() % bound;
  }

  template <class Map>
  std::uint64_t any_key(const Map& xs) {
    return std::next(xs.begin(), static_cast<std::ptrdiff_t>(below(xs.size())))->first;
  }

  // -- what happens -----------------------------------------------------------------------

  void push() {
    auto kind = below(4) == 0 ? lease_kind::exclusive : lease_kind::shared;
    auto request = lease_request{session_id(1, static_cast<char>('a' + below(4))), kind,
                                 static_cast<std::int32_t>(below(3)) - 1,
                                 static_cast<std::int64_t>(below(3) * 50)};
    auto deadline = request.timeout_ms == 0 ? time_point::max()
                                            : now_ + std::chrono::milliseconds{request.timeout_ms};
    auto full = waiting_.size() == bound;
    auto ticket = queue_.push(request, now_);
    ASSERT_EQ(ticket.has_value(), !full);
    if (!ticket)
      return;
    ASSERT_TRUE(waiting_.emplace(*ticket, waiter{request, deadline, below(6)}).second);
    ++pushed_;
  }

  void release() {
    EXPECT_FALSE(queue_.release(last_fence_ + 1));
    if (!held_.empty())
      release(any_key(held_));
  }

  void release(std::uint64_t fence) {
    held_.erase(fence);
    EXPECT_TRUE(queue_.release(fence));
    EXPECT_FALSE(queue_.release(fence));
  }

  void cancel() {
    if (!waiting_.empty())
      cancel(any_key(waiting_));
  }

  void cancel(std::uint64_t ticket) {
    EXPECT_TRUE(queue_.cancel(ticket));
    leave(ticket);
    ++cancelled_;
  }

  void kill_holder() {
    auto dead = below(6);
    for (auto [ticket, x] : std::map{waiting_})
      if (x.holder == dead)
        cancel(ticket);
    for (auto [fence, x] : std::map{held_})
      if (x.holder == dead)
        release(fence);
  }

  // -- what the queue makes of it -----------------------------------------------------------

  void settle() {
    for (auto& x : queue_.decide(now_)) {
      ASSERT_TRUE(waiting_.contains(x.ticket));
      if (x.granted)
        check_grant(x.ticket, *x.granted);
      else
        check_expiry(x.ticket);
    }
    check_rest();
  }

  void check_expiry(std::uint64_t ticket) {
    EXPECT_LE(waiting_.at(ticket).deadline, now_);
    leave(ticket);
    ++expired_;
  }

  void check_grant(std::uint64_t ticket, lease granted) {
    auto x = waiting_.at(ticket);
    EXPECT_GT(x.deadline, now_);
    EXPECT_EQ(granted.kind, x.request.kind);
    EXPECT_GT(granted.fence, last_fence_);
    last_fence_ = granted.fence;
    for (auto& [fence, other] : held_)
      EXPECT_TRUE(granted.kind == lease_kind::shared && other.kind == lease_kind::shared);
    for (auto& [earlier, other] : waiting_) {
      EXPECT_LE(other.request.priority, x.request.priority);
      if (line_of(other.request) == line_of(x.request) && other.request.kind == granted.kind) {
        EXPECT_GE(earlier, ticket) << "a session's own requests keep their order";
      }
    }
    if (following_.erase(ticket) == 0) {
      check_turns(line_of(x.request));
      see_who_follows(ticket, x.request);
    } else {
      overtakes_.erase({line_of(x.request), granted.kind});
    }
    held_.emplace(granted.fence, holding{granted.kind, x.holder});
    leave(ticket);
    ++granted_;
  }

  // The device is empty at last: those who wait for that, too, go before others' shared leases.
  void see_who_follows(std::uint64_t granted, const lease_request& request) {
    for (auto ticket : following_)
      EXPECT_NE(waiting_.at(ticket).request.priority, request.priority) << "somebody in between";
    following_.clear();
    for (auto& [ticket, x] : waiting_)
      if (request.kind == lease_kind::exclusive && x.request.kind == request.kind
          && x.request.priority == request.priority && ticket != granted)
        following_.insert(ticket);
  }

  // While a session waits, no other gets a second lease before it gets its own, but to follow.
  void check_turns(const line& granted) {
    for (auto kind : {lease_kind::shared, lease_kind::exclusive})
      overtakes_.erase({granted, kind});
    std::set<kind_of_line> others;
    for (auto& [ticket, x] : waiting_)
      if (x.request.priority == granted.first && x.request.session != granted.second)
        others.insert({line_of(x.request), x.request.kind});
    for (auto& x : others)
      EXPECT_LE(++overtakes_[x][granted.second], 1);
  }

  void leave(std::uint64_t ticket) {
    auto& left = waiting_.at(ticket).request;
    auto ours = kind_of_line{line_of(left), left.kind};
    waiting_.erase(ticket);
    following_.erase(ticket);
    auto same = [&](const auto& x) {
      return kind_of_line{line_of(x.second.request), x.second.request.kind} == ours;
    };
    if (std::none_of(waiting_.begin(), waiting_.end(), same))
      overtakes_.erase(ours);
  }

  // Nobody waits without a reason.
  void check_rest() {
    EXPECT_EQ(queue_.waiting(), waiting_.size());
    EXPECT_EQ(queue_.held(), held_.size());
    auto exclusive_waits = false;
    for (auto& [ticket, x] : waiting_) {
      EXPECT_GT(x.deadline, now_);
      exclusive_waits |= x.request.kind == lease_kind::exclusive;
    }
    if (!waiting_.empty()) {
      ASSERT_FALSE(held_.empty());
      EXPECT_TRUE(exclusive_waits || held_.begin()->second.kind == lease_kind::exclusive);
    }
  }

  static constexpr std::size_t bound = 24;

  std::mt19937 random_;
  time_point now_ = start;
  lease_queue queue_{bound};
  std::map<std::uint64_t, waiter> waiting_; // by ticket
  std::map<std::uint64_t, holding> held_;   // by fence
  std::map<kind_of_line, std::map<session_id, int>> overtakes_;
  std::set<std::uint64_t> following_; // tickets
  std::uint64_t last_fence_ = 0;
  int pushed_ = 0;
  int granted_ = 0;
  int expired_ = 0;
  int cancelled_ = 0;
};

} // namespace

TEST(lease_queue, keeps_its_rules_through_random_histories) {
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE(seed);
    model history{seed};
    for (int i = 0; i < 20'000 && !testing::Test::HasFailure(); ++i)
      history.step();
    history.drain();
    EXPECT_GT(history.granted(), 3'000);
    EXPECT_GT(history.expired(), 500);
  }
}

TEST(lease_queue, nothing_is_granted_on_a_gpu_that_must_not_be_used) {
  lease_queue queue{8};
  queue.push(shared, start);
  queue.push(impatient(500), start);
  EXPECT_TRUE(queue.decide(start, false).empty());
  auto ended = queue.decide(start + 1s, false);
  ASSERT_EQ(ended.size(), 1u) << "time limits go on";
  EXPECT_FALSE(ended[0].granted);
  EXPECT_EQ(queue.decide(start + 1s).size(), 1u);
}
