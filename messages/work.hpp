#pragma once

#include "messages/llm.hpp"
#include "messages/task.hpp"
#include "messages/types.hpp"
#include "messages/verdict.hpp"

#include <array>
#include <map>

// What a session asks of its agents, and what they answer. A request carries all that the answer
// needs: agents keep no state between requests.

namespace lathe {

// -- agents ------------------------------------------------------------------------

/// What an agent does.
enum class role : std::uint8_t {
  planner,  ///< task -> ideas
  coder,    ///< assignment -> candidate
  fixer,    ///< rejected candidate -> candidate
  profiler, ///< correct candidate -> insight
  recipe,   ///< task -> candidates, without an LLM
};

template <>
struct enum_names<role> {
  static constexpr std::array<std::string_view, 5> value = {"planner", "coder", "fixer", "profiler",
                                                            "recipe"};
};

/// One agent of a topology, as the actors of its pool get it.
struct agent_config {
  std::string name;
  lathe::role role = lathe::role::coder;
  std::string model;               ///< a model's name in the topology; empty: works without an LLM
  std::string prompt;              ///< the prompt template's text
  std::int32_t instances = 1;      ///< actors in the pool
  bool stop_after_code = false;    ///< coder, fixer: its candidate is all that is heard out
  bool continue_cut = false;       ///< coder, fixer: what the token limit cut off is asked for
  std::int32_t ideas = 10;         ///< planner: how many to ask for
  std::int32_t attempts = 5;       ///< fixer: how often one line of work is mended
  std::vector<std::string> passes; ///< recipe: names of pass files
  std::map<std::string, std::string> own_passes; ///< recipe: the user's, each with its text
  std::int32_t drafts = 16;                      ///< recipe: how many to make of one task at most
  double timeout = 900;            ///< [seconds] for one request
  std::int32_t priority = 0;       ///< of its questions to models; the higher goes first
  spend_limit budget;              ///< of each session
  spend_limit run_budget;          ///< of all sessions together

