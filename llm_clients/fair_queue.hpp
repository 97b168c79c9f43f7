#pragma once

#include "messages/types.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace lathe::llm_clients {

/// What waits for one thing, of many sessions: sessions take turns, and within one the higher
/// priority goes first, then who has waited for longest. Pure.
template <class T>
class fair_queue {
public:
  /// What is to be done with somebody whose turn it is.
  enum class choice {
    take,
    pass_over, ///< he waits on, and the next may go
    stop,      ///< he waits on, and so do all others
  };

  /// Puts `x` behind those of its session and priority.
  void push(const session_id& session, std::int32_t priority, T x) {
    sessions_[session].waiting[-priority].push_back(std::move(x));
    ++size_;
  }

  /// Puts `x` before those of its session and priority.
  void push_front(const session_id& session, std::int32_t priority, T x) {
    sessions_[session].waiting[-priority].push_front(std::move(x));
    ++size_;
  }

  /// Takes out the first that `choose` takes, with which its session has had its turn. Nothing when
  /// there is none, or `choose` stops.
  template <class Choose>
  std::optional<T> take(Choose choose) {
    for (auto* each : in_turn())
      for (auto& [priority, list] : each->waiting)
        for (auto i = list.begin(); i != list.end(); ++i) {
          auto chosen = choose(std::as_const(*i));
          if (chosen == choice::stop)
            return std::nullopt;
          if (chosen == choice::pass_over)
            continue;
          std::optional<T> result{std::move(*i)};
          list.erase(i);
          --size_;
          each->turn = ++last_turn_;
          return result;
        }
    return std::nullopt;
  }

  /// Takes out all that `fits`, which is nobody's turn. Returns whether there were any.
  template <class Predicate>
  bool remove_if(Predicate fits) {
    auto before = size_;
    for (auto& [session, x] : sessions_)
      for (auto& [priority, list] : x.waiting)
        size_ -= std::erase_if(list, fits);
    return size_ < before;
  }

  /// Takes all out, in the order in which they would have had their turns, were there no others.
  std::vector<T> drain() {
    std::vector<T> result;
    while (auto x = take([](const T&) { return choice::take; }))
      result.push_back(std::move(*x));
    return result;
  }

  std::size_t size() const {
    return size_;
  }

private:
  struct queue {
    std::map<std::int32_t, std::deque<T>> waiting; // by priority, the highest first
    std::int64_t turn = 0;                         // its last; 0: none yet
  };

  // Who had no turn for longest is first.
  std::vector<queue*> in_turn() {
    std::vector<queue*> result;
    for (auto& [session, x] : sessions_)
      result.push_back(&x);
    std::stable_sort(result.begin(), result.end(),
                     [](const queue* x, const queue* y) { return x->turn < y->turn; });
    return result;
  }

  std::map<session_id, queue> sessions_;
  std::int64_t last_turn_ = 0;
  std::size_t size_ = 0;
};

} // namespace lathe::llm_clients
