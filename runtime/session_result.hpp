#pragma once

#include "actors/session_state.hpp"

#include <string>
#include <vector>

namespace lathe::runtime {

/// One candidate in a report.
struct result_row {
  candidate_id id;
  std::string origin;
  lathe::verdict verdict;
  bool confirmed = false;
};

/// What a session leaves for people: copied out of its state, so it can be kept and printed.
struct session_result {
  session_status status;
  task subject;
  task_profile profile;
  std::vector<result_row> rows;      ///< judged candidates, in the order they came in
  std::vector<std::string> declined; ///< recipes that do not apply, and why
  std::string reason;                ///< why it ended; empty while it goes on
  candidate_id best;                 ///< the fastest correct candidate; may be a tie; empty: none
  std::string best_source;

  /// Returns the row of the best candidate; nullptr while there is none.
  const result_row* best_row() const;

  /// Returns the fastest correct candidate that a recipe made; nullptr when there is none.
  const result_row* best_recipe() const;
};

session_result make_result(const actors::session_state& state);

} // namespace lathe::runtime
