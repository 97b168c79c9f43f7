#pragma once

#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

namespace lathe::actors {

/// Spawns the agent that rewrites a task by rule. The passes are Python and run where candidates
/// run, so it hands the request on to the evaluator with the passes of its configuration.
recipe_actor spawn_recipe(caf::actor_system& sys, const agent_config& config,
                          const evaluator_actor& evaluator);

} // namespace lathe::actors