  friend bool operator==(const agent_config&, const agent_config&) = default;
};

template <class Inspector>
bool inspect(Inspector& f, agent_config& x) {
  return f.object(x).fields(
    f.field("name", x.name), f.field("role", x.role), f.field("model", x.model),
    f.field("prompt", x.prompt), f.field("instances", x.instances), f.field("ideas", x.ideas),
    f.field("attempts", x.attempts), f.field("passes", x.passes),
    f.field("own_passes", x.own_passes).fallback(std::map<std::string, std::string>{}),
    f.field("drafts", x.drafts).fallback(std::int32_t{16}), f.field("timeout", x.timeout),
    f.field("stop_after_code", x.stop_after_code).fallback(false),
    f.field("continue_cut", x.continue_cut).fallback(false),
    f.field("priority", x.priority).fallback(std::int32_t{0}),
    f.field("budget", x.budget).fallback(spend_limit{}),
    f.field("run_budget", x.run_budget).fallback(spend_limit{}));
}

// -- candidates ----------------------------------------------------------------------

/// A Python file with `ModelNew`, and where it came from.
struct candidate {
  candidate_id id;
  std::string source;
  std::string origin; ///< in words: "coder#2 <- planner idea 1", "recipe: compile"
};

template <class Inspector>
bool inspect(Inspector& f, candidate& x) {
  return f.object(x).fields(f.field("id", x.id), f.field("source", x.source),
                            f.field("origin", x.origin));
}

/// A correct candidate that an assignment starts from.
struct parent {
  candidate_id id;
  std::string source;
  double seconds = 0;  ///< median of one call
  double speedup = 0;  ///< against eager
  std::string insight; ///< the profiler's words; may be empty
};

template <class Inspector>
bool inspect(Inspector& f, parent& x) {
  return f.object(x).fields(f.field("id", x.id), f.field("source", x.source),
                            f.field("seconds", x.seconds), f.field("speedup", x.speedup),
                            f.field("insight", x.insight));
}

/// What was tried before and how it ended, in one line each.
struct attempt_note {
  candidate_id id;
  std::string idea;
  std::string result; ///< "incorrect: output 0: 512 of 65536 elements off ..."
};

template <class Inspector>
bool inspect(Inspector& f, attempt_note& x) {
  return f.object(x).fields(f.field("id", x.id), f.field("idea", x.idea),
                            f.field("result", x.result));
}

// -- planner --------------------------------------------------------------------------

struct plan_request {
  session_id session;
  request_id id = 0;
  task subject;
  task_profile profile;
};

template <class Inspector>
bool inspect(Inspector& f, plan_request& x) {
  return f.object(x).fields(f.field("session", x.session), f.field("id", x.id),
                            f.field("subject", x.subject), f.field("profile", x.profile));
}

struct idea_list {
  std::vector<std::string> ideas; ///< best first
  std::string problem;            ///< why there are none, in words; else empty
  spend cost;
};

template <class Inspector>
bool inspect(Inspector& f, idea_list& x) {
  return f.object(x).fields(f.field("ideas", x.ideas), f.field("problem", x.problem),
                            f.field("cost", x.cost));
}

// -- coder ----------------------------------------------------------------------------

struct assignment {
  session_id session;
  request_id id = 0;
  task subject;
  task_profile profile;
  std::string idea;                  ///< may be empty
  std::vector<parent> parents;       ///< best first; empty: start from the task
  std::vector<attempt_note> history; ///< what failed or did not help before
  std::int32_t queries = 1;          ///< may be asked; 2: a cut answer may go on
};

template <class Inspector>
bool inspect(Inspector& f, assignment& x) {
  return f.object(x).fields(f.field("session", x.session), f.field("id", x.id),
                            f.field("subject", x.subject), f.field("profile", x.profile),
                            f.field("idea", x.idea), f.field("parents", x.parents),
                            f.field("history", x.history), f.field("queries", x.queries));
}

/// A candidate's text as an agent hands it in.
struct draft {
  std::string source;
  std::string label;   ///< recipe: which passes; else empty
  std::string problem; ///< why the answer holds no candidate, `source` then is the answer; else empty
  spend cost;
};

template <class Inspector>
bool inspect(Inspector& f, draft& x) {
  return f.object(x).fields(f.field("source", x.source), f.field("label", x.label),
                            f.field("problem", x.problem), f.field("cost", x.cost));
}

// -- fixer ----------------------------------------------------------------------------

struct fix_request {
  session_id session;
  request_id id = 0;
  task subject;
  task_profile profile;
  candidate rejected;
  lathe::verdict verdict;
  std::vector<attempt_note> history; ///< earlier fixes of this line of work, oldest first
  std::int32_t queries = 1;          ///< may be asked; 2: a cut answer may go on
};

template <class Inspector>
bool inspect(Inspector& f, fix_request& x) {
  return f.object(x).fields(f.field("session", x.session), f.field("id", x.id),
                            f.field("subject", x.subject), f.field("profile", x.profile),
                            f.field("rejected", x.rejected), f.field("verdict", x.verdict),
                            f.field("history", x.history), f.field("queries", x.queries));
}

// -- profiler ---------------------------------------------------------------------------

struct profile_request {
  session_id session;
  request_id id = 0;
  task subject;
  task_profile profile;
  candidate correct;
  lathe::verdict verdict;
};

template <class Inspector>
bool inspect(Inspector& f, profile_request& x) {
  return f.object(x).fields(f.field("session", x.session), f.field("id", x.id),
                            f.field("subject", x.subject), f.field("profile", x.profile),
                            f.field("correct", x.correct), f.field("verdict", x.verdict));
}

struct insight {
  std::string text;
  spend cost;
};

template <class Inspector>
bool inspect(Inspector& f, insight& x) {
  return f.object(x).fields(f.field("text", x.text), f.field("cost", x.cost));
}

// -- recipe ----------------------------------------------------------------------------

/// How a combination of passes did.
struct tried_recipe {
  std::string label;  ///< "fold+compile"
  double speedup = 0; ///< over the reference; 0: not correct
};

template <class Inspector>
bool inspect(Inspector& f, tried_recipe& x) {
  return f.object(x).fields(f.field("label", x.label), f.field("speedup", x.speedup));
}

struct recipe_request {
  session_id session;
  request_id id = 0;
  task subject;
  std::vector<std::string> passes; ///< names; filled in by the agent
  std::map<std::string, std::string> own_passes; ///< likewise; they take the place of Lathe's
  std::int32_t drafts = 0;                       ///< how many to make at most
  std::vector<std::string> usable;               ///< passes that apply, as an earlier book said
  std::vector<tried_recipe> tried;               ///< empty: the first drafts are wanted
  std::string around; ///< source of a candidate to work on; empty: work on the task
};

template <class Inspector>
bool inspect(Inspector& f, recipe_request& x) {
  return f.object(x).fields(
    f.field("session", x.session), f.field("id", x.id), f.field("subject", x.subject),
    f.field("passes", x.passes), f.field("own_passes", x.own_passes), f.field("drafts", x.drafts),
    f.field("usable", x.usable), f.field("tried", x.tried), f.field("around", x.around));
}

struct recipe_book {
  std::vector<draft> drafts;         ///< none: there is nothing left to try
  std::vector<std::string> declined; ///< "fold: the model has no batch norm"
  std::vector<std::string> usable;   ///< names of passes that apply to the task
};

template <class Inspector>
bool inspect(Inspector& f, recipe_book& x) {
  return f.object(x).fields(f.field("drafts", x.drafts), f.field("declined", x.declined),
                            f.field("usable", x.usable));
}

// -- evaluator --------------------------------------------------------------------------

struct evaluation_request {
  session_id session;
  request_id id = 0;
  candidate subject;
  std::int32_t priority = 0; ///< higher goes first
  bool confirm = false;      ///< times a winner once more, longer, before it is handed to the user
  bool want_profile = false; ///< when it is correct, says where its time goes

  /// Those of one kin get what was compiled for each other: what rules alone made of one task.
  /// Empty: it has no kin, since somebody else had a part in it.
  std::string kin = {};
};

template <class Inspector>
bool inspect(Inspector& f, evaluation_request& x) {
  return f.object(x).fields(f.field("session", x.session), f.field("id", x.id),
                            f.field("subject", x.subject), f.field("priority", x.priority),
                            f.field("confirm", x.confirm), f.field("want_profile", x.want_profile),
                            f.field("kin", x.kin));
}

// -- pools -----------------------------------------------------------------------------

/// How busy a pool of agents is.
struct pool_status {
  std::string name;
  std::int32_t instances = 0;
  std::int32_t busy = 0;
  std::int32_t queued = 0;
  std::int64_t answered = 0;
  std::int64_t restarts = 0;
};

template <class Inspector>
bool inspect(Inspector& f, pool_status& x) {
  return f.object(x).fields(f.field("name", x.name), f.field("instances", x.instances),
                            f.field("busy", x.busy), f.field("queued", x.queued),
                            f.field("answered", x.answered), f.field("restarts", x.restarts));
}

/// Gives a pool a new configuration: requests under way finish under the old one.
struct pool_update {
  agent_config config;
};

template <class Inspector>
bool inspect(Inspector& f, pool_update& x) {
  return f.object(x).fields(f.field("config", x.config));
}

} // namespace lathe
