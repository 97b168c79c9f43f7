#pragma once

#include "messages/journal.hpp"
#include "messages/lease.hpp"
#include "messages/llm.hpp"
#include "messages/session.hpp"
#include "messages/work.hpp"

#include <caf/result.hpp>
#include <caf/typed_actor.hpp>

// Every actor's interface. A pool of agents has the interface of the agents in it, plus `pool`.

namespace lathe {

// -- agents -------------------------------------------------------------------------

/// Turns a task into ideas.
using planner_actor = caf::typed_actor<caf::result<idea_list>(plan_request)>;

/// Turns an assignment into a candidate.
using coder_actor = caf::typed_actor<caf::result<draft>(assignment)>;

/// Mends a rejected candidate.
using fixer_actor = caf::typed_actor<caf::result<draft>(fix_request)>;

/// Says what bounds a correct candidate.
using profiler_actor = caf::typed_actor<caf::result<insight>(profile_request)>;

/// Rewrites a task by rule, without an LLM.
using recipe_actor = caf::typed_actor<caf::result<recipe_book>(recipe_request)>;

// -- evaluation ---------------------------------------------------------------------

/// Judges candidates, and runs whatever else needs an evaluation process. A task has to be prepared
/// once before its candidates are judged.
using evaluator_actor = caf::typed_actor<
  // Loads a task's reference and times it. Fails with `bad_task` when it does not run.
  caf::result<task_profile>(prepare_request),
  // Always answers with a verdict when the candidate is at fault; an error means that the
  // evaluator is.
  caf::result<verdict>(evaluation_request),
  // Applies passes to a task's model.
  caf::result<recipe_book>(recipe_request),
  // Gives up what was kept of a task.
  caf::result<void>(task_release)>;

/// Hands out time on one GPU. Grants are fenced: a holder must show `lease::fence` whenever it acts.
using gpu_owner_actor = caf::typed_actor<
  // Waits until the GPU is free for this kind of lease; `overloaded` when too many wait.
  caf::result<lease>(lease_request),
  // Gives a lease back early; a stale fence is ignored.
  caf::result<void>(lease_release)>;

// -- services -----------------------------------------------------------------------

/// Asks models, within budget and limits, and never pays twice for a recorded answer.
using gateway_actor = caf::typed_actor<caf::result<llm_answer>(llm_request)>;

/// A gateway as its run sees it.
using accounting_gateway_actor = gateway_actor::extend<
  // What was spent so far, of everything that there is a budget for.
  caf::result<std::vector<account_status>>(status_atom),
  // Goes on under this topology's budgets.
  caf::result<void>(topology)>;

/// Writes the run's log. An answer means that the records are on disk.
using journal_actor = caf::typed_actor<
  // Returns the sequence number of the last record.
  caf::result<std::int64_t>(journal_append),
  // Writes what has been collected.
  caf::result<void>(flush_atom)>;

/// Works on one task until its budget or its ideas are used up.
using session_actor = caf::typed_actor<
  // Begins, or goes on where the journal ends.
  caf::result<void>(start_atom),
  // What the session shows of itself.
  caf::result<session_status>(status_atom),
  // Goes on under another topology, from the next request on.
  caf::result<void>(session_update),
  // Issues nothing new; answers when all that is paid for has come in and is written.
  caf::result<void>(stop_atom)>;

/// What every pool of agents answers on top of its agents' interface.
using pool_actor = caf::typed_actor<
  // How busy it is.
  caf::result<pool_status>(status_atom),
  // Changes model, prompt or size between requests.
  caf::result<void>(pool_update),
  // Finishes what it has, takes nothing new, then quits.
  caf::result<void>(drain_atom)>;

} // namespace lathe
