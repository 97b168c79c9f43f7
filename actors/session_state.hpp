#pragma once

#include "actors/search/search_policy.hpp"
#include "actors/session_event.hpp"
#include "messages/session.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lathe::actors {

/// A candidate as its session knows it.
struct candidate_entry {
  candidate_id id;
  std::string hash;             ///< of its source
  std::string label;            ///< recipe: which passes
  candidate_id around;          ///< recipe: the candidate that they work on; empty: the task
  std::string maker;            ///< the agent that made it
  std::string origin;           ///< in words: "coder#2 <- planner idea 1"
  std::int64_t line = -1;       ///< its line of work; -1 for recipes
  std::optional<lathe::verdict> verdict;
  bool confirmed = false;       ///< the verdict's time is a second, longer measurement
  std::string insight;

  /// Whether it is a recipe that this agent made of the task.
  bool is_recipe_of(const std::string& agent) const {
    return maker == agent && around.empty();
  }

  /// Returns its speed-up against eager; 0 while it has none.
  double speedup() const {
    return verdict && verdict->correct() && verdict->timing ? verdict->timing->speedup : 0;
  }
};

/// From an assignment to a correct candidate or the last failed fix.
struct line_of_work {
  std::optional<std::int32_t> idea;
  std::vector<candidate_id> parents;
  std::int32_t fixes = 0;            ///< asked for so far
  bool concluded = false;
  std::vector<attempt_note> history; ///< rejected candidates, oldest first
};

/// What is known of the recipes that an agent makes of the task.
struct recipe_search {
  std::vector<std::string> usable; ///< passes that apply
  bool over = false;               ///< there is nothing left to try
};

/// The message that an issued request goes out as.
using outgoing = std::variant<prepare_request, plan_request, assignment, fix_request,
                              profile_request, recipe_request, evaluation_request>;

/// The state of the work on one task: a fold over the session's events. Plain C++: no actors, no
/// clock, no files.
///
/// Whoever drives it applies what happened, then takes `next` until it returns nothing; each
/// decision is an event too, and is journaled before it takes effect.
class session_state {
public:
  // -- the fold -----------------------------------------------------------------------

  /// Hands in a candidate's text before the event that names it.
  void add_text(const std::string& hash, std::string text);

  void apply(const session_event& event);

  // -- decisions ------------------------------------------------------------------------

  /// Returns what to do next. `elapsed` is how long the session has worked [seconds]; while
  /// `stopping`, nothing new is issued.
  std::optional<session_event> next(double elapsed, bool stopping) const;

  /// Returns the message for a request.
  outgoing message_for(const request_issued& request) const;

  /// What the evaluator is to find out about the task. Recipes want to be tried, not to be told how
  /// fast torch.compile is, which takes as long as some of them: that is timed with the winner.
  prepare_request preparation() const;

  /// Returns the id that the next candidate of `agent` gets, after `skip` others.
  candidate_id next_candidate_id(const std::string& agent, std::int32_t skip = 0) const;

  // -- properties ----------------------------------------------------------------------------

  const topology& plan() const {
    return plan_;
  }

  const task& subject() const {
    return subject_;
  }

  const std::optional<task_profile>& profile() const {
    return profile_;
  }

  /// Requests without an answer, by id.
  const std::map<request_id, request_issued>& in_flight() const {
    return in_flight_;
  }

  /// All candidates in the order they came in.
  const std::vector<candidate_entry>& candidates() const {
    return candidates_;
  }

  const candidate_entry* find(const candidate_id& id) const;

  /// Returns the fastest correct candidate; nullptr while there is none.
  const candidate_entry* best() const;

  const std::string& text(const std::string& hash) const;

  const std::optional<session_ended>& ended() const {
    return ended_;
  }

  /// How long the session had worked when its last request went out [seconds].
  double elapsed() const {
    return elapsed_;
  }

  /// Passes that do not apply to this task, and why.
  const std::vector<std::string>& declined() const {
    return declined_;
  }

  spend cost() const;

  session_status status() const;

private:
  /// Something that waits to be sent to an agent or the evaluator.
  struct delivery {
    std::string target;
    candidate_id subject;
    std::int64_t line = -1;
  };

  /// What a coder is told that changes while it works. It is told the same whenever it is asked, or
  /// a question that was paid for would be another one.
  struct briefing {
    std::vector<attempt_note> lessons;
    std::vector<std::string> insights; ///< one a parent
  };

  // -- one event each ---------------------------------------------------------------------

