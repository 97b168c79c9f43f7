#pragma once

#include "llm_clients/exchange.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <tuple>

namespace lathe::llm_clients {

/// Answers that have been paid for, so that the same question is not paid again: those of an
/// earlier run, and those of this run for an agent that died before it could hand its answer on.
/// Pure.
class answer_book {
public:
  /// Keeps at most `max_bytes` of this run's answers; what was added first goes first.
  explicit answer_book(std::size_t max_bytes);

  /// Adds an answer of an earlier run. It is never dropped: it may not have been asked for yet.
  void pin(recorded_answer x);

  /// Adds an answer of this run.
  void add(recorded_answer x);

  /// Returns the answer to this question, or nullptr.
  const llm_answer* find(const session_id& session, request_id request,
                         const std::string& prompt_hash) const;

private:
  using key = std::tuple<session_id, request_id, std::string>;

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::map<key, llm_answer> answers_;
  std::deque<key> order_; // this run's, oldest first
};

} // namespace lathe::llm_clients
