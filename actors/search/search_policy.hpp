#pragma once

#include "messages/topology.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lathe::actors {

/// Where a new line of work starts.
struct search_choice {
  std::optional<std::int32_t> idea;  ///< index into the planner's ideas
  std::vector<candidate_id> parents; ///< best first; empty: the task itself

  friend bool operator==(const search_choice&, const search_choice&) = default;
};

/// Picks parents and ideas. Pure: fed what happened, asked what to start next; the same history
/// always gives the same answers, so a session can be rebuilt from its journal.
///
/// A *line of work* begins with a choice and ends with a correct candidate, or when its fixes are
/// used up.
class search_policy {
public:
  virtual ~search_policy() = default;

  // -- what happened ------------------------------------------------------------------

  /// The planner handed in this many ideas. They are numbered from 0 in the order they came.
  virtual void add_ideas(std::int32_t count) = 0;

  /// A candidate turned out correct. Speed-up is against eager.
  virtual void add_correct(const candidate_id& id, double speedup) = 0;

  /// A line of work began with this choice.
  virtual void begin(const search_choice& choice) = 0;

  /// A line of work ended.
  virtual void conclude() = 0;

  // -- what next ---------------------------------------------------------------------------

  /// Returns where to start the next line of work; nothing while it waits, or when it is done.
  virtual std::optional<search_choice> choose() const = 0;
};

/// Makes the policy that `config` names; nullptr for an unknown name.
std::unique_ptr<search_policy> make_search_policy(const search_config& config);

/// The names that `make_search_policy` knows.
const std::vector<std::string>& search_policy_names();

} // namespace lathe::actors
