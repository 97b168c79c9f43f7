#pragma once

#include "messages/error.hpp"
#include "messages/topology.hpp"

#include <string>
#include <variant>
#include <vector>

// What happens to a session. Its state is a fold over these, and the journal keeps nothing else
// about it. Texts of candidates are in the journal's blob table; events name them by hash.

namespace lathe::actors {

/// The session exists. Always the first event.
struct session_started {
  static constexpr std::string_view kind = "session_started";
  task subject;
  topology plan;
};

template <class Inspector>
bool inspect(Inspector& f, session_started& x) {
  return f.object(x).fields(f.field("subject", x.subject), f.field("plan", x.plan));
}

/// The oracle knows the task.
struct task_prepared {
  static constexpr std::string_view kind = "task_prepared";
  task_profile profile;
};

template <class Inspector>
bool inspect(Inspector& f, task_prepared& x) {
  return f.object(x).fields(f.field("profile", x.profile));
}

/// A request is about to go out.
struct request_issued {
  static constexpr std::string_view kind = "request_issued";
  request_id id = 0;
  std::string target;                ///< an agent's name, or `evaluator`
  candidate_id subject;              ///< what it is about; empty: the task
  std::int64_t line = -1;            ///< the line of work that it belongs to; -1: none
  std::optional<std::int32_t> idea;  ///< coder: index into the ideas
  std::vector<candidate_id> parents; ///< coder
  bool confirm = false;              ///< evaluator: times the winner again
  double elapsed = 0;                ///< [seconds] the session has worked so far
  std::int32_t queries = 1;          ///< set aside for it where it asks a model
};

template <class Inspector>
bool inspect(Inspector& f, request_issued& x) {
  return f.object(x).fields(f.field("id", x.id), f.field("target", x.target),
                            f.field("subject", x.subject), f.field("line", x.line),
                            f.field("idea", x.idea), f.field("parents", x.parents),
                            f.field("confirm", x.confirm), f.field("elapsed", x.elapsed),
                            f.field("queries", x.queries).fallback(std::int32_t{1}));
}

/// A planner answered.
struct ideas_received {
  static constexpr std::string_view kind = "ideas_received";
  request_id id = 0;
  idea_list answer;
};

template <class Inspector>
bool inspect(Inspector& f, ideas_received& x) {
  return f.object(x).fields(f.field("id", x.id), f.field("answer", x.answer));
}

/// One candidate as it came in.
struct received_draft {
  candidate_id id;
  std::string hash;    ///< of its source, in the blob table
  std::string label;   ///< recipe: which passes
  std::string problem; ///< why the answer held no candidate
};

template <class Inspector>
bool inspect(Inspector& f, received_draft& x) {
  return f.object(x).fields(f.field("id", x.id), f.field("hash", x.hash),
                            f.field("label", x.label), f.field("problem", x.problem));
}

/// A coder, a fixer or a recipe agent answered.
struct drafts_received {
  static constexpr std::string_view kind = "drafts_received";
  request_id id = 0;
  std::vector<received_draft> drafts;
  std::vector<std::string> declined; ///< recipe: passes that do not apply, and why
  spend cost;
  std::vector<std::string> usable; ///< recipe: passes that apply
};

template <class Inspector>
bool inspect(Inspector& f, drafts_received& x) {
  return f.object(x).fields(f.field("id", x.id), f.field("drafts", x.drafts),
                            f.field("declined", x.declined), f.field("cost", x.cost),
                            f.field("usable", x.usable).fallback(std::vector<std::string>{}));
}

/// The evaluator answered.
struct verdict_received {
  static constexpr std::string_view kind = "verdict_received";
  request_id id = 0;
  candidate_id subject;
  verdict answer;
};

template <class Inspector>
bool inspect(Inspector& f, verdict_received& x) {
  return f.object(x).fields(f.field("id", x.id), f.field("subject", x.subject),
                            f.field("answer", x.answer));
}

/// A profiler answered.
struct insight_received {
  static constexpr std::string_view kind = "insight_received";
  request_id id = 0;
  insight answer;
};

template <class Inspector>
bool inspect(Inspector& f, insight_received& x) {
  return f.object(x).fields(f.field("id", x.id), f.field("answer", x.answer));
}

/// A request ended without an answer.
struct request_failed {
  static constexpr std::string_view kind = "request_failed";
  request_id id = 0;
  errc code = errc::none;
  std::string reason;
};

template <class Inspector>
bool inspect(Inspector& f, request_failed& x) {
  return f.object(x).fields(f.field("id", x.id), f.field("code", x.code),
                            f.field("reason", x.reason));
}

/// Routes, agents, models or budget were changed while the session ran.
struct topology_changed {
  static constexpr std::string_view kind = "topology_changed";
  topology plan;
};

template <class Inspector>
bool inspect(Inspector& f, topology_changed& x) {
  return f.object(x).fields(f.field("plan", x.plan));
}

/// All that is left waits for answers in mailboxes; any other event means that it goes on.
struct session_suspended {
  static constexpr std::string_view kind = "session_suspended";
  std::int32_t waiting = 0; ///< questions
};

template <class Inspector>
bool inspect(Inspector& f, session_suspended& x) {
  return f.object(x).fields(f.field("waiting", x.waiting));
}

/// Nothing is left to do.
struct session_ended {
  static constexpr std::string_view kind = "session_ended";
  std::string reason;
  bool failed = false; ///< the task could not be worked on
};

template <class Inspector>
bool inspect(Inspector& f, session_ended& x) {
  return f.object(x).fields(f.field("reason", x.reason), f.field("failed", x.failed));
}

using session_event =
  std::variant<session_started, task_prepared, request_issued, ideas_received, drafts_received,
               verdict_received, insight_received, request_failed, topology_changed,
               session_suspended, session_ended>;

} // namespace lathe::actors
