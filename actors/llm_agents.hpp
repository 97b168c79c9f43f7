#pragma once

#include "messages/interfaces.hpp"

#include <caf/fwd.hpp>

// The agents that ask a model. Each is stateless: a request carries all that the answer needs, and
// an answer without usable content is an answer that says so (`problem`), not an error.

namespace lathe::actors {

planner_actor spawn_planner(caf::actor_system& sys, const agent_config& config,
                            const gateway_actor& gateway);

coder_actor spawn_coder(caf::actor_system& sys, const agent_config& config,
                        const gateway_actor& gateway);

fixer_actor spawn_fixer(caf::actor_system& sys, const agent_config& config,
                        const gateway_actor& gateway);

/// Without a model it hands on what the evaluator measured.
profiler_actor spawn_profiler(caf::actor_system& sys, const agent_config& config,
                              const gateway_actor& gateway);

} // namespace lathe::actors