  void on(const session_started& x);
  void on(const task_prepared& x);
  void on(const request_issued& x);
  void on(const ideas_received& x);
  void on(const drafts_received& x);
  void on(const verdict_received& x);
  void on(const insight_received& x);
  void on(const request_failed& x);
  void on(const topology_changed& x);
  void on(const session_suspended& x);
  void on(const session_ended& x);

  // -- steps of the fold --------------------------------------------------------------------

  /// Removes a request that was answered. Returns nothing for an unknown id.
  std::optional<request_issued> take(request_id id);

  void add_candidate(const request_issued& request, const received_draft& draft);
  void judged_correct(const candidate_entry& entry);
  void judged_wrong(const candidate_entry& entry);
  void conclude(std::int64_t line);

  // Takes what fits out of what waits, and ends the lines of work that it belongs to.
  template <class Predicate>
  void drop_waiting(Predicate is_lost);

  /// Sends an output along the topology's routes.
  void deliver(const std::string& source, const std::string& port, const candidate_id& subject,
               std::int64_t line);

  // -- decisions --------------------------------------------------------------------------------

  std::optional<session_event> next_delivery(double elapsed) const;
  std::optional<session_event> next_recipes(double elapsed) const;
  std::optional<session_event> next_line(double elapsed) const;
  std::optional<session_event> next_confirmation(double elapsed) const;
  session_ended end(double elapsed) const;
  std::string why_over(double elapsed) const;

  request_issued issue(std::string target, candidate_id subject, std::int64_t line,
                       double elapsed) const;

  // -- predicates -----------------------------------------------------------------------------------

  bool asks_llm(const std::string& target) const;

  /// How many questions a request may take: a second one is set aside where a model may be asked
  /// to go on, and given back when it was not.
  std::int32_t queries_for(const std::string& target) const;
  bool is_recipe(const std::string& target) const;
  bool affordable(const std::string& agent, double elapsed) const;
  bool time_is_up(double elapsed) const;
  bool ideas_settled(double elapsed) const;
  bool can_fix(const candidate_entry& entry) const;

  /// Whether all that a recipe agent made of the task is judged, and more may be asked of it.
  bool wants_more(const agent_config& agent, double elapsed) const;

  /// Targets of a route; of several agents with the same role the one with the least to do.
  std::vector<std::string> targets(const std::string& source, const std::string& port) const;

  std::size_t outstanding(const std::string& target) const;

  /// Names those that get what was compiled for each other: recipes of the task. Empty: none.
  std::string kin_of(const candidate_entry& entry) const;

  recipe_request recipes_wanted(const request_issued& request, const agent_config& agent) const;
  assignment assignment_for(const request_issued& request) const;
  briefing brief(const request_issued& request) const;
  std::vector<attempt_note> lessons() const;

  /// Returns the model in whose mailbox a question to `target` may lie; empty: none.
  std::string mailbox_of(const std::string& target) const;
  bool profiles_winners() const;

  // -- members ------------------------------------------------------------------------------------

  task subject_;
  topology plan_;
  std::unique_ptr<search_policy> search_;
  std::optional<task_profile> profile_;
  std::vector<std::string> ideas_;
  std::vector<std::string> declined_;
  std::vector<candidate_entry> candidates_;
  std::map<candidate_id, std::size_t> index_;      // into candidates_
  std::map<std::string, std::int32_t> made_;       // candidates by agent
  std::map<std::string, recipe_search> recipes_;   // by agent, of those that have answered
  std::vector<line_of_work> lines_;
  std::deque<delivery> waiting_;
  std::map<request_id, request_issued> in_flight_;
  std::map<request_id, briefing> briefings_;       // of coders that have not answered
  std::map<std::string, std::string> texts_;       // hash -> source
  request_id last_id_ = 0;
  std::int64_t queries_ = 0; // to models, those set aside among them; never more than the budget
  spend cost_;
  double elapsed_ = 0;
  std::set<std::string> out_of_budget_;            // agents whose questions do not fit any more
  std::string budget_reason_;                      // which budget it is
  std::string fatal_;                              // why the session cannot go on
  std::int64_t failures_ = 0;                      // requests that nobody could answer
  std::int64_t failed_in_a_row_ = 0;               // the last of them
  bool coded_ = false;                             // a model has handed in a draft
  std::string last_failure_;
  bool suspended_ = false; // nothing has happened since
  std::optional<session_ended> ended_;
};

/// Returns what a session writes first: how it began, and what it decides at once.
std::vector<session_event> opening_of(session_started start);

} // namespace lathe::actors
